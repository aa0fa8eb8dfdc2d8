//! The rules: measures as they stand in rule files, checked, with their value sets at hand.

mod builtin;
mod criterion;
mod document;
mod fields;
mod measure;
mod values;

use std::{collections::BTreeMap, sync::Arc};

pub use builtin::FILES;
pub use criterion::{Criterion, Found, Test, Timing, Window};
pub use document::{RuleError, RuleFile};
pub use measure::{Exclusion, Measure, Period, Population, Publication, Sex};
pub use values::{Bound, Conversion, Limit, SameDay};

use crate::codes::ValueSet;

/// Measures that were checked, ready to judge records by.
#[derive(Clone)]
pub struct RuleSet {
    /// The measures that are on, by id.
    pub measures: Vec<Measure>,
    /// Every value set, by id.
    pub value_sets: BTreeMap<String, Arc<ValueSet>>,
}

impl RuleSet {
    /// The measures that ship with the product.
    ///
    /// # Errors
    /// Never for the files as shipped; a test reads them.
    pub fn builtin() -> Result<Self, RuleError> {
        Self::with(&[])
    }

    /// The measures that ship with the product, and what a tenant's files add to them, change or switch off. Tables are
    /// merged key by key, the later file wins.
    ///
    /// # Errors
    /// The first thing that is wrong, with the file, where in it, and what to do.
    pub fn with(files: &[RuleFile<'_>]) -> Result<Self, RuleError> {
        document::load(files)
    }

    /// The measure of that id.
    pub fn measure(&self, id: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.id == id)
    }
}
