//! What becomes of each fault that the sandbox EHR knows, seen through a whole instance: a table with the defined outcome of
//! every name in its catalogue.

use anyhow::Context;
use http::Method;
use sallyport::demo::{
    Launched,
    browser::{Browser, Page},
    ehr_launch,
};
use sallyport_test_e2e::world::World;
use serde_json::{Value, json};

/// The patient whose record is asked for.
const PATIENT: &str = "pat-0001";
/// A low cap and a bounded wait, so that an EHR that sends without end or hangs does not hold up the suite.
const TIGHT: &str =
    "[fhir_gateway]\ncall_timeout_ms = 10000\nsection_deadline_ms = 10000\nmax_answer_bytes = 300000\n";
/// How often it is asked whether an endpoint that was paused is called again.
const LOOKS: usize = 400;

/// What must come of a search while the EHR has the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything, without a word.
    Whole,
    /// What there is, with this word that it is not all.
    Partial(&'static str),
    /// Nothing, with this code.
    Refused(&'static str),
}

/// Faults of FHIR answers and what a search on them comes to.
pub const OF_ANSWERS: &[(&str, Outcome)] = &[
    ("delay:50", Outcome::Whole),
    ("late:50", Outcome::Whole),
    ("token-delay:50", Outcome::Whole),
    ("content-type-html", Outcome::Whole),
    ("content-type-text", Outcome::Whole),
    ("content-type-xml", Outcome::Whole),
    ("content-type-none", Outcome::Whole),
    ("masked", Outcome::Whole),
    ("page-duplicate", Outcome::Whole),
    ("page-short", Outcome::Partial("partial.short_read")),
    ("page-loop", Outcome::Partial("partial.page_loop")),
    ("page-stall", Outcome::Partial("partial.page_stall")),
    ("page-expired", Outcome::Partial("ehr.page_expired")),
    ("foreign-next", Outcome::Refused("ehr.foreign_link")),
    ("foreign-patient", Outcome::Refused("ehr.foreign_patient")),
    ("reset", Outcome::Refused("ehr.unreachable")),
    ("reset-after", Outcome::Refused("ehr.unreachable")),
    ("truncated", Outcome::Refused("ehr.unreachable")),
    ("hang", Outcome::Refused("ehr.timeout")),
    ("401", Outcome::Refused("ehr.unauthorized")),
    ("401-text", Outcome::Refused("ehr.unauthorized")),
    ("403", Outcome::Refused("ehr.forbidden")),
    ("500", Outcome::Refused("ehr.error")),
    ("503", Outcome::Refused("ehr.busy")),
    // Of a write: it was made and nobody is told so, which the ledger's own tests look at.
    ("after:500", Outcome::Refused("ehr.error")),
    ("html", Outcome::Refused("ehr.error")),
    ("html:404", Outcome::Refused("ehr.not_offered")),
    ("redirect", Outcome::Refused("ehr.redirect")),
    ("empty:200", Outcome::Refused("ehr.invalid_response")),
    ("deep:100000", Outcome::Refused("ehr.invalid_response")),
    ("huge:1000000", Outcome::Refused("ehr.too_large")),
    ("gzip-bomb:16", Outcome::Refused("ehr.too_large")),
    ("duplicate-keys", Outcome::Refused("ehr.invalid_response")),
    // It stands in the Bundle, of which nothing but its entries and links is passed on. In a record it is refused, below.
    ("lone-surrogate", Outcome::Whole),
    ("429", Outcome::Refused("ehr.busy")),
    ("429-date", Outcome::Refused("ehr.busy")),
    ("429-unix", Outcome::Refused("ehr.busy")),
    ("429-text", Outcome::Refused("ehr.busy")),
    ("429-headers", Outcome::Refused("ehr.busy")),
    ("429-untold", Outcome::Refused("ehr.busy")),
];

/// The same for a read of one record, where it differs.
pub const OF_READS: &[(&str, Outcome)] = &[
    ("masked", Outcome::Whole),
    ("lone-surrogate", Outcome::Refused("ehr.invalid_response")),
    ("duplicate-keys", Outcome::Refused("ehr.invalid_response")),
    ("foreign-patient", Outcome::Refused("ehr.foreign_patient")),
    ("gzip-bomb:16", Outcome::Refused("ehr.too_large")),
    ("html:404", Outcome::Refused("ehr.not_found")),
];

/// Faults of authorization and tokens, and what a launch comes to: a chart, or the code on the page that says why not.
pub const OF_LAUNCHES: &[(&str, Option<&str>)] = &[
    ("wrong-iss", Some("callback.issuer_mismatch")),
    ("no-iss", Some("callback.issuer_mismatch")),
    ("wrong-state", Some("callback.state_unknown")),
    ("narrowed-scope", None),
    ("foreign-scopes", None),
    ("patient-missing", Some("context.patient_missing")),
    ("expires-in:missing", None),
    ("expires-in:string", None),
    ("expires-in:long", None),
    ("expires-in:1", None),
    ("id-token:wrong-iss", Some("identity.invalid")),
    ("id-token:wrong-aud", Some("identity.invalid")),
    ("id-token:wrong-nonce", Some("identity.invalid")),
    ("id-token:no-nonce", Some("identity.invalid")),
    ("id-token:alg-none", Some("identity.invalid")),
    ("id-token:hmac", Some("identity.invalid")),
    ("id-token:expired", Some("identity.invalid")),
    ("id-token:signature", Some("identity.invalid")),
    ("id-token:unknown-kid", Some("identity.invalid")),
    ("id-token:no-kid", None),
    ("id-token:no-sub", Some("identity.invalid")),
    ("id-token:wrong-at-hash", Some("identity.invalid")),
    ("id-token:missing", Some("identity.invalid")),
    ("id-token:old-iss", Some("identity.invalid")),
    ("id-token:no-fhir-user", None),
    ("id-token:proxy", None),
];

/// A name without its argument, as it stands in the catalogue before the colon.
pub fn plain(name: &str) -> &str {
    match name.split_once(':') {
        Some((kept @ ("id-token" | "expires-in"), _)) => kept,
        Some((name, _)) => name,
        None => name,
    }
}

/// Every name in the catalogue of a running sandbox.
///
/// # Errors
/// When it does not answer.
pub async fn catalogue(world: &World) -> anyhow::Result<Vec<String>> {
    let told = world.outside.sandbox(Method::GET, "faults", None).await?.json()?;
    let names = told.get("catalogue").and_then(Value::as_array).context("the catalogue")?;
    Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// A launched instance.
pub struct Bench {
    /// The instance.
    pub world: World,
    browser: Browser,
    launched: Launched,
}

impl Bench {
    /// Starts one that takes little, and launches.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn tight() -> anyhow::Result<Self> {
        Self::start_with(TIGHT).await
    }

    /// Starts one whose EHR is that product, and launches.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn of(profile: &str) -> anyhow::Result<Self> {
        Self::start_with(&format!("[sandbox_ehr]\nprofile = \"{profile}\"\n")).await
    }

    /// Starts one as it is delivered, and launches.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with("").await
    }

    async fn start_with(config: &str) -> anyhow::Result<Self> {
        let world = World::start_with(config).await?;
        let mut browser = Browser::new();
        let launched = ehr_launch(&world.outside, &mut browser, PATIENT).await?;
        Ok(Self { world, browser, launched })
    }

    async fn get(&mut self, door: &str, below: &str) -> anyhow::Result<Page> {
        self.browser.fetch(&self.launched.url(&self.world.outside, door, below)?).await
    }

    /// Searches to the end while the EHR has a fault in every FHIR answer; afterwards waits until it is called again.
    ///
    /// # Errors
    /// When the instance does not answer, or never calls the EHR again.
    pub async fn searched(&mut self, fault: &str) -> anyhow::Result<String> {
        self.world.outside.fault("fhir", "", fault, u32::MAX).await?;
        let found = self.walk("Condition?_count=2").await;
        self.well_again(fault).await?;
        found
    }

    /// Reads the patient while the EHR has a fault in every FHIR answer.
    ///
    /// # Errors
    /// As [`Bench::searched`].
    pub async fn read(&mut self, fault: &str) -> anyhow::Result<String> {
        self.world.outside.fault("fhir", "", fault, u32::MAX).await?;
        let found = self.walk(&format!("Patient/{PATIENT}")).await;
        self.well_again(fault).await?;
        found
    }

    /// Ends the fault and waits until the EHR is called again.
    async fn well_again(&mut self, fault: &str) -> anyhow::Result<()> {
        self.world.outside.clear_faults().await?;
        for look in 1..=LOOKS {
            if self.get("fhir", "Condition?_count=1").await?.status == 200 {
                break;
            }
            anyhow::ensure!(look < LOOKS, "after {fault} the EHR is never called again");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Follows a search to its end, or reads: and says in a word what came of it.
    async fn walk(&mut self, below: &str) -> anyhow::Result<String> {
        let mut next = Some(below.to_owned());
        let mut told: Vec<String> = Vec::new();
        let mut pages = 0;
        while let Some(below) = next.take() {
            let page = self.get("fhir", &below).await?;
            let body = page.json().unwrap_or(Value::Null);
            if page.status != 200 {
                let code = code(&body).unwrap_or_else(|| format!("status {}", page.status));
                if pages == 0 {
                    return Ok(format!("refused {code}"));
                }
                told.push(code);
                break;
            }
            pages += 1;
            anyhow::ensure!(pages < 100, "the pages never end");
            let entries = body.get("entry").and_then(Value::as_array).into_iter().flatten();
            told.extend(entries.filter_map(|entry| code(entry.get("resource")?)));
            let links = body.get("link").and_then(Value::as_array).into_iter().flatten();
            let link =
                links.into_iter().find(|link| link.get("relation").and_then(Value::as_str) == Some("next"));
            let handle = link.and_then(|link| link.get("url")?.as_str()?.split_once("/_page/"));
            next = handle.map(|(_, handle)| format!("_page/{handle}"));
        }
        told.dedup();
        Ok(if told.is_empty() { "whole".to_owned() } else { format!("partial {}", told.join(" ")) })
    }

    /// Reads a section of the chart.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub async fn section(&mut self, section: &str) -> anyhow::Result<Value> {
        self.get("api", &format!("v1/chart/{section}")).await?.json()
    }

    /// Searches to the end, with no fault but the product's own.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub async fn asked(&mut self, below: &str) -> anyhow::Result<String> {
        self.walk(below).await
    }

    /// Reads a section of the chart while the EHR masks what it holds.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub async fn masked(&mut self, section: &str) -> anyhow::Result<Value> {
        self.world.outside.fault("fhir", "", "masked", u32::MAX).await?;
        let page = self.get("api", &format!("v1/chart/{section}")).await?;
        self.world.outside.clear_faults().await?;
        page.json()
    }

    /// Launches anew while the authorization server has a fault.
    ///
    /// # Errors
    /// When the instance does not answer.
    pub async fn launches(&self, fault: &str) -> anyhow::Result<String> {
        let outside = &self.world.outside;
        outside.fault("oauth", "", fault, u32::MAX).await?;
        let mut browser = Browser::new();
        let start =
            outside.launch_with(json!({ "client_id": "sallyport-chart", "patient": PATIENT })).await?;
        let pages = browser.walk(&start).await;
        outside.clear_faults().await?;
        let pages = pages?;
        let last = pages.last().context("a page")?;
        let is_chart = last.url.path().starts_with("/chart/") && last.status == 200;
        Ok(if is_chart { "opens".to_owned() } else { format!("refused {}", word(last)) })
    }

    /// Stops it.
    ///
    /// # Errors
    /// When its database cannot be reached.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.world.stop().await
    }
}

/// Our code in an OperationOutcome.
fn code(outcome: &Value) -> Option<String> {
    let is_outcome = outcome.get("resourceType").and_then(Value::as_str) == Some("OperationOutcome");
    let code = outcome.pointer("/issue/0/details/coding/0/code").and_then(Value::as_str);
    code.filter(|_| is_outcome).map(str::to_owned)
}

/// The code on a page for people: the one word that is a code.
fn word(page: &Page) -> String {
    let text = page.text();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
    let mut codes = words.filter(|word| sallyport_model::Code::parse(word).is_some());
    codes.next().map_or_else(|| format!("status {}", page.status), str::to_owned)
}

/// As [`Bench::searched`] tells it.
pub fn told(outcome: Outcome) -> String {
    match outcome {
        Outcome::Whole => "whole".to_owned(),
        Outcome::Partial(code) => format!("partial {code}"),
        Outcome::Refused(code) => format!("refused {code}"),
    }
}
