//! Care gaps from the EHR to the page: a scan judges a sandbox EHR's patients, and each launch's chart shows what was found
//! about its own.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::{Outside, browser::Browser};
use sallyport_model::{LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::{Outcome, Phase, Record},
    convert,
    jobs::v1::{
        CareGapsOfPatientRequest, GetRunRequest, StartRequest, care_gaps_client::CareGapsClient,
        jobs_client::JobsClient,
    },
};
use sallyport_rpc::Transport;
use sallyport_sandbox_ehr as sandbox;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use url::Url;

use crate::{any_ehr::walking::walk, world::World};

pub(super) const TENANT: &str = "clinic";

/// How long the scan of a few patients may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// An instance, an EHR of its own beside it, and a tenant that scans there.
pub(super) struct Clinic {
    pub(super) world: World,
    pub(super) ehr: Outside,
    serving: JoinSet<()>,
}

/// What a page's launch is.
pub(super) struct Chart {
    pub(super) browser: Browser,
    pub(super) launch: LaunchId,
}

impl Clinic {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let mut serving = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let config =
            sandbox::Config { public_base: origin.clone(), patients: 12, ..sandbox::Config::default() };
        let built = sandbox::build(config).await?;
        serving.spawn(async move {
            // It ends with the test.
            let _ended = sandbox::serve(listener, built, std::future::pending()).await;
        });
        let folder = tempfile::tempdir()?;
        let tenants = folder.path().join("data/tenants");
        std::fs::create_dir_all(&tenants)?;
        let mut patients = Vec::new();
        let listed =
            Browser::new().fetch(&Url::parse(&format!("{origin}/_admin/patients"))?).await?.json()?;
        for patient in listed.as_array().context("a list")? {
            patients.push(patient.get("id").and_then(Value::as_str).context("an id")?.to_owned());
        }
        std::fs::write(tenants.join("panel.txt"), patients.join("\n"))?;
        std::fs::write(tenants.join("clinic.toml"), FILE.replace("{ehr}", &origin))?;
        let world = World::start_in(folder, "").await?;
        let fhir_base = format!("{origin}/strict/general/fhir");
        let ready = sallyport::ready::Ready { ehr: origin, fhir_base, ..world.outside.ready.clone() };
        let clinic = Self { ehr: Outside::connect(&ready).await?, world, serving };
        clinic.register().await?;
        Ok(clinic)
    }

    async fn register(&self) -> anyhow::Result<()> {
        let app = &self.world.outside.ready.app;
        let chart = json!({
            "client_id": "clinic-chart", "name": "Chart",
            "launch_url": format!("{app}/launch/clinic"), "redirect_uris": [format!("{app}/callback/clinic")],
            "auth": { "type": "public" },
            "scopes": ["launch", "launch/patient", "openid", "fhirUser", "profile", "online_access", "patient/*.rs",
                "patient/CommunicationRequest.crs"],
        });
        let panel = json!({
            "client_id": "clinic-panel", "name": "Panel",
            "launch_url": format!("{app}/launch/clinic-panel"), "redirect_uris": [format!("{app}/callback/clinic-panel")],
            "auth": { "type": "jwks_uri", "value": format!("{app}/.well-known/jwks.json") },
            "scopes": ["system/Patient.rs", "system/Condition.rs", "system/Observation.rs", "system/Procedure.rs",
                "system/Encounter.rs"],
        });
        for client in [chart, panel] {
            self.ehr.sandbox(Method::POST, "clients", Some(client)).await?;
        }
        Ok(())
    }

    /// Runs the scan to its end.
    pub(super) async fn scan(&self) -> anyhow::Result<()> {
        let mut jobs = JobsClient::new(self.world.outside.operator(ServiceName::JobWorker).await?);
        let start = StartRequest {
            tenant: TENANT.to_owned(),
            job: "panel".to_owned(),
            by: "a test".to_owned(),
            reason: "a test".to_owned(),
            ..StartRequest::default()
        };
        let run = jobs.start(start).await?.into_inner().run_id;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = jobs.get_run(GetRunRequest { run_id: run.clone() }).await?.into_inner();
            if seen.state == "done" {
                return Ok(());
            }
            ensure!(
                seen.state == "running" && Instant::now() < deadline,
                "the scan is {}: {}",
                seen.state,
                seen.code
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What job-worker keeps about a patient, asked as the gateway asks.
    pub(super) async fn kept(&self, patient: &str) -> anyhow::Result<Value> {
        const METHOD: &str = "/sallyport.jobs.v1.CareGaps/OfPatient";
        let served = self.world.served();
        let owner = served.iter().find(|s| s.allow_list().iter().any(|(path, _)| *path == METHOD));
        let transport = Transport::local(owner.context("job-worker")?.clone(), ServiceName::FhirGateway);
        let request = CareGapsOfPatientRequest {
            tenant: TENANT.to_owned(),
            endpoint: "main".to_owned(),
            patient: patient.to_owned(),
        };
        let found = CareGapsClient::new(transport).of_patient(request).await?.into_inner().found;
        Ok(serde_json::from_slice(&found.first().context("a judgement")?.json)?)
    }

    pub(super) async fn launch(&self, patient: &str) -> anyhow::Result<Chart> {
        let mut browser = Browser::new();
        let start = self.ehr.launch_with(json!({ "client_id": "clinic-chart", "patient": patient })).await?;
        let launch = walk(&mut browser, &self.world.outside.ready.app, &start).await?.launch()?;
        Ok(Chart { browser, launch })
    }

    pub(super) async fn page(&self, chart: &mut Chart, name: &str) -> anyhow::Result<String> {
        let app = &self.world.outside.ready.app;
        let page = chart.browser.visit(&Url::parse(&format!("{app}/chart/{}/{name}", chart.launch))?).await?;
        ensure!(page.status == 200, "{name} answered {}", page.status);
        Ok(page.text())
    }

    /// The records of both looks of a launch, once they have reached the log.
    async fn looks(&self, launch: &[u8]) -> anyhow::Result<Vec<Record>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut records = self.world.outside.records_since(TENANT, 0).await?;
            records.retain(|record| {
                record.launch_id == launch
                    && record.interaction == "care-gaps"
                    && record.phase() == Phase::Outcome
            });
            if records.len() == 2 {
                return Ok(records);
            }
            ensure!(Instant::now() < deadline, "{} records of two looks", records.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        self.serving.shutdown().await;
        self.world.stop().await
    }
}

/// What one path gives; nothing where there is none.
pub(super) fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    value.pointer(path).and_then(Value::as_str)
}

