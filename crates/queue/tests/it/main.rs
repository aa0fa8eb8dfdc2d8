//! The port's promises over every adapter, and what a real broker adds to them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod backend;
mod broker;
mod contract;
mod network;
mod outage;
