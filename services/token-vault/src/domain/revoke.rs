//! Revocation: at once here (rows and the sequence that others tail), then at the EHR by RFC 7009 as far as it can be
//! had, tried again while the EHR is busy, and given up in the open.

use std::{sync::Arc, time::Duration};

use sallyport_egress::StatusCode;
use sallyport_model::{EndpointId, GrantId, Micros, RegistrationId, Secret, TenantId};
use sallyport_proto::audit::v1::Kind;
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use crate::{
    credentials::{self, Ask},
    error::Error,
    records::About,
    sealing::Field,
    store::{Grant, Revoked, Upstream, Which},
    upstream,
    vault::Vault,
};

/// How long one process has a revocation for itself, in microseconds: longer than two slow calls.
const TAKEN_MICROS: i64 = 60_000_000;

/// The first pause after a busy EHR, in microseconds; doubles with each try.
const FIRST_PAUSE_MICROS: i64 = 2_000_000;

/// How many revocations run at the EHRs at once.
const AT_ONCE: usize = 8;

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) grants: i32,
    pub(crate) revoked_upstream: i32,
    pub(crate) last_expires_at: Micros,
}

/// Revokes. What `which` names is dead here when this returns, whatever the EHR says.
pub(crate) async fn revoke(
    vault: &Arc<Vault>,
    tenant: &TenantId,
    which: &Which,
    reason: &str,
) -> Result<Outcome, Error> {
    let revoked = vault.store.revoke(tenant, which, reason, vault.now()).await?;
    let offered: Vec<GrantId> =
        revoked.iter().filter(|r| r.is_offered()).map(|r| GrantId::from_uuid(r.grant_id)).collect();
    let done = at_the_ehr(vault, tenant, offered);
    // The records are written while the EHR is being told.
    record(vault, tenant, &revoked, reason).await?;
    let done = done.await;
    let last_expires_at = revoked
        .iter()
        .filter(|r| !done.contains(&GrantId::from_uuid(r.grant_id)))
        .map(|r| r.access_expires_at)
        .max();
    Ok(Outcome {
        grants: i32::try_from(revoked.len()).unwrap_or(i32::MAX),
        revoked_upstream: i32::try_from(done.len()).unwrap_or(i32::MAX),
        last_expires_at: last_expires_at.unwrap_or(0),
    })
}

/// Tells the EHR in the background.
pub(crate) fn at_the_ehr_soon(vault: &Arc<Vault>, tenant: &TenantId, id: GrantId) {
    let _detached = at_the_ehr(vault, tenant, vec![id]);
}

/// Starts telling the EHR about all of these now; the future gives those that were confirmed within the configured
/// wait. The others go on without it.
fn at_the_ehr(
    vault: &Arc<Vault>,
    tenant: &TenantId,
    ids: Vec<GrantId>,
) -> impl Future<Output = Vec<GrantId>> + use<> {
    let deadline = Instant::now() + Duration::from_millis(vault.config.revoke_wait_ms);
    let (send, mut receive) = mpsc::unbounded_channel();
    let permits = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    for id in ids {
        let (vault, tenant, send, permits) =
            (Arc::clone(vault), tenant.clone(), send.clone(), Arc::clone(&permits));
        let task = async move {
            let _permit = permits.acquire().await;
            match one(&vault, &tenant, id).await {
                // Nobody may be waiting any more; the row knows.
                Ok(true) => drop(send.send(id)),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        code = error.code().as_str(),
                        "a revocation at the ehr will be tried again"
                    );
                }
            }
        };
        tokio::spawn(task.in_current_span());
    }
    drop(send);
    async move {
        let mut done = Vec::new();
        while let Ok(Some(id)) = tokio::time::timeout_at(deadline, receive.recv()).await {
            done.push(id);
        }
        done
    }
}

