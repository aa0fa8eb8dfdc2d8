//! The queue of the embedded default: bounded, in memory, nothing durable.
//!
//! Because nothing here survives a crash, `publish` answers only when a consumer has acked: the publisher's spool
//! keeps everything that was not stored. A delivery dropped unsettled is delivered again, up to the limit that quorum
//! queues have too; a message whose publisher has gone is not delivered at all, its spool will publish it again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::{
    ConsumeError, Consumer, Delivery, MAX_BODY_BYTES, Message, PublishError, Queue, Settle, Settlement,
};

/// How often one publish is delivered before it is given back as rejected: the default of quorum queues.
const DELIVERY_LIMIT: u32 = 20;

/// How many messages may wait in one queue; further publishers wait for a place.
const CAPACITY: usize = 64;

/// Queues in this process's memory.
#[derive(Clone, Default)]
pub struct InProcess {
    queues: Arc<Mutex<HashMap<String, Arc<Waiting>>>>,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl InProcess {
    /// No queues yet; they come into being when first named.
    pub fn new() -> Self {
        Self::default()
    }

    fn queue(&self, name: &str) -> Arc<Waiting> {
        let mut queues = lock(&self.queues);
        Arc::clone(queues.entry(name.to_owned()).or_insert_with(|| Arc::new(Waiting::new())))
    }
}

#[async_trait::async_trait]
impl Queue for InProcess {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        if message.body.len() > MAX_BODY_BYTES {
            return Err(PublishError::TooLarge);
        }
        let waiting = self.queue(queue);
        // Held until the message is settled or this future is dropped: the bound covers messages in flight too.
        let _place = waiting.places.acquire().await.map_err(|_closed| PublishError::Unavailable)?;
        let (settled, answer) = oneshot::channel();
        lock(&waiting.entries).push_back(Entry { message, deliveries: 0, settled });
        waiting.arrived.notify_one();
        match answer.await {
            Ok(Settlement::Ack) => Ok(()),
            Ok(Settlement::Reject | Settlement::Requeue) => Err(PublishError::Rejected),
            Err(_dropped) => Err(PublishError::Unavailable),
        }
    }

    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError> {
        // A channel of one: a message is taken out of the queue only when somebody is about to work on it.
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(feed(self.queue(queue), sender));
        Ok(Consumer::new(receiver))
    }
}

struct Waiting {
    entries: Mutex<VecDeque<Entry>>,
    arrived: Notify,
    places: Semaphore,
}

struct Entry {
    message: Message,
    deliveries: u32,
    settled: oneshot::Sender<Settlement>,
}

impl Waiting {
    fn new() -> Self {
        Self { entries: Mutex::default(), arrived: Notify::new(), places: Semaphore::new(CAPACITY) }
    }

    /// The next message somebody still waits for.
    fn take(&self) -> Option<Entry> {
        let mut entries = lock(&self.entries);
        while let Some(entry) = entries.pop_front() {
            if !entry.settled.is_closed() {
                return Some(entry);
            }
        }
        None
    }

    /// Back to the head of the queue, or to the publisher when it was tried too often.
    fn give_back(&self, entry: Entry) {
        if entry.deliveries >= DELIVERY_LIMIT {
            // The publisher may be gone; then there is nobody to tell.
            let _nobody_left = entry.settled.send(Settlement::Reject);
        } else {
            lock(&self.entries).push_front(entry);
        }
        self.arrived.notify_one();
    }
}

/// Moves messages to one consumer until that is gone.
async fn feed(waiting: Arc<Waiting>, consumer: mpsc::Sender<Delivery>) {
    loop {
        let Ok(place) = consumer.reserve().await else {
            // This consumer may have been woken for a message that it no longer takes: wake another.
            waiting.arrived.notify_one();
            return;
        };
        let arrived = waiting.arrived.notified();
        if let Some(entry) = waiting.take() {
            let message = entry.message.clone();
            let held = Held { entry: Some(entry), queue: Arc::downgrade(&waiting) };
            place.send(Delivery::new(message, Box::new(held)));
            // Others may wait for what is behind this one.
            waiting.arrived.notify_one();
            continue;
        }
        drop(place);
        tokio::select! {
            () = arrived => {}
            () = consumer.closed() => {}
        }
    }
}

struct Held {
    entry: Option<Entry>,
    queue: Weak<Waiting>,
}

impl Held {
    fn finish(&mut self, settlement: Settlement) {
        let Some(mut entry) = self.entry.take() else { return };
        match settlement {
            Settlement::Ack | Settlement::Reject => {
                let _nobody_left = entry.settled.send(settlement);
            }
            Settlement::Requeue => {
                entry.deliveries += 1;
                if let Some(queue) = self.queue.upgrade() {
                    queue.give_back(entry);
                }
            }
        }
    }
}

#[async_trait::async_trait]
impl Settle for Held {
    async fn settle(mut self: Box<Self>, settlement: Settlement) {
        self.finish(settlement);
    }

    fn abandon(mut self: Box<Self>) {
        self.finish(Settlement::Requeue);
    }
}

/// A poisoned lock only means that a holder panicked between two complete states.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
