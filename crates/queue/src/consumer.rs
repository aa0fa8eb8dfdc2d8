//! The consuming half: deliveries that must be settled, and go back to the queue when they are not.

use tokio::sync::mpsc;

use crate::Message;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The effect is durable; the message is done.
    Ack,
    /// The consumer will not take it: back to the publisher, or to the dead letters of a broker.
    Reject,
    /// The consumer went away without a word: deliver again.
    Requeue,
}

/// How an adapter learns what became of a delivery. Called exactly once.
#[async_trait::async_trait]
pub trait Settle: Send {
    /// Settles. A connection that is gone is not an error: the broker delivers again by itself.
    async fn settle(self: Box<Self>, settlement: Settlement);

    /// Settles from a destructor, where nothing can be awaited.
    fn abandon(self: Box<Self>);
}

/// One message in the hands of a consumer. Dropped without [`ack`](Delivery::ack) or [`reject`](Delivery::reject)
/// (a crash, a cancelled task) it is delivered again.
pub struct Delivery {
    /// What was published.
    pub message: Message,
    settle: Option<Box<dyn Settle>>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}

impl Delivery {
    /// Used by adapters.
    pub fn new(message: Message, settle: Box<dyn Settle>) -> Self {
        Self { message, settle: Some(settle) }
    }

    /// The effect is durable. Only now may the publisher forget the message.
    pub async fn ack(mut self) {
        if let Some(settle) = self.settle.take() {
            settle.settle(Settlement::Ack).await;
        }
    }

    /// Not taken: the publisher keeps it.
    pub async fn reject(mut self) {
        if let Some(settle) = self.settle.take() {
            settle.settle(Settlement::Reject).await;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            settle.abandon();
        }
    }
}

/// Receives deliveries, one by one, in the order of publishing where there is one consumer.
#[derive(Debug)]
pub struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
}

impl Consumer {
    /// Used by adapters: `deliveries` is fed by a task of theirs, which ends when the receiver is gone.
    pub fn new(deliveries: mpsc::Receiver<Delivery>) -> Self {
        Self { deliveries }
    }

    /// The next delivery, or `None` when the queue is closed for good. Safe to cancel.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }
}
