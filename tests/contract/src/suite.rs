//! One product through one instance: launch, read, search to the last page, errors.

use std::collections::BTreeSet;

use anyhow::Context;
use sallyport::{
    certify::{
        asking::{self, Account, Found, is_clear_refusal, refusal},
        checks::{READS, SEARCHES, Search},
        row::{Row, State},
    },
    demo::{
        Outside,
        browser::{Browser, Page},
        ehr_launch,
    },
};
use sallyport_clinical::Mapping;
use sallyport_model::{ServiceName, VendorId};
use sallyport_proto::gateway::v1::{ProbeRequest, fhir_gateway_client::FhirGatewayClient};
use sallyport_sandbox_ehr::data::Records;
use sallyport_test_e2e::world::World;
use serde_json::Value;
use url::Url;

use crate::truth;

const FEATURE: &str = "patient-summary";

/// What a run found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The cells.
    pub rows: Vec<Row>,
    /// Canaries of other patients that came out: there must never be one.
    pub foreign: BTreeSet<String>,
    /// What came out short or long without a word to the caller.
    pub silent: Vec<String>,
    /// Answers of the gateway that tell of a defect of its own (500).
    pub broken: Vec<String>,
}

/// A run in progress.
struct Run<'w> {
    outside: &'w Outside,
    browser: Browser,
    profile: String,
    vendor: String,
    mapping: String,
    test: String,
    records: Records,
    outcome: Outcome,
}

/// A launched chart.
struct Chart {
    base: String,
    /// The patient's id as the product writes it.
    patient: String,
}

/// Whatever an answer holds: others' canaries, and defects of ours.
impl Account for Outcome {
    fn note(&mut self, page: &Page) {
        if page.status == 500 {
            self.broken.push(format!("{}: {}", page.url.path(), page.text()));
        }
        if let Ok(body) = page.json() {
            self.foreign.extend(truth::foreign_canaries(&body));
        }
    }
}

/// Runs the suite against one product of the sandbox.
///
/// # Errors
/// When the instance itself does not start; what a product does is in the outcome.
pub async fn run(profile: &str, test: &str) -> anyhow::Result<Outcome> {
    run_with(profile, test, None, false).await
}

/// The same after an operator had the gateway look at the endpoint, so that the product's statement counts too.
///
/// # Errors
/// As [`run`].
pub async fn run_looked_at(profile: &str, test: &str) -> anyhow::Result<Outcome> {
    run_with(profile, test, None, true).await
}

/// The same with a fault of the EHR in every FHIR answer, which the suite must see.
///
/// # Errors
/// As [`run`].
pub async fn run_spoiled(profile: &str, test: &str, fault: &str) -> anyhow::Result<Outcome> {
    run_with(profile, test, Some(fault), false).await
}

async fn run_with(profile: &str, test: &str, fault: Option<&str>, look: bool) -> anyhow::Result<Outcome> {
    let world = World::start_with(&format!("[sandbox_ehr]\nprofile = \"{profile}\"\n")).await?;
    if look {
        let gateway = world.outside.operator(ServiceName::FhirGateway).await?;
        let (tenant, endpoint, reason) = ("general".to_owned(), "sandbox".to_owned(), "the suite".to_owned());
        let looked = FhirGatewayClient::new(gateway).probe(ProbeRequest { tenant, endpoint, reason }).await?;
        anyhow::ensure!(looked.get_ref().unread.is_empty(), "{:?}", looked.get_ref().unread);
    }
    if let Some(fault) = fault {
        world.outside.fault("fhir", "", fault, u32::MAX).await?;
    }
    let mut run = Run {
        outside: &world.outside,
        browser: Browser::new(),
        profile: profile.to_owned(),
        vendor: vendor(profile)?.to_owned(),
        // The local tenant pins none.
        mapping: Mapping::default().to_string(),
        test: test.to_owned(),
        records: truth::records(),
        outcome: Outcome::default(),
    };
    match run.launch().await {
        Ok(chart) => {
            run.row("–", "launch", State::Verified, None);
            run.all(&chart).await?;
        }
        Err(error) => {
            run.row("–", "launch", State::Unsupported, Some(format!("{error:#}")));
            run.nothing_tried();
        }
    }
    let outcome = run.outcome;
    world.stop().await?;
    Ok(outcome)
}

/// The vendor profile by which the local tenant speaks to a product.
fn vendor(product: &str) -> anyhow::Result<&'static str> {
    let profile = sallyport_sandbox_ehr::Profile::named(product).context("a product of the sandbox")?;
    let is_known = VendorId::parse(profile.vendor).is_ok_and(|id| sallyport_vendors::profile(&id).is_some());
    Ok(if is_known { profile.vendor } else { "generic" })
}

