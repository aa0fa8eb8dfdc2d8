//! Services as processes of their own: who gets in, who is answered, and what becomes of calls when things end.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod authority;
mod console;
mod doors;
mod later;
mod life;
mod owner;
mod pki;
#[cfg(feature = "planted-bugs")]
mod planted;
mod refused;
mod reload;
mod replicas;
mod revocation;
mod world;
