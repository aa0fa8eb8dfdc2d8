//! The gateway with everything around it, and a browser of few words.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use sallyport_audit_client::{
    AuditClient, Settings,
    faults::{FaultyDisk, read_spool},
};
use sallyport_db::{
    Pool,
    testing::{self, TestDb},
};
use sallyport_egress::{Egress, Limits};
use sallyport_fhir_gateway::{Config, MIGRATIONS, Ports, Service, build};
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::{Clock, GrantId, LaunchId, Secret, ServiceName, TestClock, session};
use sallyport_proto::{
    audit::v1::{Phase, Record},
    convert,
    gateway::v1::fhir_gateway_client::FhirGatewayClient,
    launch::v1::ResolveResponse,
    types::v1::User,
};
use sallyport_registry::Registry;
use sallyport_rpc::{SESSION_METADATA, Served, Transport};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{ehr::Ehr, owners::Owners, stores::Store};

pub(crate) const ORIGIN: &str = "http://app.test:8080";
const START: i64 = 1_760_000_000_000_000;

pub(crate) const ALL_SCOPES: &str = "openid fhirUser launch patient/Patient.rs patient/Condition.rs \
    patient/MedicationRequest.rs patient/Medication.rs patient/AllergyIntolerance.rs patient/Observation.rs \
    patient/Encounter.rs patient/DocumentReference.rs patient/Binary.rs patient/Coverage.rs patient/Practitioner.rs";

pub(crate) struct World {
    pub(crate) http: Router,
    pub(crate) rpc: Served,
    pub(crate) ready: Ready,
    pub(crate) ehr: Ehr,
    /// Where the files of exports may be without a token.
    pub(crate) files: Ehr,
    pub(crate) owners: Owners,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) disk: FaultyDisk,
    pub(crate) metrics: Metrics,
    pub(crate) store: Arc<Store>,
    pub(crate) pool: Pool,
    database: Option<Arc<TestDb>>,
    audit: AuditClient,
    spool: tempfile::TempDir,
    kek: Arc<MemoryKey>,
    vendor: &'static str,
    shutdown: watch::Sender<bool>,
}

/// What replicas stand on together.
struct Shared {
    kek: Arc<MemoryKey>,
    store: Arc<Store>,
    pool: Pool,
    database: Option<Arc<TestDb>>,
}

