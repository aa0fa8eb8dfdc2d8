//! The gateway alone: a scripted EHR, scripted owners of sessions and tokens, a real audit spool.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod api;
mod audit;
mod denials;
mod ehr;
mod owners;
mod paging;
#[cfg(feature = "planted-bugs")]
mod planted;
mod reads;
mod revocation;
mod upstream_faults;
mod world;
