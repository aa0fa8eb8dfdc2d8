//! Breaker, back-off, limits and `Retry-After` as pure state machines: time and randomness are arguments.

mod backoff;
mod breaker;
mod budget;
mod concurrency;
pub mod retry_after;

pub use backoff::Backoff;
pub use breaker::{Admission, Breaker, BreakerPolicy, Class, State, TripReason};
pub use budget::RetryBudget;
pub use concurrency::{Concurrency, Lane, Slot};
