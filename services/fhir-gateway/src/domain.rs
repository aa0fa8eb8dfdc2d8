//! What the gateway decides, one use case per file. [`call`] is the one way to an EHR: everything goes through it.

pub(crate) mod activity;
pub(crate) mod admit;
pub(crate) mod browser;
pub(crate) mod call;
pub(crate) mod chart;
pub(crate) mod context;
pub(crate) mod limits;
pub(crate) mod metadata;
pub(crate) mod paging;
pub(crate) mod place;
pub(crate) mod recording;
pub(crate) mod release;
pub(crate) mod seen;
pub(crate) mod session;
pub(crate) mod token;
pub(crate) mod upstream;
pub(crate) mod view;
