//! Launches: inserted when the browser is sent to the EHR, consumed once when it comes back.

use sallyport_db::{Error, on_pool};
use sallyport_model::{AppId, EndpointId, FeatureId, LaunchId, Micros, RegistrationId, Secret, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, digest_of, launch, malformed, none_if_empty};

/// The transaction as it was pinned when the launch started: nothing of it is looked up again (DISC-08).
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) launch: LaunchId,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) app: AppId,
    pub(crate) is_ehr_launch: bool,
    /// `aud` as it was sent.
    pub(crate) aud: String,
    /// The EHR's launch token, to offer the same launch in a window of its own.
    pub(crate) launch_parameter: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) token_endpoint: String,
    pub(crate) issuer: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) introspection_endpoint: Option<String>,
    /// The server said it sends `iss` with every answer (RFC 9207 §3).
    pub(crate) announces_issuer: bool,
    pub(crate) nonce: Secret<String>,
    pub(crate) code_verifier: Secret<String>,
    pub(crate) requested_scope: String,
    pub(crate) features: Vec<FeatureId>,
    pub(crate) traceparent: String,
    /// The session that a step-up starts from.
    pub(crate) step_up_of: Option<LaunchId>,
}

/// What is inserted.
#[derive(Debug)]
pub(crate) struct NewLaunch {
    pub(crate) transaction: Transaction,
    pub(crate) state_digest: [u8; 32],
    pub(crate) browser_digest: [u8; 32],
    pub(crate) created_at: Micros,
    pub(crate) expires_at: Micros,
}

/// What a returned state leads to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) transaction: Transaction,
    /// SHA-256 of the cookie that the launch gave to its browser.
    pub(crate) browser_digest: [u8; 32],
    pub(crate) is_consumed: bool,
    pub(crate) expires_at: Micros,
}

/// Named, so that a column added by a later version changes no prepared statement.
macro_rules! columns {
    () => {
        "launch_id, tenant, endpoint, registration, app, is_ehr_launch, browser_digest, aud, launch_parameter, \
         redirect_uri, token_endpoint, issuer, jwks_uri, revocation_endpoint, introspection_endpoint, announces_issuer, \
         nonce, code_verifier, requested_scope, features, traceparent, step_up_of, expires_at, consumed_at"
    };
}

#[derive(FromRow)]
struct Row {
    launch_id: Uuid,
    tenant: String,
    endpoint: String,
    registration: String,
    app: String,
    is_ehr_launch: bool,
    browser_digest: Vec<u8>,
    aud: String,
    launch_parameter: String,
    redirect_uri: String,
    token_endpoint: String,
    issuer: String,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    announces_issuer: bool,
    nonce: String,
    code_verifier: String,
    requested_scope: String,
    features: String,
    traceparent: String,
    step_up_of: Option<Uuid>,
    expires_at: Micros,
    consumed_at: Option<Micros>,
}

impl TryFrom<Row> for Found {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let transaction = Transaction {
            launch: launch(row.launch_id),
            tenant: TenantId::parse(&row.tenant).map_err(|_alphabet| malformed("tenant"))?,
            endpoint: EndpointId::parse(&row.endpoint).map_err(|_alphabet| malformed("endpoint"))?,
            registration: RegistrationId::parse(&row.registration)
                .map_err(|_alphabet| malformed("registration"))?,
            app: AppId::parse(&row.app).map_err(|_alphabet| malformed("app"))?,
            is_ehr_launch: row.is_ehr_launch,
            aud: row.aud,
            launch_parameter: none_if_empty(row.launch_parameter),
            redirect_uri: row.redirect_uri,
            token_endpoint: row.token_endpoint,
            issuer: none_if_empty(row.issuer),
            jwks_uri: none_if_empty(row.jwks_uri),
            revocation_endpoint: none_if_empty(row.revocation_endpoint),
            introspection_endpoint: none_if_empty(row.introspection_endpoint),
            announces_issuer: row.announces_issuer,
            nonce: Secret::new(row.nonce),
            code_verifier: Secret::new(row.code_verifier),
            requested_scope: row.requested_scope,
            features: super::sessions::features(&row.features)?,
            traceparent: row.traceparent,
            step_up_of: row.step_up_of.map(launch),
        };
        Ok(Self {
            transaction,
            browser_digest: digest_of(&row.browser_digest).ok_or_else(|| malformed("browser_digest"))?,
            is_consumed: row.consumed_at.is_some(),
            expires_at: row.expires_at,
        })
    }
}

