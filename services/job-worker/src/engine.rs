//! What a worker does by itself: hands due batches to the queue, takes them from it, works on them under leases, takes leases
//! back from the dead, starts scheduled runs.

mod authority;
mod consume;
mod heartbeat;
mod item;
mod planning;
mod relay;
mod run_batch;
mod schedule;
mod settle;
mod sweep;

use std::{future::Future, pin::Pin, sync::Arc};

use crate::worker::Worker;

pub(crate) use authority::{opened, same};

/// The queue of batches; messages hold a batch's id and nothing else.
pub(crate) const BATCHES: &str = "jobs.batches";

/// A task that ends at shutdown.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everything a worker does by itself.
pub(crate) fn background(worker: &Arc<Worker>) -> Vec<Background> {
    vec![
        Box::pin(relay::run(Arc::clone(worker))),
        Box::pin(consume::run(Arc::clone(worker))),
        Box::pin(sweep::run(Arc::clone(worker))),
        Box::pin(schedule::run(Arc::clone(worker))),
    ]
}
