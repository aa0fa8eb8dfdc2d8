//! token-vault alone, through its public door: its gRPC service, real sockets to a hand-made sign-in service, on every
//! database.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod client_credentials;
mod clients;
mod exchange;
mod identity;
mod keep_alive;
mod key_outage;
mod next_version;
mod outage;
#[cfg(feature = "planted-bugs")]
mod planted;
mod products;
mod refresh;
mod replicas;
mod revocation;
mod rights;
mod rotation;
mod rotation_at_scale;
mod secrecy;
mod sign_in;
mod single_flight;
mod uncertain;
mod world;
