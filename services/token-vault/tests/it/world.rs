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
use sallyport_keyring::testing::MemoryKey;
use sallyport_model::{Clock, LaunchId, RequestId, ServiceName, SystemClock, TestClock};
use sallyport_proto::{
    audit::v1::Record,
    convert,
    types::v1::{Selector, selector::By},
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, ExchangeRequest, ExchangeResponse, KeyStatusRequest,
        KeyStatusResponse, RevokeRequest, RevokeResponse, RotateKeysRequest,
        token_vault_client::TokenVaultClient,
    },
};
use sallyport_registry::Registry;
use sallyport_rpc::{Served, Transport};
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use sallyport_token_vault::{Config, Health, MIGRATIONS, Ports, build};
use tokio::sync::watch;
use tonic::Status;

use crate::sign_in::SignIn;

pub(crate) const START: i64 = 1_700_000_000_000_000;

/// What two endpoints do otherwise than their products: of `main`, which nobody has looked at and so may rotate, and of
/// `other`. Answers are late after a second, so that tests need not wait long.
pub(crate) type Products = fn() -> [Facts; 2];
pub(crate) type Facts = &'static [(&'static str, &'static str)];

const STATIC: Facts =
    &[("tokens.rotation", "\"static\""), ("tokens.timeout_ms", "300"), ("oauth.nonce_required", "false")];

/// `main` may rotate, `other` is static.
pub(crate) fn usual() -> [Facts; 2] {
    [&[("tokens.timeout_ms", "1_000"), ("oauth.nonce_required", "true")], STATIC]
}

/// Tokens of `main` die unused.
pub(crate) fn sleepy() -> [Facts; 2] {
    [&[("tokens.keep_alive_seconds", "600"), ("tokens.timeout_ms", "1_000")], STATIC]
}

/// `main` is waited for.
pub(crate) fn patient() -> [Facts; 2] {
    [&[("tokens.timeout_ms", "20_000")], STATIC]
}

/// Facts as a tenant's file overrides them.
fn overrides(facts: Facts) -> String {
    let one = |(key, value): &(&str, &str)| {
        format!(
            "[[endpoint.override]]\nkey = \"{key}\"\nvalue = {value}\nowner = \"tests\"\nreason = \"a test\"\n\
             expires = 2099-12-31\n\n"
        )
    };
    facts.iter().map(one).collect()
}

fn with_products(tenant: &str, products: Products) -> String {
    let [main, other] = products().map(overrides);
    tenant.replace("{main overrides}", &main).replace("{other overrides}", &other)
}

/// One process of the service.
pub(crate) struct Vault {
    served: Served,
    pub(crate) health: Health,
    pub(crate) ready: Ready,
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
    pub(crate) kek: Arc<MemoryKey>,
    registry: Arc<Registry>,
    config: Config,
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
    products: Products,
    change: impl Fn(&mut Config),
    test: F,
) where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    let (change, test) = (&change, &test);
    testing::each(MIGRATIONS, |pool| async move {
        // A revocation is waited for until the EHR has answered, however slow the machine is.
        let mut config =
            Config { sweep_interval_ms: 20, lease_ms: 600, revoke_wait_ms: 60_000, ..Config::default() };
        change(&mut config);
        test(World::start(pool, vaults, products, config).await).await;
    })
    .await;
}

impl Vault {
    pub(crate) async fn access(&self, grant: &[u8], rejected: &[u8]) -> Result<AccessTokenResponse, Status> {
        let request = AccessTokenRequest {
            tenant: "general".to_owned(),
            grant_id: grant.to_vec(),
            rejected_sha256: rejected.to_vec(),
        };
        let transport = Transport::local(self.served.clone(), ServiceName::FhirGateway);
        let answer = TokenVaultClient::new(transport).access_token(request).await;
        answer.map(tonic::Response::into_inner)
    }
}

impl World {
    pub(crate) async fn start(pool: Pool, vaults: usize, products: Products, config: Config) -> Self {
        Self::start_at(START, pool, vaults, products, config).await
    }

