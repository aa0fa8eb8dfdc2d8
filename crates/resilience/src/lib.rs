//! Behaviour towards an upstream that fails or is slow, as pure state machines.
//!
//! Time ([`Micros`](sallyport_model::Micros)) and randomness are arguments, nothing sleeps and nothing is shared: the
//! caller keeps a machine behind its own lock, asks it, acts, and tells it what happened. That makes every rule here
//! testable without waiting. Durations that an upstream names are always capped.

mod backoff;
pub mod breaker;
mod bucket;
mod budget;
pub mod concurrency;
mod micros;
pub mod retry_after;
mod window;

pub use backoff::Backoff;
pub use breaker::{Admission, Breaker, Outcome, Permit, Policy, State, TripReason};
pub use bucket::{Rate, TokenBucket};
pub use budget::RetryBudget;
pub use concurrency::Concurrency;

/// Who waits for the answer. A person in front of a chart goes before work that can be done later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Somebody is looking at the screen.
    Interactive,
    /// Jobs, refreshing ahead of time, bulk.
    Background,
}
