//! The service with its neighbours, on one database.

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use sallyport_audit_client::{
    AuditClient, Settings,
    faults::{FaultyDisk, read_spool},
};
use sallyport_db::{Pool, testing};
use sallyport_egress::{Egress, Limits};
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey};
use sallyport_kv::InProcess;
use sallyport_launch_auth::{Config, MIGRATIONS, Ports, Service, build};
use sallyport_model::{Clock, LaunchId, ServiceName, TestClock};
use sallyport_proto::{
    audit::v1::{Kind, Record},
    launch::v1::{
        incidents_client::IncidentsClient, launch_auth_client::LaunchAuthClient,
        operators_client::OperatorsClient,
    },
};
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;
use url::Url;

use crate::{
    browser::{Browser, query},
    ehr::Ehr,
    vault::Vault,
};

pub(crate) const START: i64 = 1_700_000_000_000_000;

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ehr: Arc<Ehr>,
    pub(crate) lake: Arc<Ehr>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) metrics: Metrics,
    pub(crate) disk: FaultyDisk,
    pub(crate) ready: Ready,
    pub(crate) pool: Pool,
    config: Config,
    overrides: String,
    served: Served,
    kek: Arc<dyn KeyEncryptionKey>,
    spool: tempfile::TempDir,
    _shutdown: watch::Sender<bool>,
}

/// Runs a test in a world of its own on every database.
pub(crate) async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_with(|_| {}, test).await;
}

/// The same with a changed configuration.
pub(crate) async fn each_with<F, Fut>(change: impl Fn(&mut Config), test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let (change, test) = (&change, &test);
    testing::each(MIGRATIONS, |pool| async move {
        let mut config = Config { sweep_interval_ms: 20, ..Config::default() };
        change(&mut config);
        test(World::start(pool, config).await).await;
    })
    .await;
}

/// The same where the endpoint behaves otherwise than its product, until the end of 2099.
pub(crate) async fn each_overridden<F, Fut>(facts: &[(&str, &str)], test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let overrides: String = facts
        .iter()
        .map(|(key, value)| {
            format!(
                "\n[[endpoint.override]]\nkey = \"{key}\"\nvalue = {value}\nowner = \"tests\"\n\
                 reason = \"a test\"\nexpires = 2099-12-31\n"
            )
        })
        .collect();
    let (overrides, test) = (&overrides, &test);
    testing::each(MIGRATIONS, |pool| async move {
        test(World::overridden(pool, Config::default(), overrides.clone()).await).await;
    })
    .await;
}

impl World {
    pub(crate) async fn start(pool: Pool, config: Config) -> Self {
        Self::overridden(pool, config, String::new()).await
    }

