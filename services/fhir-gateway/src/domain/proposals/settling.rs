//! Approvals that were interrupted settle by themselves: job-worker names those whose end nobody told, and the ledger says
//! what became of each.
//!
//! Nothing is sent to an EHR from here. What is in doubt is looked for by the ledger's own reconciler, with the right of
//! whoever approved it while that lasts; without it, it stays in doubt, and says so.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Code, RequestId};
use sallyport_proto::{
    convert,
    jobs::v1::{FinishRequest, ListUnfinishedRequest, Unfinished},
};
use sallyport_rpc::with_request_id;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    super::write::{Standing, standing},
    DECIDE_WAIT, client, within,
};
use crate::{Gateway, error::Refusal};

/// Goes through them until shutdown.
pub(crate) async fn run(gateway: Arc<Gateway>, mut shutdown: watch::Receiver<bool>) {
    if gateway.job_worker.is_none() {
        return;
    }
    let pause = Duration::from_millis(gateway.config.write_look_interval_ms);
    loop {
        let round = async {
            if let Err(refusal) = round(&gateway).await {
                tracing::debug!(
                    code = refusal.code.as_str(),
                    "interrupted approvals wait for the next round"
                );
            }
        };
        tokio::select! {
            () = round => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}

async fn round(gateway: &Gateway) -> Result<(), Refusal> {
    let mut after = Vec::new();
    loop {
        let request_id = RequestId::new(gateway.clock.as_ref());
        let request =
            ListUnfinishedRequest { untouched_for_ms: untouched_for_ms(gateway), after: after.clone() };
        let mut jobs = client(gateway)?;
        let asked = jobs.list_unfinished(with_request_id(request, request_id));
        let found = within(DECIDE_WAIT, asked).await?.proposals;
        let Some(last) = found.last() else { return Ok(()) };
        after.clone_from(&last.proposal_id);
        for one in &found {
            // What is wrong with one must not keep the others waiting.
            if let Err(refusal) = finish(gateway, one, request_id).await {
                tracing::info!(code = refusal.code.as_str(), "an interrupted approval is not settled yet");
            }
        }
    }
}

/// Longer than any approval takes, from its decision to its end: a younger one may be under way.
fn untouched_for_ms(gateway: &Gateway) -> i64 {
    let rest = 2 * i64::try_from(DECIDE_WAIT.as_millis()).unwrap_or(i64::MAX / 4);
    i64::try_from(gateway.config.write_lease_ms).unwrap_or(i64::MAX / 4).saturating_add(rest)
}

async fn finish(gateway: &Gateway, one: &Unfinished, request_id: RequestId) -> Result<(), Refusal> {
    let tenant = convert::tenant(&one.tenant).map_err(|_field| Code::Internal)?;
    let id = Uuid::from_slice(&one.proposal_id).map_err(|_length| Code::Internal)?;
    let (outcome, code, there) = match standing(gateway, &tenant, id).await? {
        Standing::UnderWay => return Ok(()),
        Standing::There(there) => ("applied", None, Some(there)),
        Standing::Doubt(code) => ("unknown", Some(code), None),
        Standing::Nothing(code @ Code::WriteConflict) => ("conflict", Some(code), None),
        Standing::Nothing(code) => ("refused", Some(code), None),
        // The ledger forgets what is over: an approval as old as that may have been written.
        Standing::Nowhere if is_forgotten(gateway, one) => ("unknown", Some(Code::WriteUnknown), None),
        Standing::Nowhere => ("refused", Some(Code::WriteInterrupted), None),
    };
    let code = code.map_or("", Code::as_str);
    if (one.outcome.as_str(), one.code.as_str()) == (outcome, code) {
        return Ok(());
    }
    let request = FinishRequest {
        proposal_id: one.proposal_id.clone(),
        tenant: one.tenant.clone(),
        touched_at: one.touched_at,
        outcome: outcome.to_owned(),
        code: code.to_owned(),
        reference: there.as_ref().map(|there| there.reference.clone()).unwrap_or_default(),
        version: there.map(|there| there.version).unwrap_or_default(),
    };
    let mut jobs = client(gateway)?;
    let finished = within(DECIDE_WAIT, jobs.finish(with_request_id(request, request_id))).await?;
    if finished.is_finished {
        tracing::info!(outcome, code, "an interrupted approval was settled");
    }
    Ok(())
}

/// Whether the ledger may have forgotten what became of it: after half the time for which it keeps what is over, because clocks
/// differ.
fn is_forgotten(gateway: &Gateway, one: &Unfinished) -> bool {
    let half = i64::from(gateway.config.write_retention_days).saturating_mul(43_200_000_000);
    one.decided_at < gateway.clock.now().saturating_sub(half)
}
