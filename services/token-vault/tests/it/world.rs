//! One or two vaults on one database, their sign-in service, and callers with their own names.

use std::{
    future::Future,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::{encoding::AsDer, rsa};
use base64::{Engine, engine::general_purpose::STANDARD};
use sallyport_audit_client::{
    AuditClient, Settings,
    faults::{FaultyDisk, read_spool},
};
use sallyport_db::{Pool, testing};
use sallyport_egress::{Egress, Limits};
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey};
use sallyport_model::{Clock, LaunchId, ServiceName, TestClock, VendorId};
use sallyport_proto::{
    audit::v1::Record,
    convert,
    types::v1::{Selector, selector::By},
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, ExchangeRequest, ExchangeResponse, RevokeRequest,
        RevokeResponse, token_vault_client::TokenVaultClient,
    },
};
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::metrics::Metrics;
use sallyport_token_vault::{Config, Health, MIGRATIONS, Ports, Profiles, build_with_profiles};
use sallyport_vendors::{Profile, Rotation, STANDARD as PROFILE};
use tokio::sync::watch;
use tonic::Status;

use crate::sign_in::SignIn;

pub(crate) const START: i64 = 1_700_000_000_000_000;

/// Nobody has looked at this product: it may rotate. Answers late after a second, so that tests need not wait long.
static UNKNOWN: Profile = Profile { token_timeout_ms: 1_000, nonce_required: true, ..PROFILE };
static STATIC: Profile =
    Profile { rotation: Rotation::Static, token_timeout_ms: 300, static_retry_budget: 2, ..PROFILE };
static SLEEPY: Profile = Profile { keep_alive_seconds: Some(600), token_timeout_ms: 1_000, ..PROFILE };
static PATIENT: Profile = Profile { token_timeout_ms: 20_000, ..PROFILE };

/// `generic` may rotate, `sandbox` is static.
pub(crate) fn usual(vendor: &VendorId) -> Option<&'static Profile> {
    Some(if vendor.as_str() == "generic" { &UNKNOWN } else { &STATIC })
}

/// Tokens of `generic` die unused.
pub(crate) fn sleepy(vendor: &VendorId) -> Option<&'static Profile> {
    Some(if vendor.as_str() == "generic" { &SLEEPY } else { &STATIC })
}

/// `generic` is waited for.
pub(crate) fn patient(vendor: &VendorId) -> Option<&'static Profile> {
    Some(if vendor.as_str() == "generic" { &PATIENT } else { &STATIC })
}

/// One process of the service.
pub(crate) struct Vault {
    served: Served,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) disk: FaultyDisk,
    spool: PathBuf,
    _shutdown: watch::Sender<bool>,
}

pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) sign_in: Arc<SignIn>,
    pub(crate) pool: Pool,
    pub(crate) vaults: Vec<Vault>,
    pub(crate) folder: tempfile::TempDir,
    kek: Arc<dyn KeyEncryptionKey>,
}

/// Runs a test in a world of its own on every database.
pub(crate) async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_with(1, usual, |_| {}, test).await;
}

/// The same with several vaults, other products and a changed configuration.
pub(crate) async fn each_with<F, Fut>(
    vaults: usize,
    profiles: Profiles,
    change: impl Fn(&mut Config),
    test: F,
) where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let (change, test) = (&change, &test);
    testing::each(MIGRATIONS, |pool| async move {
        let mut config = Config { sweep_interval_ms: 20, lease_ms: 600, ..Config::default() };
        change(&mut config);
        test(World::start(pool, vaults, profiles, config).await).await;
    })
    .await;
}