impl Run<'_> {
    fn row(&mut self, resource: &str, interaction: &str, state: State, why: Option<String>) {
        self.outcome.rows.push(Row {
            profile: self.profile.clone(),
            vendor: self.vendor.clone(),
            feature: FEATURE.to_owned(),
            resource: resource.to_owned(),
            interaction: interaction.to_owned(),
            state,
            why,
            test: self.test.clone(),
            mapping: self.mapping.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
    }

    async fn launch(&mut self) -> anyhow::Result<Chart> {
        let launched = ehr_launch(self.outside, &mut self.browser, truth::PATIENT).await?;
        let app = &self.outside.ready.app;
        let session = Url::parse(&format!("{app}/session/{}", launched.launch))?;
        let session = self.browser.fetch(&session).await?.json()?;
        let patient = session.pointer("/tokenResponse/patient").and_then(Value::as_str);
        let patient = patient.context("the session names no patient")?.to_owned();
        Ok(Chart { base: format!("{app}/fhir/{}", launched.launch), patient })
    }

    async fn all(&mut self, chart: &Chart) -> anyhow::Result<()> {
        let mut ids: Vec<(&str, String)> = vec![("Patient", chart.patient.clone())];
        for search in SEARCHES {
            let found = self.search(chart, search).await?;
            ids.extend(found.map(|id| (search.kind, id)));
        }
        for kind in READS {
            match ids.iter().find(|(found, _)| found == kind) {
                Some((_, id)) => self.read(chart, kind, id).await?,
                None => self.row(kind, "read", State::Unverified, Some("no id to read".to_owned())),
            }
        }
        self.unknown_id(chart).await
    }

    /// Where no launch works nothing else can be tried, and every cell says so.
    fn nothing_tried(&mut self) {
        let why = || Some("there was no launch".to_owned());
        for search in SEARCHES {
            self.row(&search.label(), "search", State::Unverified, why());
        }
        for kind in READS {
            self.row(kind, "read", State::Unverified, why());
        }
        self.row("Condition", "error", State::Unverified, why());
    }

    async fn get(&mut self, address: &str) -> anyhow::Result<Page> {
        let page = self.browser.fetch(&Url::parse(address)?).await?;
        self.outcome.note(&page);
        Ok(page)
    }

    /// Searches to the last page and compares with the truth; answers the first match's id.
    async fn search(&mut self, chart: &Chart, search: &Search) -> anyhow::Result<Option<String>> {
        let address = format!("{}/{}?patient={}{}", chart.base, search.kind, chart.patient, search.more);
        let address = Url::parse(&address)?;
        let found: Found = match asking::pages(&mut self.browser, &address, &mut self.outcome).await? {
            Ok(found) => found,
            Err(refused) => {
                self.row(&search.label(), "search", State::Unsupported, Some(refused));
                return Ok(None);
            }
        };
        let ids: BTreeSet<&str> = found.ids().collect();
        let held = truth::held(&self.records, search.kind, search.category);
        let (came, told) = (ids.len(), found.told.join("; "));
        let state = if came == held { State::Verified } else { State::Degraded };
        let why = (came != held).then(|| {
            format!("{came} of {held} came; told: {}", if told.is_empty() { "nothing" } else { &told })
        });
        if came != held && told.is_empty() {
            self.outcome.silent.push(format!("{} {}: {came} of {held}", search.kind, search.more));
        }
        self.row(&search.label(), "search", state, why.clone());
        if found.pages > 1 {
            self.row(&search.label(), "page", state, why);
        }
        Ok(found.ids().next().map(str::to_owned))
    }

    async fn read(&mut self, chart: &Chart, kind: &str, id: &str) -> anyhow::Result<()> {
        let page = self.get(&format!("{}/{kind}/{id}", chart.base)).await?;
        if page.status != 200 {
            self.row(kind, "read", State::Unsupported, Some(refusal(&page)));
            return Ok(());
        }
        let body = page.json()?;
        let is_it = body.get("id").and_then(Value::as_str) == Some(id);
        let why = (!is_it).then(|| "another id came back".to_owned());
        self.row(kind, "read", if is_it { State::Verified } else { State::Degraded }, why);
        Ok(())
    }

    /// An id that nobody has must be an OperationOutcome with a code, whatever the product answers.
    async fn unknown_id(&mut self, chart: &Chart) -> anyhow::Result<()> {
        let page = self.get(&format!("{}/Condition/nobody-has-this", chart.base)).await?;
        let is_right = is_clear_refusal(&page);
        let why = (!is_right).then(|| refusal(&page));
        self.row("Condition", "error", if is_right { State::Verified } else { State::Degraded }, why);
        Ok(())
    }
}
