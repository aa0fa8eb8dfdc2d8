//! Writes: once each, on behalf of the person who approved them, for the launch's patient.
//!
//! context → scopes, feature, validation, patient, policy → ledger (approved) → intent durable → ledger (executing) →
//! EHR → ledger (how it ended) → outcome. What came of a write that got no clear answer is looked for before anything is
//! sent again (docs/ARCHITECTURE.md, invariant 8).

mod admit;
mod answer;
mod find;
mod reconcile;
mod sealing;
mod send;
mod standing;

use std::{sync::Arc, time::Duration};

use sallyport_egress::Instant;
use sallyport_fhir::Destination;
use sallyport_model::{Code, RequestId};
use uuid::Uuid;

use super::{context, recording::Draft, session::Session};
use crate::{
    Gateway,
    error::Refusal,
    store::{End, Finding, LedgerError, State, Write},
};
use admit::Approved;
use find::Found;

pub(crate) use reconcile::run as reconcile;
pub(crate) use sealing::{PURPOSES, WriteKeys};
pub(crate) use standing::{Standing, standing};

/// What a person wants written.
pub(crate) struct Request<'a> {
    pub(crate) session: &'a Arc<Session>,
    pub(crate) feature: &'a str,
    pub(crate) destination: Destination,
    /// What was approved, byte for byte.
    pub(crate) payload: &'a str,
    /// The version that an update is based on.
    pub(crate) base_version: Option<String>,
    /// The proposal behind it: two approvals of one proposal are one write, whatever the session.
    pub(crate) proposal: Option<Uuid>,
    pub(crate) request_id: RequestId,
    pub(crate) deadline: Instant,
}

/// A record that the EHR has.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) write_id: Uuid,
    /// `Type/id`
    pub(crate) reference: String,
    /// Empty where the EHR names none.
    pub(crate) version: String,
    /// It was there before this request.
    pub(crate) is_repeated: bool,
}

/// How often a caller looks whether another one's turn with the same write is over.
const POLL: Duration = Duration::from_millis(40);

