//! The use cases, one file each.

pub(crate) mod access;
pub(crate) mod check_grant;
pub(crate) mod client_credentials;
pub(crate) mod exchange;
pub(crate) mod introspect;
pub(crate) mod public_keys;
pub(crate) mod refresh;
pub(crate) mod revoke;
pub(crate) mod rotate;
