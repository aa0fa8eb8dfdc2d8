//! The audit service alone, with the real spool and relay around it, over both sets of back ends: SQLite with the
//! in-process queue, Postgres with RabbitMQ.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod console;
mod database_outage;
mod disclosures;
mod erasure;
mod guarding;
mod house;
mod keys;
mod ledger;
mod next_version;
mod outage;
#[cfg(feature = "planted-bugs")]
mod planted;
mod proving;
mod querying;
mod queues;
mod replicas;
mod reports;
mod rights;
mod secrecy;
mod signing;
mod storing;
mod tampering;
mod tracing_links;