/// Writes, or finds that it is written. Whatever comes out is recorded when this returns.
pub(crate) async fn run(gateway: &Gateway, request: Request<'_>) -> Result<Written, Refusal> {
    let mut draft = Draft::new(request.session, request.request_id, gateway.clock.now());
    draft.write(&request.destination);
    let approved = match admit::admit(gateway, &request, &mut draft).await {
        Ok(approved) => approved,
        Err(refusal) => {
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let (open, pending) = gateway.recorder.begin(draft)?;
    // Durable before the EHR is called (invariant 4), and so before anything says that it is being called.
    if let Some(pending) = pending {
        pending.durable().await.map_err(|error| {
            let (code, reason) = (Code::AuditUnavailable.as_str(), error.label());
            tracing::error!(code, reason, "a write was not made because its intent is not durable");
            Refusal::new(Code::AuditUnavailable)
        })?;
    }
    // In a task of its own the write would outlive its caller; here a caller that goes away leaves it to the reconciler.
    let result = Box::pin(settle(gateway, &request, &approved)).await;
    match &result {
        Ok(written) => open.close(Ok(answer::tally(written))),
        Err(refusal) => open.close(Err(refusal)),
    }
    result
}

/// Goes on with the write from wherever it is, until it is settled or nothing more can be done now.
async fn settle(gateway: &Gateway, request: &Request<'_>, approved: &Approved) -> Result<Written, Refusal> {
    let tenant = &request.session.tenant;
    let twin = gateway.database.unsettled_twin(&approved.entry).await.map_err(down)?;
    if let Some(twin) = twin.filter(|_| !sallyport_model::planted!("write-without-key")) {
        // The same thing for the same patient, from a session that is over or another window: it comes first.
        if twin.state == State::Reconciled {
            return answer::read(gateway, &twin).await.map(Written::repeated);
        }
        match turn_to_look(gateway, request, approved, &twin).await? {
            Some(Found::There(there)) => return Ok(there.repeated()),
            Some(Found::Nowhere { is_certain: true }) => {}
            Some(Found::Changed) => return Err(Code::WriteConflict.into()),
            Some(Found::Nowhere { .. } | Found::Unclear) | None => return Err(in_doubt()),
        }
    }
    gateway.database.enter_write(&approved.entry).await.map_err(|error| down(error.into()))?;
    let mut is_mine = false;
    loop {
        let key = &approved.entry.dedup_key;
        let write =
            gateway.database.write_by_key(tenant, &request.session.endpoint, key).await.map_err(down)?;
        let write = write.ok_or(Code::Internal)?;
        let is_repeated = !is_mine;
        match (write.state, write.finding) {
            (State::Applied, _) | (State::Reconciled, Some(Finding::Applied)) => {
                let there = answer::read(gateway, &write).await?;
                return Ok(if is_repeated { there.repeated() } else { there });
            }
            (State::Conflict, _) => return Err(Code::WriteConflict.into()),
            (State::Rejected, _) if is_mine => return Err(write.code.unwrap_or(Code::WriteRefused).into()),
            (State::Executing, _) if !write.is_lease_over => {
                if Instant::now() + POLL >= request.deadline {
                    return Err(Refusal { retry_after: Some(2), ..Refusal::new(Code::WriteInProgress) });
                }
                tokio::time::sleep(POLL).await;
            }
            (State::Executing | State::Unknown, _) => {
                if sallyport_model::planted!("write-retried-blind") && !is_mine {
                    is_mine = send::turn(gateway, request, approved, &write).await?;
                    continue;
                }
                match turn_to_look(gateway, request, approved, &write).await? {
                    None => {}
                    Some(Found::There(there)) => {
                        return Ok(if is_repeated { there.repeated() } else { there });
                    }
                    Some(Found::Changed) => return Err(Code::WriteConflict.into()),
                    Some(Found::Nowhere { is_certain: true }) if !is_mine => {}
                    Some(Found::Nowhere { .. } | Found::Unclear) => return Err(in_doubt()),
                }
            }
            // Whoever waited for it is gone: what they approved is not sent behind their back.
            (State::Approved | State::Rejected | State::Reconciled, _)
                if Instant::now() >= request.deadline =>
            {
                return Err(Code::WriteInterrupted.into());
            }
            // Nothing of it is at the EHR: this approval sends it.
            (State::Approved | State::Rejected | State::Reconciled, _) => {
                is_mine = send::turn(gateway, request, approved, &write).await?;
            }
        }
    }
}

/// Takes the write and looks for it at the EHR. `None` when somebody else took it first.
async fn turn_to_look(
    gateway: &Gateway,
    request: &Request<'_>,
    approved: &Approved,
    write: &Write,
) -> Result<Option<Found>, Refusal> {
    let session = request.session;
    let by = (session.launch, session.grant);
    let now = gateway.clock.now();
    let taken = gateway.database.take_write(write, by, false, gateway.config.write_lease_micros(), now).await;
    let Some(epoch) = taken.map_err(|error| down(error.into()))? else { return Ok(None) };
    let looked =
        find::look(gateway, &approved.access, &approved.place, &approved.profile, write, request.deadline)
            .await;
    find::conclude(gateway, &approved.profile, write, epoch, looked).await.map(Some)
}

/// The refusal of a write in doubt.
fn in_doubt() -> Refusal {
    Refusal { retry_after: Some(5), ..Refusal::new(Code::WriteUnknown) }
}

/// The ledger could not be read or written.
fn down(error: LedgerError) -> Refusal {
    match error {
        LedgerError::Database(error) => {
            tracing::warn!("the ledger of writes cannot be used");
            error.code().into()
        }
        LedgerError::Malformed(column) => {
            tracing::error!(reason = column, "the ledger of writes holds what it cannot");
            Code::Internal.into()
        }
    }
}

/// Ends a turn with a write. `false` when another process took it over: then the ledger says how it stands.
async fn end_turn(gateway: &Gateway, write: &Write, epoch: i64, end: &End) -> Result<bool, Refusal> {
    gateway.metrics.write(write.endpoint.as_str(), &write.operation, end.state.as_str());
    let now = gateway.clock.now();
    gateway.database.end_turn(write.id, epoch, end, now).await.map_err(|error| down(error.into()))
}

impl Written {
    fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }
}

/// A launch's writes, for the page that shows them.
pub(crate) async fn list(
    gateway: &Gateway,
    session: &Session,
) -> Result<Vec<(Write, Option<Written>)>, Refusal> {
    context::entry(&gateway.registry, session)?;
    let writes = gateway.database.writes_of(&session.tenant, session.launch).await.map_err(down)?;
    let mut listed = Vec::with_capacity(writes.len());
    for write in writes {
        let there =
            if write.result_sealed.is_some() { Some(answer::read(gateway, &write).await?) } else { None };
        listed.push((write, there));
    }
    Ok(listed)
}
