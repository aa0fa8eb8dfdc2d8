//! The gateway alone: a scripted EHR, scripted owners of sessions and tokens, a real audit spool.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod api;
mod audit;
mod bulk;
mod bulk_files;
mod capability;
mod care_gaps;
mod chart;
mod costs;
mod denials;
mod edited;
mod ehr;
mod interrupted;
mod limits;
mod looks;
mod malicious;
mod owners;
mod paging;
mod partial;
#[cfg(feature = "planted-bugs")]
mod planted;
mod proposals;
mod reads;
mod replicas;
mod revocation;
mod run;
mod runs;
mod scans;
mod stores;
mod upstream_faults;
mod vendors;
mod world;
mod writes;