/// Measures whose answer calls for somebody to look.
fn open_measures(kept: &Value) -> BTreeSet<String> {
    let all = list(kept, "/assessments").iter();
    let open = all.filter(|one| matches!(text(one, "/outcome"), Some("gap" | "cannot_tell")));
    open.filter_map(|one| text(one, "/measure").map(str::to_owned)).collect()
}

/// Every record that the answers cite.
fn references(kept: &Value) -> BTreeSet<String> {
    let cited = list(kept, "/assessments").iter().flat_map(|one| list(one, "/evidence"));
    cited.filter_map(|one| text(one, "/source/reference").map(str::to_owned)).collect()
}

/// Each chart shows what was found about its own patient with all its evidence and nothing of anybody else's, and each look
/// is in the audit log.
///
/// # Errors
/// What was otherwise.
pub async fn each_chart_shows_its_own_patients_care_gaps() -> anyhow::Result<()> {
    let clinic = Clinic::open().await?;
    let patients = clinic.ehr.patients().await?;
    let first = patients.first().context("a patient")?;
    let mut unscanned = clinic.launch(first).await?;
    let page = clinic.page(&mut unscanned, "summary").await?;
    ensure!(page.contains("No scan has judged this patient yet."), "before the first scan: {page}");
    clinic.scan().await?;
    let mut judged = Vec::new();
    for patient in &patients {
        let kept = clinic.kept(patient).await?;
        if !open_measures(&kept).is_empty() && !references(&kept).is_empty() {
            judged.push((patient.as_str(), kept));
        }
    }
    ensure!(judged.len() >= 2, "the sandbox has too few patients with something to show: {}", judged.len());
    let mut launches = Vec::new();
    for (patient, kept) in judged.iter().take(3) {
        let mut chart = clinic.launch(patient).await?;
        let summary = clinic.page(&mut chart, "summary").await?;
        let own = clinic.page(&mut chart, "care-gaps").await?;
        for measure in open_measures(kept) {
            let card = format!("data-measure=\"{measure}\"");
            ensure!(summary.contains(&card) && own.contains(&card), "{measure} is not shown");
        }
        let mine = references(kept);
        for reference in &mine {
            ensure!(own.contains(&format!(">{reference}<")), "a record that is cited is not shown");
        }
        for (_, other) in judged.iter().filter(|(name, _)| name != patient) {
            let foreign = references(other).into_iter().filter(|reference| !mine.contains(reference));
            for reference in foreign {
                ensure!(!own.contains(&format!(">{reference}<")), "another patient's record is shown");
            }
        }
        launches.push((convert::id_bytes(chart.launch.uuid()), (*patient).to_owned()));
    }
    for (launch, patient) in launches {
        for look in clinic.looks(&launch).await? {
            ensure!(
                look.outcome() == Outcome::Success && look.patients == [patient.clone()],
                "a look's record"
            );
            ensure!(look.feature == "care-gap-cards" && look.purpose == "TREAT", "a look's record");
            ensure!(look.released > 0, "a look's record counts what was shown");
        }
    }
    clinic.close().await
}

