//! What people do with jobs, one use case a file.

pub(crate) mod care_gaps;
pub(crate) mod control;
pub(crate) mod dry_run;
pub(crate) mod erase;
pub(crate) mod kill;
pub(crate) mod letters;
pub(crate) mod proposals;
pub(crate) mod reconcile;
pub(crate) mod start;
pub(crate) mod view;
