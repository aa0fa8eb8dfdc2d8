//! The contract suite: one suite against every product that the sandbox EHR imitates, asked through the gateway of
//! an embedded instance, and what it found as rows for the compatibility matrix.
//!
//! A check compares what comes out with what the EHR holds. Its row says *verified*, *degraded* (something else came), *unsupported* (refused with a stable code) or *unverified* (not tried, because what it needs did not work). What
//! came out wrong without a word is a finding of its own: [`suite::Outcome::silent`].

pub mod knobs;
pub mod oracle;
pub mod suite;
pub mod truth;
