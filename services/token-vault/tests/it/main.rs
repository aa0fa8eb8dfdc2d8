//! token-vault alone, through its public door: its gRPC service, real sockets to a hand-made sign-in service, on every
//! database.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod clients;
mod exchange;
mod identity;
mod keep_alive;
#[cfg(feature = "planted-bugs")]
mod planted;
mod refresh;
mod revocation;
mod rights;
mod secrecy;
mod sign_in;
mod single_flight;
mod uncertain;
mod world;
