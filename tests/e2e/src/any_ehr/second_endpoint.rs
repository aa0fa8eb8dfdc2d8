//! A second sandbox EHR beside the built-in one, known to the product by its tenant file alone: long requests, answers
//! without the promised issuer, rights that a person took away on the consent page.

use std::path::Path;

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::{
    Outside,
    browser::{Browser, Page},
};
use sallyport_model::LaunchId;
use sallyport_sandbox_ehr as sandbox;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use super::{
    registering::{add, client_id, values},
    walking::{Walked, answer, walk},
};
use crate::world::World;

const TENANT: &str = "lakeside";

/// An instance with a second endpoint.
struct Second {
    world: World,
    /// The second EHR's admin interface.
    ehr: Outside,
    serving: JoinHandle<()>,
}

impl Second {
    /// `change` edits the tenant file that the command wrote.
    async fn open(change: impl FnOnce(&str) -> String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let config =
            sandbox::Config { public_base: origin.clone(), patients: 3, ..sandbox::Config::default() };
        let sandbox = sandbox::build(config).await?;
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ended = sandbox::serve(listener, sandbox, std::future::pending()).await;
        });
        let folder = tempfile::tempdir()?;
        let base = format!("{origin}/strict/{TENANT}/fhir");
        let mut args = values(folder.path(), &base, TENANT);
        args.vendor = "sandbox".to_owned();
        edit(&add(args).await?, change)?;
        let world = World::start_in(folder, "").await?;
        let ready = sallyport::ready::Ready { ehr: origin, fhir_base: base, ..world.outside.ready.clone() };
        let ehr = Outside::connect(&ready).await?;
        let client = json!({
            "client_id": client_id(TENANT),
            "name": "Sallyport chart",
            "launch_url": format!("{}/launch/{TENANT}", ready.app),
            "redirect_uris": [format!("{}/callback/{TENANT}", ready.app)],
            "auth": { "type": "public" },
            "scopes": ["launch", "launch/patient", "openid", "fhirUser", "profile", "online_access", "patient/*.rs"],
        });
        ehr.sandbox(Method::POST, "clients", Some(client)).await?;
        Ok(Self { world, ehr, serving })
    }

    fn app(&self) -> &str {
        &self.ehr.ready.app
    }

    async fn patient(&self) -> anyhow::Result<String> {
        self.ehr.patients().await?.into_iter().next().context("a patient")
    }

    async fn launch(&self, browser: &mut Browser) -> anyhow::Result<Walked> {
        let wanted =
            json!({ "client_id": client_id(TENANT), "patient": self.patient().await?, "tenant": TENANT });
        let start = self.ehr.launch_with(wanted).await?;
        walk(browser, self.app(), &start).await
    }

    async fn fetch(
        &self,
        browser: &mut Browser,
        prefix: &str,
        launch: LaunchId,
        rest: &str,
    ) -> anyhow::Result<Page> {
        browser.fetch(&Url::parse(&format!("{}/{prefix}/{launch}{rest}", self.app()))?).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.world.stop().await?;
        self.serving.abort();
        Ok(())
    }
}

fn edit(file: &Path, change: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
    let before = std::fs::read_to_string(file)?;
    Ok(std::fs::write(file, change(&before))?)
}

/// The built-in feature asking by category, as cautious hospitals want it: a request far beyond two thousand bytes.
fn with_many_scopes(file: &str) -> String {
    let categories = [
        "vital-signs",
        "laboratory",
        "social-history",
        "imaging",
        "procedure",
        "survey",
        "exam",
        "therapy",
        "activity",
        "sdoh",
        "functional-status",
        "disability-status",
        "cognitive-status",
        "treatment-intervention-preference",
    ];
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    let optional: Vec<String> =
        categories.iter().map(|c| format!("patient/Observation.rs?category={system}|{c}")).collect();
    format!(
        r#"{file}
[[feature]]
id = "patient-summary"
title = "Patient summary"
kind = "interactive-read"
required = ["patient/Patient.rs"]
optional = {optional:?}
purpose = "TREAT"
sections = ["banner", "vitals", "results"]
posture = "read-only"
justification = "Shows vital signs and results by category."
"#
    )
}

/// A request too long for an address goes by POST where the EHR takes it, and the launch works.
///
/// # Errors
/// When it does not.
pub async fn a_long_request_goes_by_post() -> anyhow::Result<()> {
    let second = Second::open(with_many_scopes).await?;
    let mut browser = Browser::new();
    let since = second.ehr.last_request().await?;
    let walked = second.launch(&mut browser).await?;
    let launch = walked.launch()?;
    let requests = second.ehr.requests(since).await?;
    let authorize =
        requests.iter().find(|r| text(r, "path").ends_with("/oauth/authorize")).context("no request")?;
    ensure!(text(authorize, "method") == "POST", "it came by {}", text(authorize, "method"));
    ensure!(authorize.get("query").is_none_or(Value::is_null), "nothing of it stands in the address");
    let vitals = second.fetch(&mut browser, "api", launch, "/v1/chart/vitals").await?;
    ensure!(vitals.status == 200, "the vitals answered {}: {}", vitals.status, vitals.text());
    second.stop().await?;
    Ok(())
}