    async fn overridden(pool: Pool, config: Config, overrides: String) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let (ehr, lake, vault) = (Ehr::start().await, Ehr::start().await, Vault::new());
        ehr.describe("/r4", |_| {});
        lake.describe("/fhir", |_| {});
        Self::on(pool, config, (ehr, lake, vault), Arc::new(TestClock::at(START)), overrides).await
    }

    /// Another process of the service, on the same database, with the same neighbours.
    pub(crate) async fn replica(&self) -> Self {
        let neighbours = (Arc::clone(&self.ehr), Arc::clone(&self.lake), Arc::clone(&self.vault));
        let overrides = self.overrides.clone();
        Self::on(self.pool.replica(), self.config.clone(), neighbours, Arc::clone(&self.clock), overrides)
            .await
    }

    async fn on(
        pool: Pool,
        config: Config,
        (ehr, lake, vault): (Arc<Ehr>, Arc<Ehr>, Arc<Vault>),
        clock: Arc<TestClock>,
        overrides: String,
    ) -> Self {
        // What follows the endpoint's last key belongs to it.
        const LAST_KEY: &str = "capability_fallback = true\n";
        let general = include_str!("tenant.toml").replace(LAST_KEY, &format!("{LAST_KEY}{overrides}"));
        let tenants = [
            (PathBuf::from("general.toml"), general.replace("{ehr}", &ehr.url)),
            (PathBuf::from("lakeside.toml"), include_str!("tenant2.toml").replace("{ehr}", &lake.url)),
        ];
        let shared: Arc<dyn Clock> = clock.clone();
        let spool = tempfile::tempdir().unwrap();
        let kek: Arc<dyn KeyEncryptionKey> =
            Arc::new(LocalKey::open_or_create(&spool.path().join("kek"), Deployment::Development).unwrap());
        let disk = FaultyDisk::default();
        let settings = Settings { disk: Arc::new(disk.clone()), ..Settings::new(spool.path().join("audit")) };
        let opened = AuditClient::open(settings, ServiceName::LaunchAuth, kek.clone(), shared.clone()).await;
        let (audit, _relay) = opened.unwrap();
        let metrics = Metrics::new();
        let (shutdown, ending) = watch::channel(false);
        let ports = Ports {
            registry: Arc::new(Registry::from_texts(&tenants).unwrap()),
            kv: Arc::new(InProcess::new(shared.clone())),
            clock: shared,
            pool: pool.clone(),
            egress: Egress::new(Limits::default()).unwrap(),
            vault: vault.transport(),
            audit,
            metrics: metrics.clone(),
            shutdown: ending,
        };
        let Service { rpc, http, background, ready } = build(config.clone(), ports).await.unwrap();
        for task in background {
            tokio::spawn(task);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = http.layer(axum::middleware::from_fn(sallyport_telemetry::http::trace_requests));
        let http = http.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, http).await });
        let served = rpc.unwrap();
        Self {
            address,
            clock,
            ehr,
            lake,
            vault,
            metrics,
            disk,
            ready,
            pool,
            config,
            overrides,
            served,
            kek,
            spool,
            _shutdown: shutdown,
        }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// The gRPC client of a service.
    pub(crate) fn incidents(&self, caller: ServiceName) -> IncidentsClient<Transport> {
        IncidentsClient::new(Transport::local(self.served.clone(), caller))
    }

    pub(crate) fn operators(&self, caller: ServiceName) -> OperatorsClient<Transport> {
        OperatorsClient::new(Transport::local(self.served.clone(), caller))
    }

    pub(crate) fn client(&self, caller: ServiceName) -> LaunchAuthClient<Transport> {
        LaunchAuthClient::new(Transport::local(self.served.clone(), caller))
    }

    pub(crate) fn iss(&self) -> String {
        format!("{}/r4", self.ehr.url)
    }

    pub(crate) fn launch_path(&self) -> String {
        self.launch_path_with(&self.iss())
    }

    pub(crate) fn launch_path_with(&self, iss: &str) -> String {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.append_pair("iss", iss).append_pair("launch", "launch-canary");
        format!("/launch/both?{}", encoded.finish())
    }

    /// Starts an EHR launch: where the browser is sent, with its state.
    pub(crate) async fn depart(&self, browser: &mut Browser) -> Departed {
        let answer = browser.get(&self.launch_path()).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let authorize = answer.location();
        Departed { state: query(&authorize, "state").unwrap(), authorize }
    }

    /// The path of a good answer.
    pub(crate) fn answer_path(&self, departed: &Departed) -> String {
        self.callback_path(
            "both",
            &[("code", "code-canary"), ("state", &departed.state), ("iss", &self.issuer())],
        )
    }

    pub(crate) fn callback_path(&self, registration: &str, pairs: &[(&str, &str)]) -> String {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(pairs);
        format!("/callback/{registration}?{}", encoded.finish())
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}/oauth", self.ehr.url)
    }

    /// A whole launch: the handle of the session that it opened.
    pub(crate) async fn open(&self, browser: &mut Browser) -> LaunchId {
        let departed = self.depart(browser).await;
        let answer = browser.get(&self.answer_path(&departed)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        opened(&answer.location())
    }

    /// The same at another registration of the same EHR, started from the app.
    pub(crate) async fn open_standalone(&self, browser: &mut Browser, registration: &str) -> LaunchId {
        let authorize = browser.get(&format!("/launch/{registration}")).await.location();
        let state = query(&authorize, "state").unwrap();
        let path =
            self.callback_path(registration, &[("code", "c"), ("state", &state), ("iss", &self.issuer())]);
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        opened(&answer.location())
    }

    /// What is in the audit spool, in order.
    pub(crate) async fn records(&self, kind: Kind) -> Vec<Record> {
        let all = read_spool(&self.spool.path().join("audit"), self.kek.clone()).await.unwrap();
        all.into_iter().filter(|record| record.kind() == kind).collect()
    }

    /// The code of the last record of a kind.
    pub(crate) async fn last_code(&self, kind: Kind) -> String {
        self.records(kind).await.last().map(|record| record.code.clone()).unwrap_or_default()
    }
}

pub(crate) struct Departed {
    pub(crate) authorize: Url,
    pub(crate) state: String,
}

/// The launch in `/chart/{launch}/` or `/app/{launch}/`.
pub(crate) fn opened(location: &Url) -> LaunchId {
    LaunchId::parse(location.path_segments().unwrap().nth(1).unwrap()).unwrap()
}

/// Waits for something that happens in the background; a minute is a failure.
pub(crate) async fn eventually<F, Fut>(what: &str, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