/// Tells the EHR about one grant, if it is due and no other process does. Whether the EHR confirmed.
pub(crate) async fn one(vault: &Vault, tenant: &TenantId, id: GrantId) -> Result<bool, Error> {
    let now = vault.now();
    if !vault.store.take_upstream(id, now, now + TAKEN_MICROS).await? {
        return Ok(false);
    }
    let Some(grant) = vault.store.grant(tenant, id).await? else { return Ok(false) };
    let span = tracing::info_span!(
        "token-vault.revoke.upstream",
        tenant.id = tenant.as_str(),
        grant.id = %id,
        outcome = tracing::field::Empty
    );
    let verdict = match tell(vault, &grant).instrument(span.clone()).await {
        Ok(verdict) => verdict,
        // Its registration or its address is not in the tenants' files any more: nothing may be sent there.
        Err(Error::Refused(_)) => Verdict::Refused,
        Err(Error::CredentialFile) => Verdict::Busy(None),
        Err(error) => return Err(error),
    };
    let (outcome, next) = match verdict {
        Verdict::Confirmed => (Upstream::Done, 0),
        Verdict::Refused => (Upstream::Failed, 0),
        Verdict::Busy(_) if grant.upstream_attempts >= vault.config.revoke_attempts => (Upstream::Failed, 0),
        Verdict::Busy(retry_after) => {
            let pause = FIRST_PAUSE_MICROS.saturating_mul(1 << grant.upstream_attempts.min(9));
            let asked = retry_after.and_then(|s| i64::try_from(s).ok()).map_or(0, |s| s * 1_000_000);
            (Upstream::Pending, vault.now() + pause.max(asked))
        }
    };
    vault.store.settle_upstream(id, outcome, next).await?;
    vault.metrics.revocations.inc(&[outcome.as_str()]);
    span.record("outcome", outcome.as_str());
    Ok(outcome == Upstream::Done)
}

/// What an EHR made of a revocation.
enum Verdict {
    Confirmed,
    /// RFC 7009 §2.2.1: 503 means that the token is still good; try again.
    Busy(Option<u64>),
    /// It will not get better by asking again.
    Refused,
}

/// The refresh token first: with it the EHR usually ends everything; then the access token, while it lives.
async fn tell(vault: &Vault, grant: &Grant) -> Result<Verdict, Error> {
    let place = vault.known_place(&grant.tenant, &grant.registration)?;
    let url = place.token_url(&grant.revocation_endpoint)?;
    let open = async |field: Field, sealed: &Option<Vec<u8>>| -> Result<Option<Secret<String>>, Error> {
        match sealed {
            Some(sealed) => vault
                .sealing
                .open(&grant.tenant, grant.id, grant.sealed.data_key, field, sealed)
                .await
                .map(Some),
            None => Ok(None),
        }
    };
    let refresh = open(Field::Refresh, &grant.sealed.refresh).await?;
    let access = open(Field::Access, &grant.sealed.access).await?;
    let is_alive = grant.access_expires_at > vault.now();
    let tokens = [(refresh, "refresh_token"), (access.filter(|_| is_alive), "access_token")];
    let mut is_first = true;
    for (token, hint) in tokens {
        let Some(token) = token else { continue };
        let ask = Ask::About(&token, hint);
        let form = credentials::form(vault, &place, &grant.token_endpoint, &grant.issuer, &ask).await?;
        let answer = upstream::post(vault, &place, &url, &form, "revoke").await;
        match answer {
            Ok(response) if response.status.is_success() => {}
            // A server may not revoke access tokens (unsupported_token_type); the refresh token is what matters.
            Ok(response) if !is_first && response.status == StatusCode::BAD_REQUEST => {}
            Ok(response)
                if response.status.is_server_error() || response.status == StatusCode::TOO_MANY_REQUESTS =>
            {
                return Ok(Verdict::Busy(upstream::retry_after(&response.headers, vault.now())));
            }
            Ok(_) => return Ok(Verdict::Refused),
            Err(_no_answer) => return Ok(Verdict::Busy(None)),
        }
        is_first = false;
    }
    Ok(Verdict::Confirmed)
}

async fn record(vault: &Vault, tenant: &TenantId, revoked: &[Revoked], reason: &str) -> Result<(), Error> {
    let events = revoked.iter().filter_map(|row| {
        let endpoint = EndpointId::parse(&row.endpoint).ok()?;
        let registration = RegistrationId::parse(&row.registration).ok()?;
        let about = About {
            tenant,
            endpoint: &endpoint,
            registration: &registration,
            whose: row.whose(),
            grant: Some(GrantId::from_uuid(row.grant_id)),
        };
        Some(vault.audit.event(about.event(Kind::TokenRevoke, None, reason)))
    });
    // Together, so that they share their syncs.
    for outcome in futures_util::future::join_all(events).await {
        outcome?;
    }
    Ok(())
}