/// One open launch and its cookie.
#[derive(Clone)]
pub(crate) struct Tab {
    pub(crate) launch: LaunchId,
    pub(crate) secret: Secret<String>,
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The stable code of an OperationOutcome.
    pub(crate) fn code(&self) -> &str {
        let (_, after) =
            self.body.split_once(r#""system":"urn:sallyport:code","code":""#).unwrap_or_default();
        after.split('"').next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of("sandbox", change).await
    }

    /// The scripted EHR registered as a product of `vendor`.
    pub(crate) async fn at(vendor: &'static str) -> Self {
        Self::of(vendor, |_| {}).await
    }

    pub(crate) async fn of(vendor: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        Self::over(vendor, None, change).await
    }

    async fn over(vendor: &'static str, pool: Option<Pool>, change: impl FnOnce(&mut Config)) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let ehr = Ehr::start().await;
        let clock = Arc::new(TestClock::at(START));
        let shared: Arc<dyn Clock> = clock.clone();
        let owners = Owners::new(Arc::clone(&shared));
        ALL_SCOPES.clone_into(&mut owners.token_scope.lock().unwrap());
        let kek = MemoryKey::new();
        let (pool, database) = match pool {
            Some(pool) => (pool, None),
            None => {
                let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
                (database.pool.clone(), Some(Arc::new(database)))
            }
        };
        let shared = Shared { kek, store: Arc::new(Store::new(shared)), pool, database };
        let files = Ehr::start().await;
        Self::on(vendor, (ehr, files), owners, clock, shared, change).await
    }

    /// Another replica: a process of its own on the same store, keys, owners and EHR.
    pub(crate) async fn replica(&self) -> Self {
        let hosts = (self.ehr.clone(), self.files.clone());
        let (owners, clock) = (self.owners.clone(), Arc::clone(&self.clock));
        let shared = Shared {
            kek: Arc::clone(&self.kek),
            store: Arc::clone(&self.store),
            pool: self.pool.replica(),
            database: self.database.clone(),
        };
        Self::on(self.vendor, hosts, owners, clock, shared, |_| {}).await
    }

    async fn on(
        vendor: &'static str,
        (ehr, files): (Ehr, Ehr),
        owners: Owners,
        clock: Arc<TestClock>,
        Shared { kek, store, pool, database }: Shared,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let file = |tenant: &str, prefix: &str| {
            let text = include_str!("tenant.toml").replace("{ehr}", &ehr.url).replace("{vendor}", vendor);
            let text = text.replace("{tenant}", tenant).replace("{prefix}", prefix);
            (PathBuf::from(format!("{tenant}.toml")), text.replace("{files}", &files.url))
        };
        let tenants = [file("general", ""), file("other", "other-")];
        let shared: Arc<dyn Clock> = clock.clone();
        let spool = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let settings = Settings { disk: Arc::new(disk.clone()), ..Settings::new(spool.path().join("audit")) };
        let opened = AuditClient::open(settings, ServiceName::FhirGateway, kek.clone(), shared.clone()).await;
        let (audit, _relay) = opened.unwrap();
        let metrics = Metrics::new();
        let (shutdown, ending) = watch::channel(false);
        let mut config = Config {
            public_url: ORIGIN.to_owned(),
            activity_flush_seconds: 1,
            write_look_interval_ms: 20,
            // A test that is about it sets its own.
            section_deadline_ms: 20_000,
            ..Config::default()
        };
        change(&mut config);
        let ports = Ports {
            registry: Arc::new(Registry::from_texts(&tenants).unwrap()),
            launch_auth: owners.launch_auth(),
            token_vault: owners.token_vault(),
            job_worker: Some(owners.scans.transport()),
            pool: pool.clone(),
            audit: audit.clone(),
            egress: Egress::new(Limits::default()).unwrap(),
            kv: store.clone(),
            kek: kek.clone(),
            clock: shared,
            metrics: metrics.clone(),
            shutdown: ending,
        };
        let Service { rpc, http, background, ready } = build(config, ports).await.unwrap();
        for task in background {
            tokio::spawn(task);
        }
        let http = http.layer(axum::middleware::from_fn(sallyport_telemetry::http::trace_requests));
        let world = Self {
            http,
            rpc: rpc.unwrap(),
            ready,
            ehr,
            files,
            owners,
            clock,
            disk,
            metrics,
            store,
            pool,
            database,
            audit,
            spool,
            kek,
            vendor,
            shutdown,
        };
        until("the gateway knows the revocations", || (world.ready)().is_ok()).await;
        world
    }

    /// Opens a launch for a patient.
    pub(crate) fn tab(&self, patient: &str) -> Tab {
        self.tab_with(patient, |_| {})
    }

    pub(crate) fn tab_with(&self, patient: &str, change: impl FnOnce(&mut ResolveResponse)) -> Tab {
        let launch = LaunchId::new(self.clock.as_ref());
        let secret = new_secret();
        let user = User {
            issuer: "https://ehr.example".into(),
            subject: "u-1".into(),
            fhir_user: "Practitioner/me".into(),
        };
        let mut resolved = ResolveResponse {
            launch_id: convert::id_bytes(launch.uuid()),
            tenant: "general".to_owned(),
            endpoint: "main".to_owned(),
            registration: "scripted".to_owned(),
            app: "chart".to_owned(),
            grant_id: convert::id_bytes(GrantId::new(self.clock.as_ref()).uuid()),
            user: Some(user),
            user_display: "Dr. Synthetic".to_owned(),
            patient: patient.to_owned(),
            granted_scope: ALL_SCOPES.to_owned(),
            need_patient_banner: true,
            fhir_context_json: r#"[{"reference":"DocumentReference/ctx"}]"#.to_owned(),
            idle_expires_at: START + 900_000_000,
            absolute_expires_at: START + 28_800_000_000,
            renewable: true,
            is_ehr_launch: true,
            ..ResolveResponse::default()
        };
        change(&mut resolved);
        self.owners.sessions.lock().unwrap().insert(launch, (secret.expose().clone(), resolved));
        Tab { launch, secret }
    }

    /// GET by our own page.
    pub(crate) async fn get(&self, tab: &Tab, path: &str) -> Answer {
        self.send(self.request(tab, "GET", path).body(Body::empty()).unwrap()).await
    }

    /// A section of the chart, as our own page reads it.
    pub(crate) async fn chart(&self, tab: &Tab, section: &str) -> Answer {
        let request = Request::builder()
            .uri(format!("/api/{}/v1/chart/{section}", tab.launch))
            .header("sec-fetch-site", "same-origin")
            .header("cookie", format!("{}={}", session::cookie_name(tab.launch), tab.secret.expose()));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// POST of a form by our own page.
    pub(crate) async fn post(&self, tab: &Tab, path: &str, form: impl Into<Body>) -> Answer {
        let request =
            self.request(tab, "POST", path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.into()).unwrap()).await
    }

    /// A request of our own page, below its launch.
    pub(crate) fn request(&self, tab: &Tab, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("/fhir/{}{path}", tab.launch))
            .header("sec-fetch-site", "same-origin")
            .header("cookie", format!("{}={}", session::cookie_name(tab.launch), tab.secret.expose()))
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.http.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// A client of the gRPC side, as `web` has it.
    pub(crate) fn web(&self) -> FhirGatewayClient<Transport> {
        FhirGatewayClient::new(Transport::local(self.rpc.clone(), ServiceName::Web))
    }

    /// A client of the gRPC side, as `job-worker` has it.
    pub(crate) fn job_worker(&self) -> FhirGatewayClient<Transport> {
        FhirGatewayClient::new(Transport::local(self.rpc.clone(), ServiceName::JobWorker))
            .max_decoding_message_size(32 << 20)
    }

    /// The SQLite file's folder.
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        self.database.as_ref()?.folder()
    }

