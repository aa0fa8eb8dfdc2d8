//! Asking everything once, and holding each answer against the rule that expects one.

use std::collections::BTreeSet;

use anyhow::Context;
use sallyport_clinical::Mapping;
use serde_json::Value;
use url::Url;

use super::{
    TEST,
    asking::{self, Account, Door, Found},
    checks::{METADATA_RULE, PAGE_RULE, READ_RULE, READS, SEARCH_RULE, SEARCHES, Search, UNKNOWN_RULE},
    report::{Asked, Exchange, Report},
    row::{Row, State},
};
use crate::{asker::Asker, demo::browser::Page};

const FEATURE: &str = "patient-summary";
/// No EHR has given this id out.
const NOBODY: &str = "nobody-has-this";

/// The exchanges of one check.
#[derive(Default)]
struct Exchanges(Vec<Exchange>);

impl Account for Exchanges {
    fn note(&mut self, page: &Page) {
        let request_id = page.headers.get("x-request-id").and_then(|value| value.to_str().ok());
        self.0.push(Exchange {
            status: page.status,
            request_id: request_id.unwrap_or_default().to_owned(),
            ..Exchange::default()
        });
    }
}

/// A certification under way.
struct Run<'d, D> {
    door: &'d mut D,
    base: String,
    patient: String,
    report: Report,
    mapping: Mapping,
}

/// Asks everything, about the first of the asker's patients.
pub(super) async fn all(asker: &mut Asker, report: Report) -> anyhow::Result<Report> {
    let patient = asker.patients.first().context("somebody to ask about")?.clone();
    asker.turn_to(&patient);
    let (base, mapping) = (asker.base.to_string(), asker.endpoint.mapping);
    let patient = patient.expose().to_owned();
    let launch = asker.launch;
    let door = &mut asker.door;
    let mut run = Run { door, base, patient, report, mapping };
    if launch.is_some() {
        run.row("–", "launch", State::Verified, None);
    }
    run.metadata().await?;
    let mut ids = vec![("Patient", run.patient.clone())];
    for search in SEARCHES {
        let found = run.search(search).await?;
        ids.extend(found.map(|id| (search.kind, id)));
    }
    for kind in READS {
        let id = ids.iter().find(|(found, _)| found == kind).map(|(_, id)| id.clone());
        run.read(kind, id).await?;
    }
    run.unknown_id().await?;
    Ok(run.report)
}

impl<D: Door> Run<'_, D> {
    fn row(&mut self, resource: &str, interaction: &str, state: State, why: Option<String>) {
        self.report.rows.push(Row {
            profile: format!("{}/{}", self.report.tenant, self.report.endpoint),
            vendor: self.report.vendor.clone(),
            feature: FEATURE.to_owned(),
            resource: resource.to_owned(),
            interaction: interaction.to_owned(),
            state,
            why,
            test: TEST.to_owned(),
            mapping: self.mapping.to_string(),
            version: self.report.version.clone(),
        });
    }

    /// Writes down one check: as it is told to people, and as a cell.
    fn check(&mut self, cell: (&str, &str), asked: String, expected: &'static str, found: Judged) {
        let Judged { state, came, exchanges } = found;
        self.row(cell.0, cell.1, state, (state != State::Verified).then(|| came.clone()));
        self.report.asked.push(Asked { asked, expected, came, state, exchanges: exchanges.0 });
    }

    fn url(&self, below: &str) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("{}{below}", self.base))?)
    }

    async fn one(&mut self, below: &str) -> anyhow::Result<(Page, Exchanges)> {
        let page = self.door.get(&self.url(below)?).await?;
        let mut exchanges = Exchanges::default();
        exchanges.note(&page);
        Ok((page, exchanges))
    }

    async fn metadata(&mut self) -> anyhow::Result<()> {
        let (page, exchanges) = self.one("metadata").await?;
        let version = page.json().ok().and_then(|body| Some(body.get("fhirVersion")?.as_str()?.to_owned()));
        let found = match (page.status, version) {
            (200, Some(version)) => Judged::good(format!("a statement of FHIR {version}"), exchanges),
            _ => Judged::refused(&page, exchanges),
        };
        self.check(("–", "metadata"), "GET metadata".to_owned(), METADATA_RULE, found);
        Ok(())
    }

    /// Searches to the last page; answers the first match's id.
    async fn search(&mut self, search: &Search) -> anyhow::Result<Option<String>> {
        let patient = url::form_urlencoded::byte_serialize(self.patient.as_bytes()).collect::<String>();
        let address = self.url(&format!("{}?patient={patient}{}", search.kind, search.more))?;
        let asked = format!("GET {}?patient={{patient}}{}", search.kind, search.more);
        let mut exchanges = Exchanges::default();
        let found = match asking::pages(self.door, &address, &mut exchanges).await? {
            Err(refused) => {
                let found = Judged { state: State::Unsupported, came: refused, exchanges };
                self.check((&search.label(), "search"), asked, SEARCH_RULE, found);
                return Ok(None);
            }
            Ok(found) => found,
        };
        let (pages, first) = (found.pages, found.ids().next().map(str::to_owned));
        let (state, came) = judge(search, &found);
        if pages > 1 {
            let label = search.label();
            self.row(
                &label,
                "page",
                state,
                (state != State::Verified).then(|| format!("{PAGE_RULE}: {came}")),
            );
        }
        self.check((&search.label(), "search"), asked, SEARCH_RULE, Judged { state, came, exchanges });
        Ok(first)
    }

    async fn read(&mut self, kind: &str, id: Option<String>) -> anyhow::Result<()> {
        let asked = format!("GET {kind}/{{id}}");
        let Some(id) = id else {
            let came = "no search gave an id to read".to_owned();
            let found = Judged { state: State::Unverified, came, exchanges: Exchanges::default() };
            self.check((kind, "read"), asked, READ_RULE, found);
            return Ok(());
        };
        let (page, exchanges) = self.one(&format!("{kind}/{id}")).await?;
        let same = |name: &str, value: &str| {
            page.json().is_ok_and(|body| body.get(name).and_then(Value::as_str) == Some(value))
        };
        let found = match page.status {
            200 if same("id", &id) && same("resourceType", kind) => {
                Judged::good("the resource".to_owned(), exchanges)
            }
            200 => Judged { state: State::Degraded, came: "another resource".to_owned(), exchanges },
            _ => Judged::refused(&page, exchanges),
        };
        self.check((kind, "read"), asked, READ_RULE, found);
        Ok(())
    }

    async fn unknown_id(&mut self) -> anyhow::Result<()> {
        let (page, exchanges) = self.one(&format!("Condition/{NOBODY}")).await?;
        let came = asking::refusal(&page);
        let state = if asking::is_clear_refusal(&page) { State::Verified } else { State::Degraded };
        let asked = "GET Condition/{an id that nobody has}".to_owned();
        self.check(("Condition", "error"), asked, UNKNOWN_RULE, Judged { state, came, exchanges });
        Ok(())
    }
}

