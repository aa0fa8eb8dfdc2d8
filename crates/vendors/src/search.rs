//! What a product wants to be asked: parameters that a search must have, and those that it understands.

mod plan;

use sallyport_fhir::ResourceType;

pub use plan::{Planned, Refused, Why};

use crate::{
    Fact, Text,
    fact::assumed,
    setting::{texts, words},
};

words! {
    /// What a product does with a parameter that it does not know. Whatever it is, none is ever sent: a filter that is
    /// ignored gives more than was asked for.
    Unknown {
        /// Ignores it, and may still repeat it in the `self` link.
        Ignores = "ignores",
        /// Refuses the search.
        Refuses = "refuses",
        /// Some types do this, some that.
        Both = "both",
    }
}

words! {
    /// Whether `_include` may be relied on. It never is: references are read one by one.
    Includes {
        /// Declared for few types or none.
        Few = "few",
        /// Declared for many types.
        Many = "many",
    }
}

/// A parameter that is added so that a search is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Whether rows are lost by it: the answer is then partial, and says so.
    pub narrows: bool,
}

/// How one type is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which type.
    pub resource_type: ResourceType,
    /// Sets of parameters of which one must be there as a whole. Empty: nothing is required. `patient` stands for every
    /// parameter that names the patient.
    pub needs: Vec<Vec<&'static str>>,
    /// What may be added where none of them is.
    pub adds: Vec<Addition>,
    /// Every parameter that is understood; `None`: not known, those of our own table are sent.
    pub declared: Option<Vec<&'static str>>,
    /// Parameters that are used without any other.
    pub alone: Vec<&'static str>,
    /// Pairs of which only one may be used.
    pub never_together: Vec<(&'static str, &'static str)>,
    /// Rows on a page when nobody asks.
    pub page_default: Option<u32>,
    /// Most rows on a page, whatever is asked.
    pub page_max: Option<u32>,
}

impl Rule {
    /// A type about which nothing is special.
    pub(crate) fn of(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            needs: Vec::new(),
            adds: Vec::new(),
            declared: None,
            alone: Vec::new(),
            never_together: Vec::new(),
            page_default: None,
            page_max: None,
        }
    }

    /// One of these sets is required.
    pub(crate) fn needs(mut self, sets: &[&[&'static str]]) -> Self {
        self.needs = sets.iter().map(|set| set.to_vec()).collect();
        self
    }

    /// This is added where it is missing, and loses no row: it names every value there is.
    pub(crate) fn adds(mut self, name: &'static str, value: &'static str) -> Self {
        self.adds.push(Addition { name, value, narrows: false });
        self
    }

    /// This is added where it is missing, and may lose rows.
    pub(crate) fn narrows(mut self, name: &'static str, value: &'static str) -> Self {
        self.adds.push(Addition { name, value, narrows: true });
        self
    }

    /// This one is used without any other.
    pub(crate) fn alone(mut self, name: &'static str) -> Self {
        self.alone.push(name);
        self
    }

    /// Only one of the two may be used.
    pub(crate) fn apart(mut self, one: &'static str, other: &'static str) -> Self {
        self.never_together.push((one, other));
        self
    }

    /// Rows on a page: when nobody asks, and at most.
    pub(crate) fn pages(mut self, default: Option<u32>, max: Option<u32>) -> Self {
        (self.page_default, self.page_max) = (default, max);
        self
    }
}

/// Searching.
#[derive(Debug, Clone)]
pub struct Search {
    /// Types about which something is special.
    pub rules: Vec<Fact<Rule>>,
    /// What happens to unknown parameters.
    pub unknown: Fact<Unknown>,
    /// Parameters that shape an answer and are understood; others are left out, which loses nothing but comfort.
    pub controls: Fact<Vec<Text>>,
    /// `_lastUpdated` selects.
    pub last_updated: Fact<bool>,
    /// Whether includes could be relied on.
    pub includes: Fact<Includes>,
    /// An empty answer, or one to a wrong `Accept`, may be XML: JSON is asked for and nothing else is read.
    pub xml_by_default: Fact<bool>,
    /// Most matches of one search; beyond it the search is refused.
    pub max_matches: Fact<Option<u32>>,
    /// What the CapabilityStatement leaves out is not offered. Where a statement is known to say less than is true, its word
    /// is advice.
    pub statement_binds: Fact<bool>,
}

impl Search {
    /// What FHIR R4 and US Core say.
    pub(crate) fn standard() -> Self {
        Self {
            rules: Vec::new(),
            unknown: assumed(Unknown::Ignores),
            controls: assumed(texts(&["_count", "_sort", "_summary", "_total", "_elements"])),
            last_updated: assumed(true),
            includes: assumed(Includes::Few),
            xml_by_default: assumed(false),
            max_matches: assumed(None),
            statement_binds: assumed(true),
        }
    }

    /// What is special about a type.
    pub fn rule(&self, resource_type: ResourceType) -> Option<&Fact<Rule>> {
        self.rules.iter().find(|rule| rule.resource_type == resource_type)
    }
}
