//! The data itself: ids, times of change, shapes that vary, and the roots of the product's own extensions and codes.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// Whether `meta.lastUpdated` is there.
    LastUpdated {
        /// On every resource.
        Present = "present",
        /// On none: changes cannot be told by it.
        Absent = "absent",
        /// On some.
        Some = "some",
    }
}

words! {
    /// How a medication is named in an order.
    Medication {
        /// By a reference, which takes another read and another scope.
        Reference = "reference",
        /// By a code.
        Concept = "concept",
        /// By either.
        Either = "either",
    }
}

words! {
    /// Where a document's content is.
    Attachment {
        /// A `Binary` resource.
        Binary = "binary",
        /// In the resource itself.
        Inline = "inline",
        /// An address that answers the bytes.
        Raw = "raw",
        /// Nowhere: neither data nor address.
        Nothing = "nothing",
    }
}

/// The data.
#[derive(Debug, Clone)]
pub struct Data {
    /// Releases of FHIR that are served.
    pub releases: Fact<Vec<Text>>,
    /// Longest logical id, in characters (FHIR R4: 64).
    pub max_id_length: Fact<usize>,
    /// Whether `meta.lastUpdated` is there.
    pub last_updated: Fact<LastUpdated>,
    /// How a medication is named.
    pub medication: Fact<Medication>,
    /// Where documents are.
    pub attachments: Fact<Vec<Attachment>>,
    /// `Condition.clinicalStatus` may be missing.
    pub status_may_be_missing: Fact<bool>,
    /// Concepts carry a standard coding and one of the product's own.
    pub codes_doubled: Fact<bool>,
    /// Systems of codes differ between customers, and between test and production.
    pub code_systems_by_customer: Fact<bool>,
    /// References lead to other hosts. They are never followed.
    pub foreign_references: Fact<bool>,
    /// Where the product's own extensions begin.
    pub extension_roots: Fact<Vec<Text>>,
    /// Where the product's own identifier and code systems begin.
    pub identifier_roots: Fact<Vec<Text>>,
    /// Identifier systems that are shown to nobody.
    pub redacted_identifiers: Fact<Vec<Text>>,
}

/// The social security number, under the system that US Core names.
const SSN: &str = "http://hl7.org/fhir/sid/us-ssn";

impl Data {
    /// What FHIR R4 and US Core say.
    pub(crate) fn standard() -> Self {
        Self {
            releases: assumed(vec![Text::Borrowed("R4")]),
            max_id_length: assumed(64),
            last_updated: assumed(LastUpdated::Present),
            medication: assumed(Medication::Either),
            attachments: assumed(vec![Attachment::Binary, Attachment::Inline]),
            status_may_be_missing: assumed(false),
            codes_doubled: assumed(false),
            code_systems_by_customer: assumed(false),
            foreign_references: assumed(false),
            extension_roots: assumed(Vec::new()),
            identifier_roots: assumed(Vec::new()),
            redacted_identifiers: assumed(vec![Text::Borrowed(SSN)]),
        }
    }
}
