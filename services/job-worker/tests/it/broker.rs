//! A queue that can be gone, or forget.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sallyport_queue::{ConsumeError, Consumer, InProcess, Message, PublishError, Queue};

/// The queue of the embedded run, with faults.
#[derive(Default)]
pub(crate) struct Broker {
    inner: InProcess,
    /// Takes nothing.
    pub(crate) is_gone: AtomicBool,
    /// Confirms, and delivers nothing.
    pub(crate) forgets: AtomicBool,
    /// How many messages were refused or forgotten.
    pub(crate) lost: AtomicUsize,
}

#[async_trait::async_trait]
impl Queue for Broker {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        if self.is_gone.load(Ordering::SeqCst) {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Err(PublishError::Unavailable);
        }
        if self.forgets.load(Ordering::SeqCst) {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        self.inner.publish(queue, message).await
    }

    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError> {
        self.inner.consume(queue).await
    }
}
