//! Recording what happens before it is released: an append-only spool of sealed records with group `fdatasync`, and
//! the relay that takes them to the audit service.
//!
//! A record is sealed before it reaches the file, and a call's answer is released only after its intent is durable.
//! When that cannot be had (disk, key service, a full spool) the answer is an [`AuditError`] and callers fail closed.
//!
//! At the end of a process: stop taking calls, [`AuditClient::drain`] (or at least [`AuditClient::flush`]), then tell the
//! relay to stop. What was not relayed stays in the spool for the next start.

mod client;
mod cursor;
mod disk;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod faults;
mod frame;
mod log;
mod metrics;
mod reader;
mod record;
mod relay;
mod seal;
mod segment;
mod spool;
#[cfg(test)]
mod tests;
mod trace;
mod writer;

pub use client::{AuditClient, Pending, Settings};
pub use disk::{Disk, RealDisk, SpoolFile};
pub use error::{AuditError, OpenError};
pub use record::{Identity, check};
pub use relay::Relay;
pub use seal::{UnsealError, Unsealer};
pub use trace::link_producers;
