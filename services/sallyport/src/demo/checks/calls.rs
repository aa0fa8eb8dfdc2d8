//! FHIR calls under the launch: what is allowed and what is not.

use serde_json::Value;

use crate::demo::{Launched, Outside, Story, browser::Browser};

const WIRE: &str = "the answers a browser got";

pub(super) async fn reads(
    outside: &Outside,
    story: &mut Story,
    browser: &mut Browser,
    launched: &Launched,
    other: &str,
) -> anyhow::Result<()> {
    let own =
        browser.fetch(&launched.url(outside, "fhir", &format!("Patient/{}", launched.patient))?).await?;
    story.tell("read the patient", WIRE, own.status == 200, format!("status {}", own.status));

    let search = format!("Condition?patient={}", launched.patient);
    let conditions = browser.fetch(&launched.url(outside, "fhir", &search)?).await?;
    let count = conditions.json()?.get("entry").and_then(Value::as_array).map_or(0, Vec::len);
    story.tell("search conditions", WIRE, conditions.status == 200 && count > 0, format!("{count} entries"));

    let section = browser.fetch(&launched.url(outside, "api", "v1/chart/problems")?).await?;
    let provenance = section.text().matches("\"source\"").count();
    story.tell(
        "normalised problems",
        WIRE,
        section.status == 200 && provenance > 0,
        format!("{provenance} provenance entries"),
    );

    let since = outside.last_request().await?;
    let foreign = browser.fetch(&launched.url(outside, "fhir", &format!("Patient/{other}"))?).await?;
    let by_search =
        browser.fetch(&launched.url(outside, "fhir", &format!("Condition?patient={other}"))?).await?;
    let asked = outside.requests(since).await?.len();
    let refused = foreign.status == 403 && by_search.status == 403 && asked == 0;
    story.tell(
        "another patient is refused",
        WIRE,
        refused,
        format!("{} and {}, {asked} calls to the EHR", foreign.status, by_search.status),
    );

    let since = outside.last_request().await?;
    let goals =
        browser.fetch(&launched.url(outside, "fhir", &format!("Goal?patient={}", launched.patient))?).await?;
    let asked = outside.requests(since).await?.len();
    let refused = goals.status == 403 && goals.text().contains("fhir.scope_denied") && asked == 0;
    story.tell(
        "a type outside the feature",
        WIRE,
        refused,
        format!("status {}, {asked} calls to the EHR", goals.status),
    );

    let tricks = [
        "Patient/..%2fCondition",
        "Patient//x",
        "Condition;x?patient=1",
        "Condition?_include=Condition:subject",
        "Condition?subject._id=1",
        "$export",
    ];
    let mut statuses = Vec::new();
    for trick in tricks {
        statuses.push(browser.fetch(&launched.url(outside, "fhir", trick)?).await?.status);
    }
    let all_refused = statuses.iter().all(|s| (400..500).contains(s));
    story.tell("malformed and denied paths", WIRE, all_refused, format!("{statuses:?}"));
    Ok(())
}
