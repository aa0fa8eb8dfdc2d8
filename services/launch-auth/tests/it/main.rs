//! launch-auth alone, through its public doors: real sockets for HTTP, its gRPC service, a hand-made token-vault and a
//! hand-made EHR, on every database.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod callback;
mod context;
mod discovery;
mod ehr;
mod incidents;
mod launch;
mod next_version;
mod operators;
mod outage;
mod pages;
#[cfg(feature = "planted-bugs")]
mod planted;
mod products;
mod repeat;
mod replicas;
mod rpc;
mod session;
mod step_up;
mod trace;
mod vault;
mod world;
