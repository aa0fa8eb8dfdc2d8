//! token-vault: every call to a token endpoint, and every token at rest.
//!
//! Codes are redeemed here, tokens stay here sealed, refreshes happen once over all processes, and access tokens go to
//! fhir-gateway alone. No method returns a refresh token.

mod background;
mod config;
mod credentials;
mod domain;
mod error;
mod flights;
mod grpc;
mod issuer_keys;
mod leaks;
mod metrics;
mod records;
mod sealing;
mod signing;
mod store;
mod upstream;
mod vault;

use std::{future::Future, pin::Pin, sync::Arc};

use sallyport_audit_client::AuditClient;
use sallyport_data_keys::DataKeys;
use sallyport_db::{Pool, Tending};
use sallyport_egress::Egress;
use sallyport_keyring::{KeyEncryptionKey, Keyring, SelfTest};
use sallyport_model::{Clock, RegistrationId, ServiceName};
use sallyport_proto::vault::v1::token_vault_server::TokenVaultServer;
use sallyport_registry::{ClientAuth, Registry};
use sallyport_rpc::Served;
use sallyport_telemetry::{health::Ready, metrics::Metrics};
use tokio::sync::watch;

pub use config::Config;
pub use store::MIGRATIONS;

use crate::{
    flights::Flights, issuer_keys::IssuerKeys, metrics::VaultMetrics, sealing::Sealing, signing::SigningKeys,
    store::Store, vault::Vault,
};

/// What the service stands on.
pub struct Ports {
    /// The tenants.
    pub registry: Arc<Registry>,
    /// This service's own database; migrated here.
    pub pool: Pool,
    /// Wraps the data keys.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// The way out.
    pub egress: Egress,
    /// This service's spool.
    pub audit: AuditClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where metrics are registered.
    pub metrics: Metrics,
    /// `true` ends the background work.
    pub shutdown: watch::Receiver<bool>,
}

/// A running service, to be composed.
pub struct Service {
    /// The gRPC side.
    pub rpc: Option<Served>,
    /// To be spawned; each ends at shutdown.
    pub background: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// What an operator asks about.
    pub health: Health,
    /// Whether tokens can be served: the database can be used, the key-encryption key opened what it wrapped, and the
    /// spool takes records.
    pub ready: Ready,
}

/// Says what needs a person.
#[derive(Clone)]
pub struct Health(Arc<Vault>);

impl Health {
    /// How many grants wait for a person to launch again because the outcome of a refresh is not known.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn uncertain_grants(&self) -> Result<i64, &'static str> {
        self.0.store.uncertain().await.map_err(|_down| "database")
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A configuration key.
    #[error("token-vault: {0}")]
    Config(&'static str),
    /// The database.
    #[error("token-vault: the database cannot be used")]
    Database(#[from] sallyport_db::Error),
    /// A registration's secret or key.
    #[error(
        "token-vault: the secret or key file of registration {0} is missing, empty or does not fit its method"
    )]
    Credential(RegistrationId),
    /// The way out.
    #[error("token-vault: the client for sign-in services cannot be made")]
    Egress(#[from] sallyport_egress::EgressError),
}

/// Builds the service: migrates its database and checks every registration's credentials before anything is served.
///
/// # Errors
/// [`BuildError`], naming what an operator must change.
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    config.validate().map_err(BuildError::Config)?;
    check_credentials(&ports.registry).await?;
    ports.pool.prepare(MIGRATIONS).await?;
    let tending = ports.pool.clone().tend(Tending {
        migrations: MIGRATIONS,
        clock: Arc::clone(&ports.clock),
        metrics: ports.metrics.for_service(ServiceName::TokenVault.as_str()),
        shutdown: ports.shutdown.clone(),
    });
    let (proof, proving) = SelfTest::start(Arc::clone(&ports.kek), ports.shutdown.clone());
    let ready = ready(ports.pool.clone(), ports.audit.clone(), proof);
    let metrics = VaultMetrics::new(&ports.metrics);
    let kek_calls = metrics.kek_calls.clone();
    let ring = Keyring::observed(
        ports.kek,
        Arc::clone(&ports.clock),
        Box::new(move |operation, succeeded| {
            kek_calls.inc(&[operation, if succeeded { "success" } else { "failure" }]);
        }),
    );
    let keys = DataKeys::new(Arc::new(ring), &ports.pool, sealing::PURPOSES, Arc::clone(&ports.clock));
    let store = Store::new(ports.pool, Arc::clone(&ports.clock));
    let vault = Arc::new(Vault {
        config,
        registry: ports.registry,
        sealing: Sealing::new(keys),
        store,
        egress: ports.egress.without_keep_alive()?,
        audit: ports.audit,
        clock: ports.clock,
        metrics,
        flights: Flights::default(),
        issuer_keys: IssuerKeys::default(),
        signing: SigningKeys::default(),
        rotation_asked: tokio::sync::Notify::new(),
    });
    let server = TokenVaultServer::new(grpc::Edge(Arc::clone(&vault)));
    Ok(Service {
        rpc: Some(Served::new(tonic::service::Routes::new(server), grpc::ALLOW)),
        background: vec![
            Box::pin(tending),
            Box::pin(proving),
            Box::pin(background::run(Arc::clone(&vault), ports.shutdown.clone())),
            Box::pin(background::rotations(Arc::clone(&vault), ports.shutdown)),
        ],
        health: Health(vault),
        ready,
    })
}

fn ready(pool: Pool, audit: AuditClient, proof: SelfTest) -> Ready {
    Arc::new(move || {
        pool.ready().map_err(|missing| format!("token-vault: {missing}"))?;
        proof.passed().map_err(|failed| format!("token-vault: {failed}"))?;
        audit.ready().map_err(|error| {
            format!("token-vault: the audit spool does not take records ({})", error.label())
        })
    })
}

async fn check_credentials(registry: &Registry) -> Result<(), BuildError> {
    for entry in registry.entries() {
        let registration = entry.registration;
        let outcome = match &registration.auth {
            ClientAuth::Public | ClientAuth::PrivateKeyJwt { key_file: None, .. } => Ok(()),
            ClientAuth::SecretBasic(source) | ClientAuth::SecretPost(source) => {
                credentials::read_secret(&source.0).await.map(|_secret| ())
            }
            ClientAuth::PrivateKeyJwt { algorithm, key_file: Some(path) } => {
                signing::from_file(*algorithm, path).await.map(|_key| ())
            }
        };
        outcome.map_err(|_unusable| BuildError::Credential(registration.id.clone()))?;
    }
    Ok(())
}