impl World {
    pub(crate) async fn start(pool: Pool, vaults: usize, profiles: Profiles, config: Config) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let clock = Arc::new(TestClock::at(START));
        let told = Arc::clone(&clock);
        let sign_in = SignIn::start(Arc::new(move || told.now_seconds())).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "client-secret-canary\n").unwrap();
        std::fs::write(folder.path().join("key.pem"), RSA_KEY.as_bytes()).unwrap();
        let tenants =
            [("general.toml", include_str!("tenant.toml")), ("lakeside.toml", include_str!("tenant2.toml"))]
                .map(|(name, text)| (folder.path().join(name), text.replace("{ehr}", &sign_in.url)));
        let registry = Arc::new(Registry::from_texts(&tenants).unwrap());
        let key_file = folder.path().join("kek");
        let kek: Arc<dyn KeyEncryptionKey> =
            Arc::new(LocalKey::open_or_create(&key_file, Deployment::Development).unwrap());
        let mut world = Self { clock, sign_in, pool, vaults: Vec::new(), folder, kek };
        for _ in 0..vaults {
            world.add_vault(&registry, profiles, config.clone()).await;
        }
        world
    }

    async fn add_vault(&mut self, registry: &Arc<Registry>, profiles: Profiles, config: Config) {
        let shared: Arc<dyn Clock> = self.clock.clone();
        let spool = self.folder.path().join(format!("audit-{}", self.vaults.len()));
        let disk = FaultyDisk::default();
        let settings = Settings { disk: Arc::new(disk.clone()), ..Settings::new(&spool) };
        let opened =
            AuditClient::open(settings, ServiceName::TokenVault, self.kek.clone(), shared.clone()).await;
        let (audit, _relay) = opened.unwrap();
        let metrics = Metrics::new();
        let (shutdown, ending) = watch::channel(false);
        let ports = Ports {
            registry: Arc::clone(registry),
            pool: self.pool.clone(),
            kek: self.kek.clone(),
            egress: Egress::new(Limits::default()).unwrap(),
            audit,
            clock: shared,
            metrics: metrics.clone(),
            shutdown: ending,
        };
        let service = build_with_profiles(config, ports, profiles).await.unwrap();
        for task in service.background {
            tokio::spawn(task);
        }
        let (served, health) = (service.rpc.unwrap(), service.health);
        self.vaults.push(Vault { served, health, metrics, disk, spool, _shutdown: shutdown });
    }

    pub(crate) fn client_of(&self, vault: usize, caller: ServiceName) -> TokenVaultClient<Transport> {
        TokenVaultClient::new(Transport::local(self.vaults[vault].served.clone(), caller))
    }

    pub(crate) fn client(&self, caller: ServiceName) -> TokenVaultClient<Transport> {
        self.client_of(0, caller)
    }

    /// A good transaction of a registration.
    pub(crate) fn transaction(&self, registration: &str) -> ExchangeRequest {
        let url = &self.sign_in.url;
        let tenant = if registration == "lake" { "lakeside" } else { "general" };
        let is_main = registration != "elsewhere";
        ExchangeRequest {
            tenant: tenant.to_owned(),
            endpoint: if is_main { "main" } else { "other" }.to_owned(),
            registration: registration.to_owned(),
            launch_id: convert::id_bytes(LaunchId::new(self.clock.as_ref()).uuid()),
            code: "code-canary~nonce-1".to_owned(),
            code_verifier: "verifier-canary".to_owned(),
            redirect_uri: "https://app.example.org/callback/r".to_owned(),
            token_endpoint: format!("{url}/oauth/token"),
            issuer: if is_main { format!("{url}/oauth") } else { String::new() },
            jwks_uri: if is_main { format!("{url}/oauth/jwks") } else { String::new() },
            nonce: "nonce-1".to_owned(),
            requested_scope: "openid fhirUser launch patient/*.rs online_access".to_owned(),
            revocation_endpoint: format!("{url}/oauth/revoke"),
            introspection_endpoint: format!("{url}/oauth/introspect"),
        }
    }

    pub(crate) async fn exchange(&self, request: ExchangeRequest) -> Result<ExchangeResponse, Status> {
        let answer = self.client(ServiceName::LaunchAuth).exchange(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// A grant of the public client that its launch has taken.
    pub(crate) async fn grant(&self) -> Vec<u8> {
        self.grant_of("public").await
    }

    /// The same of another registration of this tenant.
    pub(crate) async fn grant_of(&self, registration: &str) -> Vec<u8> {
        let grant = self.exchange(self.transaction(registration)).await.unwrap().grant_id;
        self.access(&grant).await.unwrap();
        grant
    }

    pub(crate) async fn access(&self, grant: &[u8]) -> Result<AccessTokenResponse, Status> {
        self.access_of(0, grant, &[]).await
    }

    pub(crate) async fn access_of(
        &self,
        vault: usize,
        grant: &[u8],
        rejected: &[u8],
    ) -> Result<AccessTokenResponse, Status> {
        let request = AccessTokenRequest {
            tenant: "general".to_owned(),
            grant_id: grant.to_vec(),
            rejected_sha256: rejected.to_vec(),
        };
        let answer = self.client_of(vault, ServiceName::FhirGateway).access_token(request).await;
        answer.map(tonic::Response::into_inner)
    }

    pub(crate) async fn revoke(&self, by: By) -> Result<RevokeResponse, Status> {
        let request = RevokeRequest {
            tenant: "general".to_owned(),
            selector: Some(Selector { by: Some(by) }),
            reason: "logout".to_owned(),
        };
        let answer = self.client(ServiceName::LaunchAuth).revoke(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Into the margin in which a token is refreshed.
    pub(crate) fn until_refresh(&self) {
        self.clock.advance(Duration::from_secs(3_600 - 30));
    }

    /// Beyond the token's life.
    pub(crate) fn until_expiry(&self) {
        self.clock.advance(Duration::from_secs(3_600 + 1));
    }

    /// Every audit record of the first vault.
    pub(crate) async fn records(&self) -> Vec<Record> {
        read_spool(&self.vaults[0].spool, self.kek.clone()).await.unwrap()
    }

    /// One value of one row, for tests that look behind the door.
    pub(crate) async fn text(&self, query: &'static str) -> String {
        sallyport_db::on_pool!(self.pool, |c| sqlx::query_scalar::<_, String>(query).fetch_one(c).await)
            .unwrap()
    }

    /// Runs a statement behind the door.
    pub(crate) async fn execute(&self, statement: &'static str) {
        sallyport_db::on_pool!(self.pool, |c| sqlx::query(statement).execute(c).await.map(|_done| ()))
            .unwrap();
    }

    /// The one grant's state.
    pub(crate) async fn state(&self) -> String {
        self.text("SELECT state FROM grants ORDER BY created_at DESC LIMIT 1").await
    }
}

/// Waits for something that happens in the background; never the decision itself.
pub(crate) async fn eventually<F, Fut>(what: &str, check: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The stable code of a refusal.
pub(crate) fn code(status: &Status) -> &'static str {
    sallyport_rpc::code_of(status).as_str()
}

/// Made once: finding primes takes its time.
static RSA_KEY: LazyLock<String> = LazyLock::new(|| {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()))
});
