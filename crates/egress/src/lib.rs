//! The one HTTP client to EHRs: pinned origins and checked addresses, no redirects, size and time caps.
//!
//! A token is attached only after the final URL matched a pin (invariant 5). Nothing here logs a path or a query.

mod address;
mod body;
mod client;
mod connector;
mod error;
mod pin;

pub use bytes::Bytes;
pub use client::{Egress, Limits, Request, Response};
pub use error::EgressError;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use pin::{InvalidPin, Pin, Pins};
pub use tokio::time::Instant;
pub use url::Url;
