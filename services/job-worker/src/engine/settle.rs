//! The end of a lease: what was not done goes back to where somebody will take it up, or the run stops.

use std::sync::Arc;

use sallyport_model::{Code, GrantId, RunId};

use super::run_batch::End;
use crate::{
    batch::Batch,
    halt::{Halt, Wait},
    records::{self, Because},
    run::RunState,
    store::{self, Change, Ending, Lease},
    worker::Worker,
};

/// Ends the lease of a batch that was opened. Gives the word for metrics.
pub(super) async fn batch(worker: &Arc<Worker>, mut batch: Batch, end: End) -> &'static str {
    let halt = match end {
        End::Done => return "done",
        End::Turn => None,
        End::Halted(Halt::Stale) => return "stale",
        End::Halted(halt) => Some(halt),
    };
    let (word, ending, stop) = ending(worker, batch.lease(), halt.as_ref());
    let calls = batch.gateway().calls_made();
    let _under_no_checkpoint = batch.busy();
    let put_back = async {
        let mut tx = batch.begin_last().await?.into_tx();
        store::count_calls(&mut tx, batch.run_id(), calls).await?;
        store::end(&mut tx, batch.id(), batch.run_id(), &ending, worker.now()).await?;
        tx.commit().await?;
        Ok::<_, Halt>(())
    };
    if put_back.await.is_err() {
        // The lease runs out, and the batch is taken back then.
        return "stale";
    }
    if let Some(Halt::Later { not_before, why: Wait::Window }) = halt {
        let _asked_again_at_the_next_item =
            worker.store.postpone(batch.run_id(), not_before, Wait::Window).await;
    }
    if let Some((code, scope)) = stop {
        stopped(worker, batch.run_id(), batch.run().grant, code, &scope).await;
    }
    word
}

/// Ends the lease of a batch whose run could not even be opened.
pub(super) async fn unopened(worker: &Arc<Worker>, lease: &Lease, halt: Halt) -> &'static str {
    if halt == Halt::Stale {
        return "stale";
    }
    let (word, ending, stop) = ending(worker, lease, Some(&halt));
    let put_back = async {
        let fence = worker.store.fence(lease.batch(), lease.run(), lease.epoch).await?;
        let Some((mut tx, _)) = fence else { return Ok(false) };
        store::end(&mut tx, lease.batch(), lease.run(), &ending, worker.now()).await?;
        tx.commit().await.map(|()| true)
    };
    if !matches!(put_back.await, Ok(true)) {
        return "stale";
    }
    if let Halt::Later { not_before, why: Wait::Window } = halt {
        let _asked_again_at_the_next_lease =
            worker.store.postpone(lease.run(), not_before, Wait::Window).await;
    }
    if let Some((code, scope)) = stop {
        stopped(worker, lease.run(), None, code, &scope).await;
    }
    word
}

/// What becomes of the batch, and whether the run stops.
fn ending<'a>(
    worker: &Worker,
    lease: &Lease,
    halt: Option<&'a Halt>,
) -> (&'static str, Ending<'a>, Option<(Code, String)>) {
    let now = worker.now();
    let again = |due, wait, code, attempts| Ending::Again { due, wait, code, attempts };
    match halt {
        None => ("turn", again(now, None, "", lease.attempts), None),
        Some(Halt::Stale | Halt::Asked) => ("again", again(now, None, "", lease.attempts), None),
        // The run as a whole waits, the batch is ready.
        Some(Halt::Later { why: Wait::Window, .. }) => ("waits", again(now, None, "", lease.attempts), None),
        Some(Halt::Later { not_before, why }) => {
            ("waits", again(*not_before, Some(*why), "", lease.attempts), None)
        }
        Some(Halt::Item { due, code, attempts }) => {
            ("again", again(*due, Some(Wait::Retry), code.as_str(), *attempts), None)
        }
        Some(Halt::Failed(code)) => {
            let due = now + worker.config.backoff_micros(1);
            ("again", again(due, Some(Wait::Retry), code.as_str(), lease.attempts), None)
        }
        Some(Halt::Authority { code, scope }) => {
            let batch = again(now, None, code.as_str(), lease.attempts);
            ("stopped", batch, Some((*code, scope.clone())))
        }
    }
}

/// Stops a run whose authority is not what it pinned. Its checkpoints stay.
async fn stopped(worker: &Arc<Worker>, run: RunId, grant: Option<GrantId>, code: Code, scope: &str) {
    let change = Change { from: &[RunState::Running], to: RunState::Stopped, code: code.as_str(), scope };
    match worker.store.change(run, &change, worker.now()).await {
        Ok(true) => {}
        // Another batch of it was faster.
        Ok(false) => return,
        Err(_away) => {
            // The batch is ready and comes to the same end when it is taken up again.
            return;
        }
    }
    if let Some(grant) = grant {
        // Where it is a registration's own, the next start opens another.
        let _left_for_the_next_start = worker.store.forget_service_grant(grant).await;
    }
    tracing::warn!(code = code.as_str(), "a run was stopped");
    if let Ok(found) = worker.run(run).await {
        worker.metrics.runs.inc(&[found.run.job.kind.as_str(), "stopped"]);
        let reason = if scope.is_empty() { code.as_str().to_owned() } else { scope.to_owned() };
        let because = Because { by: "job-worker".to_owned(), reason };
        if records::of_run(worker, &found.run, "stop", &because, Some(code)).await.is_err() {
            tracing::error!(code = code.as_str(), "that a run was stopped could not be recorded");
        }
    }
}
