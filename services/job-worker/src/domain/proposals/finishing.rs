//! Approvals whose end nobody told: listed for the gateway, and ended by what its ledger says. No patient is named.

use std::sync::Arc;

use sallyport_model::{Code, Micros, TenantId};
use uuid::Uuid;

use super::{Written, end};
use crate::{error::Error, records, store::Unfinished, worker::Worker};

/// Those that nobody has touched for so long, after one of them.
pub(crate) async fn list(
    worker: &Arc<Worker>,
    untouched_for_ms: i64,
    after: Uuid,
) -> Result<Vec<Unfinished>, Error> {
    let Some(micros) = untouched_for_ms.checked_mul(1_000).filter(|micros| *micros >= 0) else {
        return Err(Code::RequestInvalid.into());
    };
    Ok(worker.store.unfinished(worker.now().saturating_sub(micros), after).await?)
}

/// Ends one as the ledger says. `false` when somebody has touched it since it was listed. Recorded before it counts.
pub(crate) async fn finish(
    worker: &Arc<Worker>,
    tenant: &TenantId,
    (id, touched_at): (Uuid, Micros),
    outcome: (&str, Option<Code>),
    written: Written,
) -> Result<bool, Error> {
    let found = worker.store.unfinished_one(tenant.as_str(), id).await?;
    let Some(found) = found.filter(|found| found.touched_at == touched_at) else { return Ok(false) };
    let mut end = end(worker, tenant, id, outcome, &written).await?;
    end.touched_at = Some(touched_at);
    records::of_finish(worker, tenant, &found, (outcome.0, end.code)).await?;
    Ok(worker.store.settle(id, &end, worker.now()).await?)
}
