//! The use cases, one file each.

pub(crate) mod access;
pub(crate) mod exchange;
pub(crate) mod introspect;
pub(crate) mod public_keys;
pub(crate) mod refresh;
pub(crate) mod revoke;