    /// How often the key-encryption key was asked, over all replicas.
    pub(crate) fn kek_calls(&self) -> usize {
        self.kek.calls()
    }

    /// How many `fdatasync` calls this replica made on its spool.
    pub(crate) fn fdatasyncs(&self) -> u64 {
        self.audit.fdatasyncs()
    }

    /// How many calls to `to` this replica counted.
    pub(crate) fn hops(&self, to: &str) -> u64 {
        let name = format!("sallyport_gateway_hops_total{{to=\"{to}\"}} ");
        let text = self.metrics.render();
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
    }

    /// Turns the clock, and waits for the heartbeats that tell the gateway that its knowledge is fresh again.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        until("the owners' heartbeats came", || (self.ready)().is_ok()).await;
    }

    /// Everything in the spool.
    pub(crate) async fn records(&self) -> Vec<Record> {
        self.audit.flush().await.unwrap();
        read_spool(&self.spool.path().join("audit"), self.kek.clone()).await.unwrap()
    }

    /// What ended: outcomes and events.
    pub(crate) async fn ended(&self) -> Vec<Record> {
        self.records().await.into_iter().filter(|r| r.phase() != Phase::Intent).collect()
    }
}

/// Runs a test in a world of its own on every database.
pub(crate) async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_at("sandbox", test).await;
}

/// The same with the scripted EHR registered as a product of `vendor`.
pub(crate) async fn each_at<F, Fut>(vendor: &'static str, test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let test = &test;
    testing::each(MIGRATIONS, |pool| async move {
        test(World::over(vendor, Some(pool), |_| {}).await).await;
    })
    .await;
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
    }
}

/// A cookie's value, as launch-auth makes it.
pub(crate) fn new_secret() -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(sallyport_keyring::random::<32>()))
}

/// The metadata that carries the person's cookie.
pub(crate) fn with_cookie<T>(message: T, tab: &Tab) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = tonic::metadata::MetadataValue::from_bytes(tab.secret.expose().as_bytes());
    request.metadata_mut().insert_bin(SESSION_METADATA, value);
    request
}

/// Polls until `is_so`, at most a minute: long enough for the slowest machine, and never the decision itself.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
