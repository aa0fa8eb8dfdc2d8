//! What people see. Plain functions from data to markup; everything that an EHR sent is escaped by maud and isolated in
//! its own direction of writing.

pub(crate) mod banner;
pub(crate) mod care_gaps;
pub(crate) mod error;
pub(crate) mod layout;
pub(crate) mod origin;
pub(crate) mod proposals;
pub(crate) mod sections;
pub(crate) mod source;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod trend;
pub(crate) mod words;

pub(crate) use words::{Tone, badge, icon, said};

/// What a person gives to support.
pub(crate) struct Reference(pub(crate) String);
