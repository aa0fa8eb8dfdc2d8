//! Borrowed shapes of R4's JSON and the reader that turns them into sourced values.
//!
//! The shapes take what the chart needs and skip the rest; they hold patient data and therefore have no `Debug`.

pub(crate) mod datatypes;
pub(crate) mod primitives;
mod reading;
pub(crate) mod references;
mod source;

pub use reading::{MAX_OBJECTS, MAX_RESOURCES};
pub(crate) use reading::{Reading, type_of};
pub(crate) use source::{Source, absent_as_coding, absent_in};