impl Store {
    /// Stores a launch before the browser leaves for the EHR.
    pub(crate) async fn insert_launch(&self, new: &NewLaunch) -> Result<(), Error> {
        let t = &new.transaction;
        on_pool!(self.pool, |c| {
            sqlx::query(
            "INSERT INTO launches (launch_id, tenant, endpoint, registration, app, is_ehr_launch, state_digest, \
             browser_digest, aud, launch_parameter, redirect_uri, token_endpoint, issuer, jwks_uri, \
             revocation_endpoint, introspection_endpoint, announces_issuer, nonce, code_verifier, requested_scope, \
             features, traceparent, step_up_of, created_at, expires_at, consumed_at, outcome) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, NULL, '')",
        )
        .bind(t.launch.uuid())
        .bind(t.tenant.as_str())
        .bind(t.endpoint.as_str())
        .bind(t.registration.as_str())
        .bind(t.app.as_str())
        .bind(t.is_ehr_launch)
        .bind(new.state_digest.as_slice())
        .bind(new.browser_digest.as_slice())
        .bind(&t.aud)
        .bind(t.launch_parameter.as_deref().unwrap_or_default())
        .bind(&t.redirect_uri)
        .bind(&t.token_endpoint)
        .bind(t.issuer.as_deref().unwrap_or_default())
        .bind(t.jwks_uri.as_deref().unwrap_or_default())
        .bind(t.revocation_endpoint.as_deref().unwrap_or_default())
        .bind(t.introspection_endpoint.as_deref().unwrap_or_default())
        .bind(t.announces_issuer)
        .bind(t.nonce.expose())
        .bind(t.code_verifier.expose())
        .bind(&t.requested_scope)
        .bind(super::sessions::feature_words(&t.features))
        .bind(&t.traceparent)
        .bind(t.step_up_of.map(|of| of.uuid()))
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// The launch that a state belongs to, whether it was used or not.
    pub(crate) async fn launch_by_state(&self, digest: &[u8; 32]) -> Result<Option<Found>, Error> {
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM launches WHERE state_digest = $1"
        ))
        .bind(digest.as_slice())
        .fetch_optional(c)
        .await)?;
        row.map(Found::try_from).transpose()
    }

    /// Uses the state up: of any number of callers at once, one gets the transaction.
    pub(crate) async fn consume(&self, launch: LaunchId, now: Micros) -> Result<Option<Transaction>, Error> {
        let text = if sallyport_model::planted!("state-reusable") {
            concat!(
                "UPDATE launches SET consumed_at = $2 WHERE launch_id = $1 AND expires_at > $2 RETURNING ",
                columns!()
            )
        } else {
            concat!(
                "UPDATE launches SET consumed_at = $2 WHERE launch_id = $1 AND consumed_at IS NULL \
                 AND expires_at > $2 RETURNING ",
                columns!()
            )
        };
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(text)
            .bind(launch.uuid())
            .bind(now)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(Found::try_from).transpose()?.map(|found| found.transaction))
    }

    /// Writes how a launch went and forgets what could still redeem its code.
    pub(crate) async fn finish_launch(&self, launch: LaunchId, outcome: &str) -> Result<(), Error> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE launches SET outcome = $2, code_verifier = '', nonce = '', launch_parameter = '' \
             WHERE launch_id = $1"
        )
        .bind(launch.uuid())
        .bind(outcome)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
