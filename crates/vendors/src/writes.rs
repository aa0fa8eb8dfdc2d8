//! Writes: what may be written, what comes back, and what must not be sent twice.
//!
//! No product documents idempotency. A write whose outcome is not known is looked for before it is tried again.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// What says which writes there are.
    Trust {
        /// The CapabilityStatement.
        Statement = "statement",
        /// The contract with the vendor alone: the statement says more than is true.
        Contract = "contract",
        /// There are none by FHIR.
        None = "none",
    }
}

words! {
    /// What comes back from a create.
    Created {
        /// The resource, or what `Prefer` asks for.
        Body = "body",
        /// Nothing but `Location` and `ETag`: the resource is read afterwards.
        LocationOnly = "location-only",
    }
}

/// Writes.
#[derive(Debug, Clone)]
pub struct Writes {
    /// What says which writes there are.
    pub trust: Fact<Trust>,
    /// Types that may be created.
    pub creates: Fact<Vec<Text>>,
    /// Types that may be updated.
    pub updates: Fact<Vec<Text>>,
    /// What comes back from a create.
    pub created: Fact<Created>,
    /// An update needs `If-Match`.
    pub if_match_needed: Fact<bool>,
    /// Writing needs the scope to read as well.
    pub read_scope_needed: Fact<bool>,
    /// `If-None-Exist` is kept.
    pub conditional_create: Fact<bool>,
    /// A concept with codings of the product's own system and of a standard one is refused.
    pub mixed_codings_refused: Fact<bool>,
    /// Elements that are not supported are dropped without a word: what was written is read and compared.
    pub drops_elements: Fact<bool>,
    /// The person needs an active relationship to the patient.
    pub relationship_needed: Fact<bool>,
    /// The status of an update on an old version.
    pub stale_status: Fact<u32>,
}

impl Writes {
    /// What FHIR R4 §3.1.0 says.
    pub(crate) fn standard() -> Self {
        Self {
            trust: assumed(Trust::Statement),
            creates: assumed(Vec::new()),
            updates: assumed(Vec::new()),
            created: assumed(Created::Body),
            if_match_needed: assumed(false),
            read_scope_needed: assumed(false),
            conditional_create: assumed(false),
            mixed_codings_refused: assumed(false),
            drops_elements: assumed(false),
            relationship_needed: assumed(false),
            stale_status: assumed(412),
        }
    }
}
