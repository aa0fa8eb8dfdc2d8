//! A renewal of the access token, once (invariant 7): by the refresh token or, for a service, by asking again; a lease in the row, journaled before anything is sent, renewed while the endpoint is
//! slow, the new refresh token committed before the new access token is used; an unknown outcome is a state.

use std::{sync::Arc, time::Duration};

use sallyport_egress::EgressError;
use sallyport_model::{Code, Micros, Secret};
use sallyport_proto::audit::v1::Kind;
use sallyport_resilience::Backoff;
use sallyport_smart::token::{self, Refusal, TokenResponse};
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use crate::{
    credentials::{self, Ask},
    domain::revoke,
    error::{Error, code_of_egress},
    records::About,
    sealing::{Field, Sealer, Tokens},
    store::{Grant, Renewed},
    upstream,
    vault::{Place, Vault},
};

/// How often the result is offered to a database that does not answer: a refresh token that is not stored is lost.
const COMMIT_TRIES: u32 = 40;
const COMMIT_PAUSE: Duration = Duration::from_millis(500);

/// A client that is misconfigured is not asked again before this, in seconds (JWT-07: no retry storm).
const CONFIGURATION_PAUSE_SECONDS: u64 = 60;

/// Why a refresh is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody needs the token.
    Demand,
    /// It would die unused.
    KeepAlive,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::Demand => "demand",
            Self::KeepAlive => "keep_alive",
        }
    }
}

/// Refreshes a grant that is active. `Ok` also when another process was faster: read the row again.
pub(crate) async fn refresh(
    vault: &Arc<Vault>,
    grant: Grant,
    trigger: Trigger,
    turn: OwnedMutexGuard<()>,
) -> Result<(), Error> {
    vault.audit.ready()?;
    if !vault.store.take_lease(&grant, false, vault.config.lease_micros()).await? {
        return Ok(());
    }
    run(vault, grant, trigger, Some(turn)).await
}

/// Settles a refresh that a dead process left behind: what it sent may have worked. Only where the same token may be
/// sent twice is it sent again.
pub(crate) async fn take_over(
    vault: &Arc<Vault>,
    grant: Grant,
    turn: OwnedMutexGuard<()>,
) -> Result<(), Error> {
    let place = vault.place(&grant.tenant, &grant.registration)?;
    if is_repeatable(&place, &grant) {
        if !vault.store.take_lease(&grant, true, vault.config.lease_micros()).await? {
            return Ok(());
        }
        return run(vault, grant, Trigger::Demand, Some(turn)).await;
    }
    if vault.store.abandon(grant.id, grant.lease_epoch, vault.now()).await? {
        count(vault, Trigger::Demand, "uncertain");
        record(vault, &place, &grant, Some(Code::GrantUncertain), "left_behind").await?;
    }
    Ok(())
}

/// The planted bug `refresh-not-single-flight`: no turn, no lease.
pub(crate) async fn run_unguarded(vault: &Arc<Vault>, grant: &Grant) -> Result<(), Error> {
    run(vault, grant.clone(), Trigger::Demand, None).await
}

/// Runs in a task of its own: what was sent must be stored even when the caller has given up.
async fn run(
    vault: &Arc<Vault>,
    grant: Grant,
    trigger: Trigger,
    turn: Option<OwnedMutexGuard<()>>,
) -> Result<(), Error> {
    let vault = Arc::clone(vault);
    let epoch = grant.lease_epoch + i64::from(turn.is_some());
    let span = tracing::info_span!(
        "token-vault.refresh.run",
        tenant.id = grant.tenant.as_str(),
        registration.id = grant.registration.as_str(),
        grant.id = %grant.id,
        outcome = tracing::field::Empty
    );
    let task = async move {
        let _turn = turn;
        let _under_way = vault.metrics.in_flight.enter();
        let renewal = tokio::spawn(keep_lease(Arc::clone(&vault), grant.clone(), epoch));
        let outcome = attempt(&vault, &grant, epoch, trigger).await;
        renewal.abort();
        let word = outcome.as_ref().map_or_else(|error| error.code().as_str(), |()| "success");
        tracing::Span::current().record("outcome", word);
        count(&vault, trigger, word);
        outcome
    };
    let joined = tokio::spawn(task.instrument(span)).await;
    joined.unwrap_or(Err(Error::Malformed("a refresh")))
}

/// Renews the lease three times as often as it would run out, until the refresh is over.
async fn keep_lease(vault: Arc<Vault>, grant: Grant, epoch: i64) {
    loop {
        tokio::time::sleep(vault.config.lease() / 3).await;
        // A failure is not the end: the commit decides whether the refresh still counts.
        if let Ok(false) = vault.store.renew_lease(grant.id, epoch, vault.config.lease_micros()).await {
            return;
        }
    }
}

