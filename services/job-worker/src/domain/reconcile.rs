//! Taking a run's effects back: what there are, who could undo each of them and how. A plan changes nothing; what was written is
//! undone by a person, in a session.

use std::sync::Arc;

use sallyport_model::{Code, RunId, TenantId};
use sallyport_proto::{
    convert,
    jobs::v1::{ExportEffect, ProposalEffect as Told, ReconcilePlan, ResultEffect},
};

use super::{proposals::Written, view};
use crate::{
    error::Error,
    records::{self, Because},
    store::{PLAN_MAX, ProposalEffect},
    worker::Worker,
};

/// The plan. Recorded before it is told: it names records of patients, by type and id.
pub(crate) async fn plan(
    worker: &Arc<Worker>,
    run: RunId,
    because: &Because,
) -> Result<ReconcilePlan, Error> {
    let row = worker.store.run(run).await?.ok_or(Code::RunUnknown)?;
    records::of_reconcile(worker, &row, "reconcile-plan", because, None).await?;
    let tenant = TenantId::parse(&row.tenant).map_err(|_ours| Code::Internal)?;
    let mut found = worker.store.proposals_of_run(run, worker.now()).await?;
    let has_more = found.len() > PLAN_MAX;
    found.truncate(PLAN_MAX);
    let mut proposals = Vec::with_capacity(found.len());
    for one in found {
        proposals.push(told(worker, &tenant, one).await?);
    }
    let export = worker.store.export_of_run(run).await?.map(|export| ExportEffect {
        state: export.state,
        files: export.files,
        resources: export.resources,
        expires_at: export.expires_at,
    });
    let results = worker.store.results_by_type(run).await?.into_iter().map(|result| ResultEffect {
        resource_type: result.resource_type,
        subjects: result.subjects,
        resources: result.resources,
        expires_at: result.expires_at,
    });
    let (run, results) = (Some(view::run(worker, run).await?), results.collect());
    Ok(ReconcilePlan { run, proposals, has_more, export, results })
}

/// Withdraws what nobody has decided on, each recorded before it is done. Gives how many.
pub(crate) async fn withdraw(worker: &Arc<Worker>, run: RunId, because: &Because) -> Result<i64, Error> {
    let row = worker.store.run(run).await?.ok_or(Code::RunUnknown)?;
    let mut withdrawn = 0;
    for id in worker.store.open_proposals_of_run(run, worker.now()).await? {
        records::of_reconcile(worker, &row, "withdraw", because, Some(id)).await?;
        if worker.store.withdraw_one(id, run, worker.now()).await? {
            withdrawn += 1;
        }
    }
    Ok(withdrawn)
}

async fn told(worker: &Arc<Worker>, tenant: &TenantId, one: ProposalEffect) -> Result<Told, Error> {
    let written = match (&one.result_sealed, one.result_key_id) {
        (Some(sealed), Some(key)) => {
            let place = (&one.proposal_id.as_bytes()[..], "result");
            let opened = worker.sealing.open(tenant, key, place, sealed).await?;
            serde_json::from_slice(opened.expose()).map_err(|_ours| Code::Internal)?
        }
        _ => Written::default(),
    };
    Ok(Told {
        proposal_id: convert::id_bytes(one.proposal_id),
        way_back: way_back(&one.state, &one.outcome).to_owned(),
        rule: one.rule,
        resource_type: one.resource_type,
        state: one.state,
        outcome: one.outcome,
        code: one.code,
        decided_at: one.decided_at,
        reference: written.reference,
        version: written.version,
    })
}

/// How an effect could be taken back.
fn way_back(state: &str, outcome: &str) -> &'static str {
    match (state, outcome) {
        ("open", _) => "withdraw",
        ("approved", "applied") => "undo",
        ("approved", "unknown") => "find-out",
        ("approved", _) => "wait",
        _ => "nothing",
    }
}
