//! SMART App Launch 2.2 and the OAuth and OpenID Connect it stands on: parse, print, decide. Level 0, no I/O.

pub mod assertion;
pub mod authorize;
pub mod context;
pub mod discovery;
pub mod form;
pub mod identity;
pub mod pkce;
pub mod token;

pub use sallyport_model::scope;