/// What a token endpoint made of a refresh.
enum Outcome {
    Granted(Box<TokenResponse>),
    Refused(Refusal, Option<u64>),
    /// Nothing was sent.
    NotSent(EgressError),
    /// It may have worked.
    Unknown(&'static str),
}

async fn attempt(vault: &Arc<Vault>, grant: &Grant, epoch: i64, trigger: Trigger) -> Result<(), Error> {
    let place = vault.place(&grant.tenant, &grant.registration)?;
    let (key, sealer) = match open(vault, grant).await {
        Ok(opened) => opened,
        Err(error) => return postpone(vault, grant, epoch, None, error).await,
    };
    let mut retries = 0;
    let outcome = loop {
        let outcome = match send(vault, &place, grant, &key).await {
            Ok(outcome) => outcome,
            Err(error) => return postpone(vault, grant, epoch, None, error).await,
        };
        let may_retry = matches!(outcome, Outcome::Unknown(_)) && is_repeatable(&place, grant);
        if !may_retry || retries >= *place.profile.tokens.static_retry_budget {
            break outcome;
        }
        retries += 1;
        count(vault, trigger, "retried");
    };
    // The row is settled before the record is written: a spool that refuses must not leave a refresh hanging.
    match outcome {
        Outcome::Granted(response) => commit(vault, &place, grant, (key, &sealer), *response).await,
        Outcome::Refused(Refusal::InvalidGrant, _) => {
            vault.store.bury(grant.id, epoch, "invalid_grant", vault.now()).await?;
            record(vault, &place, grant, Some(Code::GrantDead), "invalid_grant").await?;
            Err(Code::GrantDead.into())
        }
        Outcome::Refused(refusal, retry_after) => {
            let (code, pause) = match refusal {
                Refusal::Transient => (Code::UpstreamBusy, retry_after),
                Refusal::InvalidClient | Refusal::UnauthorizedClient => {
                    (Code::ExchangeClientRefused, Some(CONFIGURATION_PAUSE_SECONDS))
                }
                _ => (Code::ExchangeRefused, Some(CONFIGURATION_PAUSE_SECONDS)),
            };
            let outcome = postpone(vault, grant, epoch, pause, code.into()).await;
            record(vault, &place, grant, Some(code), refusal.as_str()).await?;
            outcome
        }
        Outcome::NotSent(error) => {
            let code = code_of_egress(error, Code::UpstreamTimeout);
            let outcome = postpone(vault, grant, epoch, None, code.into()).await;
            record(vault, &place, grant, Some(code), error.as_str()).await?;
            outcome
        }
        Outcome::Unknown(what) if is_repeatable(&place, grant) => {
            let outcome = postpone(vault, grant, epoch, None, Code::UpstreamTimeout.into()).await;
            record(vault, &place, grant, Some(Code::UpstreamTimeout), what).await?;
            outcome
        }
        Outcome::Unknown(what) => {
            vault.store.make_uncertain(grant.id, epoch, what, vault.now()).await?;
            record(vault, &place, grant, Some(Code::GrantUncertain), what).await?;
            Err(Code::GrantUncertain.into())
        }
    }
}

/// Whether the same may be sent again after an unknown outcome. Asking for a service's token uses nothing up.
fn is_repeatable(place: &Place<'_>, grant: &Grant) -> bool {
    grant.service_scope.is_some()
        || place.profile.tokens.rotation.retry_is_safe()
        || sallyport_model::planted!("refresh-retried-when-uncertain")
}

/// What a new access token is had by.
enum Key {
    Refresh(Secret<String>),
    /// Asking for these scopes again.
    Service(String),
}

/// What to send, and the data key for what comes back: both before anything is sent.
async fn open(vault: &Vault, grant: &Grant) -> Result<(Key, Sealer), Error> {
    let key = match &grant.service_scope {
        Some(scope) => Key::Service(scope.clone()),
        None => {
            let sealed = grant.sealed.refresh.as_ref().ok_or(Error::Malformed("grants.refresh_sealed"))?;
            let (tenant, data_key) = (&grant.tenant, grant.sealed.data_key);
            Key::Refresh(vault.sealing.open(tenant, grant.id, data_key, Field::Refresh, sealed).await?)
        }
    };
    Ok((key, vault.sealing.sealer(&grant.tenant).await?))
}

async fn send(vault: &Vault, place: &Place<'_>, grant: &Grant, key: &Key) -> Result<Outcome, Error> {
    let url = place.token_url(&grant.token_endpoint)?;
    let (asked, operation) = match key {
        Key::Refresh(token) => (token::Grant::RefreshToken(token), "refresh"),
        Key::Service(scope) => (token::Grant::ClientCredentials { scope }, "client_credentials"),
    };
    let ask = Ask::Token(asked);
    let form = credentials::form(vault, place, &grant.token_endpoint, &grant.issuer, &ask).await?;
    let response = match upstream::post(vault, place, &url, &form, operation).await {
        Ok(response) => response,
        Err(error) if error.outcome_is_unknown() => return Ok(Outcome::Unknown(error.as_str())),
        Err(error) => return Ok(Outcome::NotSent(error)),
    };
    let status = response.status.as_u16();
    if !response.status.is_success() {
        let retry_after = upstream::retry_after(&response.headers, vault.now());
        return Ok(Outcome::Refused(token::refusal(status, &response.body), retry_after));
    }
    Ok(match TokenResponse::parse(&response.body) {
        Ok(response) => Outcome::Granted(Box::new(response)),
        Err(_fault) => match token::refusal(status, &response.body) {
            // It said yes in words that we cannot read: the old token may be gone.
            Refusal::Unknown => Outcome::Unknown("response"),
            known => Outcome::Refused(known, None),
        },
    })
}

/// Commits the new tokens; only then does anybody get to see the new access token.
async fn commit(
    vault: &Arc<Vault>,
    place: &Place<'_>,
    grant: &Grant,
    (key, sealer): (Key, &Sealer),
    response: TokenResponse,
) -> Result<(), Error> {
    let now = vault.now();
    let access_expires_at = place.access_expires_at(&response, now);
    // Without a scope the grant is as it was (RFC 6749 §6), or a service got what it asked for (§5.1); a narrower one is
    // believed.
    let usual = match &key {
        Key::Refresh(_) => &grant.granted_scope,
        Key::Service(scope) => scope,
    };
    let granted_scope = place.profile.scopes.as_granted(response.granted(usual));
    let (refresh, detail) = match (key, response.refresh_token) {
        // A service has no use for one (RFC 6749 §4.4.3).
        (Key::Service(_), _) => (None, "asked_again"),
        (Key::Refresh(_), Some(new)) => (Some(new), "rotated"),
        (Key::Refresh(old), None) => (Some(old), "kept"),
    };
    let tokens = Tokens { access: response.access_token, refresh };
    let sealed = sealer.seal(grant.id, &tokens);
    let renewed = Renewed { sealed, access_expires_at, granted_scope };
    if store(vault, grant, &renewed, now).await? {
        return record(vault, place, grant, None, detail).await;
    }
    // Revoked while the endpoint was working: what came is revoked too.
    vault.store.keep_for_revocation(grant.id, &renewed.sealed).await?;
    revoke::at_the_ehr_soon(vault, &grant.tenant, grant.id);
    record(vault, place, grant, Some(Code::GrantRevoked), "revoked_meanwhile").await?;
    Err(Code::GrantRevoked.into())
}

async fn store(vault: &Vault, grant: &Grant, renewed: &Renewed, now: Micros) -> Result<bool, Error> {
    let mut tries = 0;
    loop {
        match vault.store.commit_refresh(grant, renewed, now).await {
            Err(error) if error.is_unavailable() && tries < COMMIT_TRIES => {
                tries += 1;
                tokio::time::sleep(COMMIT_PAUSE).await;
            }
            // An earlier try may have been committed without our hearing of it: then the row has moved on with our tokens.
            Ok(false) if tries > 0 => return Ok(vault.store.holds(grant.id, &renewed.sealed).await?),
            other => return Ok(other?),
        }
    }
}

/// Lets the grant rest and reports the failure.
async fn postpone(
    vault: &Vault,
    grant: &Grant,
    epoch: i64,
    pause_seconds: Option<u64>,
    error: Error,
) -> Result<(), Error> {
    let cap = Duration::from_secs(vault.config.max_backoff_seconds.into());
    let backoff = Backoff::new(Duration::from_secs(1), cap);
    // Half of it fixed: a pause of nothing would be a retry.
    let spread = backoff.delay(grant.failures, u64::from_be_bytes(sallyport_keyring::random::<8>()));
    let wait = backoff.ceiling(grant.failures) / 2 + spread / 2;
    let wait = pause_seconds.map_or(wait, |seconds| wait.max(Duration::from_secs(seconds)));
    let not_before = vault.now().saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
    vault.store.postpone(grant.id, epoch, not_before).await?;
    Err(error)
}

async fn record(
    vault: &Vault,
    place: &Place<'_>,
    grant: &Grant,
    refusal: Option<Code>,
    detail: &str,
) -> Result<(), Error> {
    let about = About {
        tenant: &grant.tenant,
        endpoint: &place.entry.endpoint.id,
        registration: &grant.registration,
        whose: grant.whose(),
        grant: Some(grant.id),
    };
    let kind = match grant.service_scope {
        None => Kind::TokenRefresh,
        Some(_) => Kind::ClientCredentials,
    };
    Ok(vault.audit.event(about.event(kind, refusal, detail)).await?)
}

fn count(vault: &Vault, trigger: Trigger, outcome: &str) {
    vault.metrics.refreshes.inc(&[trigger.as_str(), outcome]);
}