    /// The same at another time, such as now.
    pub(crate) async fn start_at(
        start: i64,
        pool: Pool,
        vaults: usize,
        products: Products,
        config: Config,
    ) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let clock = Arc::new(TestClock::at(start));
        let told = Arc::clone(&clock);
        let sign_in = SignIn::start(Arc::new(move || told.now_seconds())).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "client-secret-canary\n").unwrap();
        std::fs::write(folder.path().join("key.pem"), RSA_KEY.as_bytes()).unwrap();
        let tenants =
            [("general.toml", include_str!("tenant.toml")), ("lakeside.toml", include_str!("tenant2.toml"))]
                .map(|(name, text)| {
                    (folder.path().join(name), with_products(text, products).replace("{ehr}", &sign_in.url))
                });
        let registry = Arc::new(Registry::from_texts(&tenants).unwrap());
        let kek = MemoryKey::new();
        let vaults_wanted = vaults;
        let vaults = Vec::new();
        let mut world = Self { clock, sign_in, pool, vaults, folder, kek, registry, config };
        for _ in 0..vaults_wanted {
            world.add_vault(world.pool.clone(), world.clock.clone()).await;
        }
        world
    }

    /// Another process of the service, perhaps with a clock of its own.
    pub(crate) async fn add_vault(&mut self, pool: Pool, shared: Arc<dyn Clock>) {
        let vault = self.vault(pool, shared).await;
        self.vaults.push(vault);
    }

    /// A process of the service that this world does not keep.
    pub(crate) async fn vault(&self, pool: Pool, shared: Arc<dyn Clock>) -> Vault {
        let spool = self.folder.path().join(format!("audit-{}", RequestId::new(&SystemClock).uuid()));
        let disk = FaultyDisk::default();
        let settings = Settings { disk: Arc::new(disk.clone()), ..Settings::new(&spool) };
        let opened =
            AuditClient::open(settings, ServiceName::TokenVault, self.kek.kek(), shared.clone()).await;
        let (audit, _relay) = opened.unwrap();
        let metrics = Metrics::new();
        let (shutdown, ending) = watch::channel(false);
        let ports = Ports {
            registry: Arc::clone(&self.registry),
            pool,
            kek: self.kek.kek(),
            egress: Egress::new(Limits::default()).unwrap(),
            audit,
            clock: shared,
            metrics: metrics.clone(),
            shutdown: ending,
        };
        let service = build(self.config.clone(), ports).await.unwrap();
        for task in service.background {
            tokio::spawn(task);
        }
        let (served, health, ready) = (service.rpc.unwrap(), service.health, service.ready);
        Vault { served, health, ready, metrics, disk, spool, _shutdown: shutdown }
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
        let client = format!("client-{registration}");
        self.sign_in.change_claims(move |claims| claims["aud"] = serde_json::json!(client));
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
        self.vaults[vault].access(grant, rejected).await
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

    /// What time it is, in seconds since the epoch.
    pub(crate) fn clock_seconds(&self) -> i64 {
        self.clock.now_seconds()
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
        let mut records = Vec::new();
        for vault in &self.vaults {
            records.extend(read_spool(&vault.spool, self.kek.kek()).await.unwrap());
        }
        records
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

    /// How the keys stand.
    pub(crate) async fn keys(&self) -> KeyStatusResponse {
        self.client(ServiceName::Operator).key_status(KeyStatusRequest {}).await.unwrap().into_inner()
    }

    /// Rotates everything and waits until it is done.
    pub(crate) async fn rotate(&self) -> KeyStatusResponse {
        self.start_rotation().await;
        self.rotated().await
    }

    /// The last rotation that was asked for, when it is done.
    pub(crate) async fn rotated(&self) -> KeyStatusResponse {
        eventually("the rotation", || async {
            self.keys().await.rotation.is_some_and(|rotation| rotation.closed_at > 0)
        })
        .await;
        self.keys().await
    }

    /// Asks for a rotation of everything.
    pub(crate) async fn start_rotation(&self) {
        // A key is renewed when it is older than the rotation.
        self.clock.advance(Duration::from_millis(1));
        let request = RotateKeysRequest {
            key_encryption_key: true,
            data_keys: true,
            replace_lost: false,
            reason: "yearly".to_owned(),
        };
        self.client(ServiceName::Operator).rotate_keys(request).await.unwrap();
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
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
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
