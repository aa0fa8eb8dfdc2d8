//! The audit service alone, over both databases, with the real spool, relay and in-process queue around it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod erasure;
mod guarding;
mod house;
mod querying;
mod secrecy;
mod storing;
mod tracing_links;
