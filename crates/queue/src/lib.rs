//! The message queue as a port: durable hand-over of opaque bodies from a spool or outbox to one kind of consumer.
//!
//! `Ok` from [`Queue::publish`] means that the other side has taken responsibility; until then the publisher keeps
//! the original. Delivery is at least once: consumers make their effects idempotent. Bodies are sealed by whoever
//! publishes; nothing here looks inside, logs or prints them.

mod consumer;
mod in_process;
mod message;
mod rabbitmq;

pub use consumer::{Consumer, Delivery, Settle, Settlement};
pub use in_process::InProcess;
pub use message::{Headers, MAX_BODY_BYTES, Message};
pub use rabbitmq::{DeadLetter, DeadLetterError, RabbitMq, Settings, SettingsError};

/// The relay of sealed audit records, 50–200 records a message.
pub const AUDIT_RECORDS: &str = "audit.records";

/// Why a message was not taken. In every case the publisher still owns it and tries again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nobody is bound to that queue (`basic.return` of a mandatory message).
    #[error("the queue does not exist, declare it before publishing")]
    Unroutable,
    /// The broker or the consumer gave the message back without keeping it.
    #[error("the message was not kept, publish it again later")]
    Rejected,
    /// The connection was lost before the confirm; the message may or may not have arrived.
    #[error("the queue is not available, publish again when it is back")]
    Unavailable,
    /// The body is larger than [`MAX_BODY_BYTES`].
    #[error("the message is too large, publish smaller batches")]
    TooLarge,
}

impl PublishError {
    /// A fixed word for metric labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unroutable => "unroutable",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::TooLarge => "too_large",
        }
    }
}

/// Why no consumer could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// The broker refused or could not be reached.
    #[error("the queue is not available, consume again when it is back")]
    Unavailable,
}

/// A queue of durable hand-over. Adapters that hold a connection own their reconnect loop: a consumer survives it,
/// and a publish that was interrupted answers [`PublishError::Unavailable`].
#[async_trait::async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Hands `message` over. `Ok` when the other side has taken responsibility for it (a publisher confirm of a
    /// mandatory, persistent message; in process, the consumer's ack).
    ///
    /// Dropping the future withdraws nothing for sure: the message may still be delivered.
    async fn publish(&self, queue: &str, message: Message) -> Result<(), PublishError>;

    /// Opens a consumer of `queue`, declaring the queue if needed. Several consumers share the messages.
    async fn consume(&self, queue: &str) -> Result<Consumer, ConsumeError>;
}
