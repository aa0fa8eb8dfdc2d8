//! Knobs of writes: which types a product takes, and what it refuses of them. No vendor documents that a write
//! sent twice is stored once.

/// What comes back from a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAnswer {
    /// The resource as it is stored now (FHIR R4 §3.1.0.1.8 without a `Prefer`).
    Resource,
    /// Nothing, as `text/html`; id and version are in the headers alone.
    HeadersOnly,
}

/// What becomes of `If-None-Exist`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalCreate {
    /// Kept: nothing is created where one matches.
    Kept,
    /// Ignored without a word: the resource is created again.
    Ignored,
}

/// How writes behave.
#[derive(Debug, Clone, Copy)]
pub struct WriteRules {
    /// Types that may be created.
    pub creates: &'static [&'static str],
    /// Types that may be updated.
    pub updates: &'static [&'static str],
    /// What comes back.
    pub answer: WriteAnswer,
    /// What becomes of `If-None-Exist`.
    pub conditional_create: ConditionalCreate,
    /// Whether an update without `If-Match` is refused.
    pub needs_if_match: bool,
    /// Whether an update needs the scope to read too.
    pub update_needs_read: bool,
    /// Status of an update on an old version.
    pub stale_status: u16,
    /// Categories of Observations that are taken; empty for all.
    pub observation_categories: &'static [&'static str],
    /// Types of a document's content that are taken; empty for all.
    pub document_types: &'static [&'static str],
    /// Members at the root that are refused.
    pub refused_members: &'static [&'static str],
    /// Members at the root that are dropped without a word.
    pub dropped_members: &'static [&'static str],
    /// Whether a concept with codes of the product's own system and of another is refused.
    pub refuses_mixed_codings: bool,
}
