//! job-worker alone, through its public door: its gRPC service, an EHR in memory behind a gateway in memory, on every database.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod broker;
mod care_gaps;
mod crawl;
mod deaths;
mod ehr;
mod export_ehr;
mod exports;
mod fairness;
mod keys;
mod outage;
mod owners;
#[cfg(feature = "planted-bugs")]
mod planted;
mod proposals;
mod quarantine;
mod reconcile;
mod replicas;
mod rights;
mod runs;
mod schedule;
mod scopes;
mod unfinished;
mod waits;
mod world;
