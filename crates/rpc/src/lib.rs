//! How services call each other: the same generated clients over a route in this process or over a channel.
//!
//! The caller of a method is a value given by whoever composes the services (or, on the wire, by the certificate),
//! never metadata. A method without a row in its service's [`AllowList`] can be called by nobody.

mod client;
pub mod console;
mod deadline;
mod error;
pub mod forwarded;
pub mod pki;
pub mod revocation;
mod served;
mod server;
pub mod tls;
mod transport;

pub use client::{ClientSettings, ConnectError, HttpPeer, PeerError, connect, connect_with, once_more};
pub use error::{CODE_METADATA, code_of, status, status_with_retry_after};
pub use served::{
    AllowList, REQUEST_ID_METADATA, SESSION_METADATA, Served, caller, request_id, with_request_id,
};
pub use server::{Doors, ServerSettings, serve, serve_with};
pub use transport::{Later, Transport, TransportError};
