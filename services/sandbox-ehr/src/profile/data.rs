//! Knobs of what resources look like when they are served.

/// How resources are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataRules {
    /// Whose charts there are.
    pub population: Population,
    /// How ids are written.
    pub ids: Ids,
    /// What `meta` holds. The canary of the patient is always there.
    pub meta: Meta,
    /// How a prescription names its drug.
    pub medications: Medications,
    /// What is added to concepts.
    pub codings: Codings,
    /// Whether diagnoses made at an encounter lack `clinicalStatus`.
    pub encounter_diagnoses_lack_status: bool,
    /// Where a document's bytes are.
    pub attachments: Attachments,
    /// Extensions of every resource: (address, reference it holds).
    pub extensions: &'static [(&'static str, &'static str)],
    /// Whether missing performers are a reference to the NullFlavor code system.
    pub refers_to_null_flavor: bool,
    /// Media type of resources.
    pub media_type: &'static str,
    /// Whether a client that does not name JSON gets XML.
    pub defaults_to_xml: bool,
    /// Types that the CapabilityStatement says can be written, though nothing can.
    pub claims_writes: &'static [&'static str],
}

/// Whose charts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Population {
    /// The generated and imported charts.
    Shared,
    /// This many patients, made when they are first looked at; the first has a chart of 20 years with at
    /// least this many observations, some with dirty codes.
    Large {
        /// How many patients.
        patients: usize,
        /// How many observations the first one has.
        observations: usize,
    },
}

/// How ids are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// As stored.
    AsStored,
    /// Filled up to a length, to another one for some types; may be longer than FHIR's 64.
    Padded {
        /// Length of most.
        usual: usize,
        /// Types of another length.
        by_type: &'static [(&'static str, usize)],
    },
    /// With a prefix by type; types that are not listed as stored.
    Prefixed(&'static [(&'static str, &'static str)]),
    /// `a-<practice>.<type>-<id>`: the practice is nowhere else, patients are dealt out to these.
    OfPractice(&'static [&'static str]),
}

/// What `meta` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// All of it.
    Full,
    /// No version, date or profile.
    Bare,
    /// No date in Observations.
    ObservationsUndated,
}

/// How a prescription names its drug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medications {
    /// As stored, which is a mixture.
    AsStored,
    /// By reference to a Medication.
    Reference,
    /// By concept.
    Concept,
}

/// What is added to concepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codings {
    /// Nothing.
    AsStored,
    /// A local coding after the standard ones; `{tenant}` in the system is a number of the tenant.
    Twin(&'static str),
    /// A local coding before the standard ones, marked as chosen by the user.
    ChosenByUser(&'static str),
    /// Document types under this system instead of their own.
    DocumentTypesUnder(&'static str),
}

/// Where a document's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments {
    /// As stored: inline or relative Binary.
    AsStored,
    /// In a Binary by its absolute address.
    AbsoluteBinary,
    /// At an address of its own that answers with the bytes alone.
    RawDocument,
    /// Inline as HTML; for other documents neither bytes nor address.
    InlineOrNothing,
}