/// The EHR promises its issuer in every answer (RFC 9207): an answer without it, or with another, opens nothing.
///
/// # Errors
/// When one of them does, or its code reaches the token endpoint.
pub async fn a_promised_issuer_must_come() -> anyhow::Result<()> {
    let second = Second::open(str::to_owned).await?;
    for fault in ["no-iss", "wrong-iss"] {
        second.ehr.fault("oauth", &format!("/strict/{TENANT}/oauth/authorize"), fault, 1).await?;
        let since = second.ehr.last_request().await?;
        let walked = second.launch(&mut Browser::new()).await?;
        let page = walked.last()?;
        ensure!(
            walked.chart.is_none() && page.text().contains("callback.issuer_mismatch"),
            "{fault}: {}",
            page.text()
        );
        let asked =
            second.ehr.requests(since).await?.iter().filter(|r| text(r, "path").ends_with("/token")).count();
        ensure!(asked == 0, "{fault}: the code was redeemed");
    }
    second.launch(&mut Browser::new()).await?.launch().context("without a fault the same launch works")?;
    second.stop().await?;
    Ok(())
}

/// Answers by `response_mode=form_post`: the callback takes a form.
///
/// # Errors
/// When the chart does not open.
pub async fn an_answer_may_come_by_form_post() -> anyhow::Result<()> {
    let second = Second::open(str::to_owned).await?;
    let mut browser = Browser::new();
    let wanted =
        json!({ "client_id": client_id(TENANT), "patient": second.patient().await?, "tenant": TENANT });
    let start = second.ehr.launch_with(wanted).await?;
    let first = browser.visit(&start).await?;
    let mut authorize = first.location().context("a redirect to the EHR")?;
    authorize.query_pairs_mut().append_pair("response_mode", "form_post");
    let walked = walk(&mut browser, second.app(), &authorize).await?;
    let launch = walked.launch()?;
    let callback = walked.pages.last().context("the callback")?;
    ensure!(
        callback.url.path().starts_with("/callback/") && callback.url.query().is_none(),
        "the answer came in the body"
    );
    let patient =
        second.fetch(&mut browser, "fhir", launch, &format!("/Patient/{}", second.patient().await?)).await?;
    ensure!(patient.status == 200, "Patient answered {}", patient.status);
    second.stop().await?;
    Ok(())
}

/// The person unticks two rights on the EHR's consent page: what needs them is off and says why, the rest works.
///
/// # Errors
/// When more or less is off, or without a reason.
pub async fn what_was_not_granted_is_off_with_its_reason() -> anyhow::Result<()> {
    let two_features = r#"features = ["patient-summary", "medication-reconciliation"]"#;
    let second = Second::open(|file| file.replace(r#"features = ["patient-summary"]"#, two_features)).await?;
    let patient = second.patient().await?;
    let mut browser = Browser::new();
    let start = Url::parse(&format!("{}/launch/{TENANT}", second.app()))?;
    let mut walked = walk(&mut browser, second.app(), &start).await?;
    let mut unticked = 0;
    for _ in 0..4 {
        if walked.chart.is_some() {
            break;
        }
        let (action, body) = second.ehr.fill_form(walked.last()?, &patient)?;
        let denied = |scope: &str| {
            scope.starts_with("patient/Condition") || scope.starts_with("patient/MedicationRequest")
        };
        let mut kept = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in url::form_urlencoded::parse(body.as_bytes()) {
            if name == "scope" && denied(&value) {
                unticked += 1;
            } else {
                kept.append_pair(&name, &value);
            }
        }
        walked = answer(&mut browser, second.app(), &action, &kept.finish()).await?;
    }
    let launch = walked.launch()?;
    ensure!(unticked == 2, "{unticked} rights were unticked");

    let session = second.fetch(&mut browser, "session", launch, "").await?.json()?;
    let is_on = |id: &str| {
        let features = session.get("features").and_then(Value::as_array).into_iter().flatten();
        features.into_iter().find(|f| text(f, "id") == id).and_then(|f| f.get("on")?.as_bool())
    };
    ensure!(is_on("patient-summary") == Some(true), "the summary is {:?}", is_on("patient-summary"));
    ensure!(is_on("medication-reconciliation") == Some(false), "reconciliation needs what was denied");

    let since = second.ehr.last_request().await?;
    let problems = second.fetch(&mut browser, "api", launch, "/v1/chart/problems").await?;
    let section = problems.json()?;
    let gap = section.pointer("/problems/0").cloned().unwrap_or_default();
    ensure!(problems.status == 200 && text(&gap, "kind") == "not_granted", "the section says {section}");
    ensure!(
        text(&gap, "code") == "fhir.scope_denied" && !text(&gap, "message").is_empty(),
        "the reason is {gap}"
    );
    ensure!(text(&gap, "resource_type") == "Condition", "{gap}");

    let named = [("x-sallyport-feature", "medication-reconciliation"), ("sec-fetch-site", "same-origin")];
    let url = Url::parse(&format!("{}/fhir/{launch}/Patient/{patient}", second.app()))?;
    let off = browser.send(Method::GET, &url, &named, "").await?;
    ensure!(off.status == 403 && off.text().contains("feature.off"), "{}: {}", off.status, off.text());
    ensure!(second.ehr.requests(since).await?.is_empty(), "what is off reached the EHR");

    let allergies = second.fetch(&mut browser, "api", launch, "/v1/chart/allergies").await?;
    let nothing_missing =
        allergies.json()?.get("problems").and_then(Value::as_array).is_none_or(Vec::is_empty);
    ensure!(allergies.status == 200 && nothing_missing, "allergies: {}", allergies.text());
    second.stop().await?;
    Ok(())
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
