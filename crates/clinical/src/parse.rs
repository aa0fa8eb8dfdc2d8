//! Borrowed shapes of R4 JSON and the reader that turns them into sourced values.
//!
//! The shapes take what the chart needs and skip the rest; they hold patient data and therefore have no `Debug`.

pub(crate) mod datatypes;
pub(crate) mod primitives;
mod reading;
pub(crate) mod references;
mod source;

pub(crate) use reading::Reading;
pub(crate) use source::{Source, absent_as_coding, absent_in};
