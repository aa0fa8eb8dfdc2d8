//! Pause, resume, stop, retry. Recorded before they are done.

use std::sync::Arc;

use sallyport_model::{Code, RunId};
use sallyport_registry::JobIdentity;

use crate::{
    engine,
    error::Error,
    halt::Halt,
    records::{self, Because},
    run::{Run, RunState},
    store::Change,
    worker::Worker,
};

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Pause,
    Resume,
    Stop,
    Retry,
}

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Retry => "retry",
        }
    }

    fn change(self) -> Change<'static> {
        let (from, to, code): (&'static [RunState], _, _) = match self {
            Self::Pause => (&[RunState::Running], RunState::Paused, ""),
            Self::Resume => (&[RunState::Paused], RunState::Running, ""),
            Self::Stop => {
                let code = Code::JobStoppedByOperator.as_str();
                (&[RunState::Running, RunState::Paused], RunState::Stopped, code)
            }
            Self::Retry => (&[RunState::Stopped], RunState::Running, ""),
        };
        Change { from, to, code, scope: "" }
    }
}

/// Does it.
pub(crate) async fn control(
    worker: &Arc<Worker>,
    run: RunId,
    wish: Wish,
    because: &Because,
) -> Result<(), Error> {
    let row = worker.store.run(run).await?.ok_or(Code::RunUnknown)?;
    let change = wish.change();
    if !RunState::parse(&row.state).is_some_and(|state| change.from.contains(&state)) {
        return Err(Code::RunStateRefused.into());
    }
    // A run whose definition is gone can still be stopped.
    let found = match worker.run(run).await {
        Ok(found) => Some(found.run),
        Err(Halt::Authority { .. }) if wish == Wish::Stop || wish == Wish::Pause => None,
        Err(halt) => return Err(halt.into()),
    };
    if let (Wish::Resume | Wish::Retry, Some(run)) = (wish, &found) {
        startable(worker, run).await?;
    }
    match &found {
        Some(run) => records::of_run(worker, run, wish.word(), because, None).await?,
        None => records::of_tenant(worker, &row.tenant, wish.word(), because).await?,
    }
    if let (Wish::Retry, Some(run)) = (wish, &found) {
        authorised(worker, run).await?;
    }
    if !worker.store.change(run, &change, worker.now()).await? {
        return Err(Code::RunStateRefused.into());
    }
    if change.to == RunState::Running {
        // Its last batch may have come to its end while it was being paused.
        worker.store.finish(run, worker.now()).await?;
    }
    worker.wake.notify_one();
    Ok(())
}

/// Nothing goes on for whom nothing may start.
async fn startable(worker: &Worker, run: &Run) -> Result<(), Error> {
    if !run.job.is_on {
        return Err(Code::JobOff.into());
    }
    if worker.store.is_blocked(&run.blockable()).await? {
        return Err(Code::JobBlocked.into());
    }
    Ok(())
}

/// A stopped run goes on with what it pinned, or not at all.
async fn authorised(worker: &Worker, run: &Run) -> Result<(), Error> {
    if run.job.identity != JobIdentity::Backend {
        return Ok(());
    }
    let (grant, granted) = engine::opened(worker, run).await?;
    if !run.pinned_scope.is_empty() {
        engine::same(&run.pinned_scope, &granted)?;
    }
    worker.store.authorise(run.id, grant, &granted).await?;
    Ok(())
}
