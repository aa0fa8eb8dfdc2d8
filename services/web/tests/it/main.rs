//! The pages against a canned gateway: what a person sees, and what nobody must see.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod banner;
mod care_gaps;
mod chart;
mod console;
mod desk;
mod edge;
mod edits;
mod fake;
mod forms;
mod partial;
#[cfg(feature = "planted-bugs")]
mod planted;
mod proposals;
mod states;
mod streaming;
mod website;