const FILE: &str = r#"[tenant]
id = "clinic"
name = "Harbour Clinic"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "main"
name = "Clinic EHR"
vendor = "sandbox"
fhir_version = "R4"
fhir_base = "{ehr}/strict/general/fhir"
issuer = "{ehr}/strict/general/oauth"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
jwks_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]

[[registration]]
id = "clinic"
endpoint = "main"
app = "chart"
client_id = "clinic-chart"
auth = "public"
launches = ["ehr", "standalone"]

[[registration]]
id = "clinic-panel"
endpoint = "main"
app = "panel"
client_id = "clinic-panel"
auth = "private_key_jwt"
launches = ["backend"]

[[app]]
id = "chart"
name = "Chart"
features = ["patient-summary", "care-gap-cards", "outreach-list", "outreach"]
default_feature = "patient-summary"

[[app]]
id = "panel"
name = "Panel"
features = ["care-gap-panel", "patient-summary"]
default_feature = "patient-summary"

[[feature]]
id = "care-gap-panel"
title = "Care gaps of the day's patients"
kind = "service"
required = ["system/Patient.rs", "system/Condition.rs", "system/Observation.rs"]
optional = ["system/Procedure.rs", "system/Encounter.rs"]
purpose = "TREAT"
posture = "scheduled, read-only"
justification = "Judges before the visit, so that the clinician sees what is open."

[[feature]]
id = "outreach-list"
title = "Requests to get in touch"
kind = "interactive-read"
required = ["patient/Patient.rs", "patient/CommunicationRequest.rs"]
purpose = "TREAT"
posture = "read-only"
justification = "Shows what was asked for."

[[feature]]
id = "outreach"
title = "Outreach"
kind = "interactive-write"
required = ["patient/Patient.rs", "patient/CommunicationRequest.crs"]
purpose = "TREAT"
posture = "write, what a clinician approved"
justification = "Files the request that the clinician approved."

[[validation]]
feature = "outreach"
by = "the tests"
on = 2026-11-30
evidence = "tests/e2e"
mapping = "2026.1"

[[job]]
id = "panel"
title = "Care gaps before the day begins"
kind = "care-gap-scan"
feature = "care-gap-panel"
registration = "clinic-panel"
purpose = "TREAT"
identity = "backend"
on = true
stage = "general"

[job.cohort]
patients_file = "panel.txt"

[job.options]
proposes = "CommunicationRequest"

[job.options.rules.value_sets.psa]
title = "Prostate specific antigen"
category = "laboratory"
loinc = ["2857-1"]

# Nobody in the sandbox has it, so everybody has this gap.
[job.options.rules.measures.house-rule]
title = "House rule"
action = "Ask about the house rule"
publication = { name = "House rule 12", steward = "Harbour Clinic", year = 2026, url = "https://clinic.example/rules/12" }
population = { age = { from = 1 } }
exclusions = { hospice = { use = "hospice" } }
requirement = { result = "psa" }

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#;
