//! The one HTTP client to EHRs: pinned origins and checked addresses, size and time caps, no redirects but one: a file
//! of an export may lie behind a signed address at a pinned host, which gets no token.
//!
//! A token is attached only after the final URL matched a pin (invariant 5). Nothing here logs a path or a query.

mod address;
mod body;
mod client;
mod connector;
mod error;
mod file;
mod pin;

pub use bytes::Bytes;
pub use client::{Egress, Limits, Request, Response};
pub use error::EgressError;
pub use file::{File, Piece};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use pin::{InvalidPin, Pin, Pins};
pub use tokio::time::Instant;
pub use url::Url;
