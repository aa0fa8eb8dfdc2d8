//! What the ledger says became of a proposal: of all that was ever approved of it.

use sallyport_model::{Code, TenantId};
use uuid::Uuid;

use super::{Written, answer, down};
use crate::{
    Gateway,
    error::Refusal,
    store::{Finding, State},
};

/// Where it stands.
pub(crate) enum Standing {
    /// The EHR has it.
    There(Written),
    /// It is being written, or the ledger has yet to look for it.
    UnderWay,
    /// It may have been written. Why nobody could find out.
    Doubt(Code),
    /// It was overtaken, or refused: nothing was written.
    Nothing(Code),
    /// It never came as far as the ledger: nothing was sent.
    Nowhere,
}

/// What became of a proposal. What the EHR has counts before what is in doubt, and that before what was not written.
pub(crate) async fn standing(
    gateway: &Gateway,
    tenant: &TenantId,
    proposal: Uuid,
) -> Result<Standing, Refusal> {
    let mut standing = Standing::Nowhere;
    // The oldest first: of several that wrote nothing the last one says why.
    for write in gateway.database.writes_of_proposal(tenant, proposal).await.map_err(down)? {
        let this = match (write.state, write.finding) {
            (State::Applied, _) | (State::Reconciled, Some(Finding::Applied)) => {
                return answer::read(gateway, &write).await.map(Standing::There);
            }
            (State::Unknown, _) if sallyport_model::planted!("proposal-settled-unlooked") => {
                Standing::Nothing(Code::WriteInterrupted)
            }
            (State::Unknown, _) => Standing::Doubt(write.code.unwrap_or(Code::WriteUnknown)),
            (State::Approved | State::Executing, _) => Standing::UnderWay,
            (State::Conflict, _) => Standing::Nothing(Code::WriteConflict),
            (State::Rejected, _) => Standing::Nothing(write.code.unwrap_or(Code::WriteRefused)),
            (State::Reconciled, _) => Standing::Nothing(Code::WriteInterrupted),
        };
        standing = match (standing, this) {
            (Standing::Doubt(code), _) => Standing::Doubt(code),
            (Standing::UnderWay, this @ Standing::Doubt(_)) => this,
            (Standing::UnderWay, _) => Standing::UnderWay,
            (_, this) => this,
        };
    }
    Ok(standing)
}
