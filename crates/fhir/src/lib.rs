//! FHIR R4 as the gateway needs it: requests parsed once into types, answers read without building a tree.
//!
//! Pure (layer 0): no I/O, no clock, no `serde_json::Value` on the hot path. What a request may ask for is listed here
//! ([`params`]); what an answer may hold is decided by [`compartment`]. Both default to *denied*.

pub mod bundle;
pub mod capability;
pub mod compartment;
pub mod envelope;
pub mod interaction;
pub mod ndjson;
pub mod outcome;
pub mod params;
pub mod reference;
mod scan;
pub mod shape;
pub mod statement;
pub mod target;
pub mod types;
pub mod write;

pub use bundle::{Bundle, Entry, Link, Mode};
pub use envelope::{Coding, Envelope, Limits};
pub use interaction::{Interaction, LogicalId, Method, Param, RawRequest, Rejection, Search};
pub use reference::{Base, Reference};
pub use scan::Fault;
pub use target::Target;
pub use types::ResourceType;
pub use write::Destination;