/// What a check found.
struct Judged {
    state: State,
    came: String,
    exchanges: Exchanges,
}

impl Judged {
    fn good(came: String, exchanges: Exchanges) -> Self {
        Self { state: State::Verified, came, exchanges }
    }

    fn refused(page: &Page, exchanges: Exchanges) -> Self {
        Self { state: State::Unsupported, came: asking::refusal(page), exchanges }
    }
}

/// Matches by the rules alone: of the type, each once, nothing left out by anybody's word. None of them proves nothing.
fn judge(search: &Search, found: &Found) -> (State, String) {
    let ids: Vec<&str> = found.ids().collect();
    let distinct: BTreeSet<&&str> = ids.iter().collect();
    let is_other = |body: &&Value| body.get("resourceType").and_then(Value::as_str) != Some(search.kind);
    let others = found.resources.iter().filter(is_other).count();
    let mut came = format!("{} matches on {} pages", ids.len(), found.pages);
    if others > 0 {
        came.push_str(&format!(", {others} of another type"));
    }
    if distinct.len() < ids.len() {
        came.push_str(&format!(", {} of them again", ids.len() - distinct.len()));
    }
    if !found.told.is_empty() {
        let told: BTreeSet<&str> = found.told.iter().map(String::as_str).collect();
        came.push_str(&format!("; told: {}", told.into_iter().collect::<Vec<_>>().join("; ")));
    }
    let state = if others > 0 || distinct.len() < ids.len() || !found.told.is_empty() {
        State::Degraded
    } else if ids.is_empty() {
        State::Unverified
    } else {
        State::Verified
    };
    (state, came)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(resources: &[Value], told: &[&str]) -> (State, String) {
        let told = told.iter().map(|told| (*told).to_owned()).collect();
        judge(&SEARCHES[1], &Found { resources: resources.to_vec(), pages: 1, told })
    }

    #[test]
    fn matches_are_verified_when_each_came_once_and_nothing_is_said_to_be_missing() {
        let (a, b) = (
            json!({"resourceType": "Condition", "id": "a"}),
            json!({"resourceType": "Condition", "id": "b"}),
        );
        assert_eq!(judged(&[a.clone(), b], &[]).0, State::Verified);
        assert_eq!(
            judged(&[a.clone(), a.clone()], &[]),
            (State::Degraded, "2 matches on 1 pages, 1 of them again".to_owned())
        );
        assert_eq!(judged(std::slice::from_ref(&a), &["partial.short_read"]).0, State::Degraded);
        assert_eq!(judged(&[json!({"resourceType": "Goal", "id": "g"})], &[]).0, State::Degraded);
        assert_eq!(judged(&[], &[]).0, State::Unverified, "nothing proves nothing");
    }
}
