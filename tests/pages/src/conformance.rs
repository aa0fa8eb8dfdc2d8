//! Which requirement of which specification is shown by which of our tests.
//!
//! `docs/conformance.toml` is the source; a test run says whether what it names ran and passed.

pub mod page;
pub mod results;
pub mod table;
