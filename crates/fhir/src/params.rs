//! What may be asked of each resource type: which interactions, which search parameters, whose data it is.
//!
//! The table is the allow-list: a type that is not in it is denied, and so is a parameter. The search parameters are
//! those of US Core plus the common ones; ownership follows the Patient compartment definition of FHIR R4, reduced to
//! the elements that say *whose* data a resource is (a recorder or performer who happens to be a patient is not one).

mod table;

use crate::types::ResourceType;

/// How a parameter's value is written (FHIR R4 §3.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `system|code`
    Token,
    /// A date with an optional comparison prefix.
    Date,
    /// Text.
    Text,
    /// A reference to another resource.
    Reference,
    /// A number with unit.
    Quantity,
    /// A URI, compared exactly.
    Uri,
}

impl Kind {
    /// The name in a CapabilityStatement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Date => "date",
            Self::Text => "string",
            Self::Reference => "reference",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
        }
    }
}

/// Whose data a resource of a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The Patient resource: its own id says.
    Patient,
    /// Patients referred to at these element paths, all of whom must be the launch's patient.
    Owned(&'static [&'static str]),
    /// Belongs to what it points at by this element: the patient, or a resource already checked in this launch.
    Attached(&'static str),
    /// Nobody's: visible only when a resource already checked in this launch refers to it.
    Shared,
}

/// A row of the table.
#[derive(Debug)]
pub struct TypeRule {
    /// Which type.
    pub resource_type: ResourceType,
    /// Whose.
    pub ownership: Ownership,
    /// Parameters that name the patient; the first is added where the caller gave none.
    pub patient_params: &'static [&'static str],
    /// The other parameters of this type.
    pub params: &'static [(&'static str, Kind)],
}

impl TypeRule {
    /// The rule of a type; `None` means the type is denied.
    pub fn of(resource_type: ResourceType) -> Option<&'static Self> {
        table::TABLE.iter().find(|rule| rule.resource_type == resource_type)
    }

    /// All rules, in the order of the table.
    pub fn all() -> &'static [Self] {
        table::TABLE
    }

    /// The parameter of that name, if it may be used; control parameters (`_count` …) are not parameters.
    pub fn param(&self, name: &str) -> Option<(&'static str, Kind)> {
        let own = self.params.iter().chain(COMMON).find(|(n, _)| *n == name).copied();
        own.or_else(|| self.patient_params.iter().find(|n| **n == name).map(|n| (*n, Kind::Reference)))
    }

    /// Whether the parameter names the patient.
    pub fn names_patient(&self, name: &str) -> bool {
        self.patient_params.contains(&name)
    }

    /// Root elements that ownership is read from; `_elements` must keep them.
    pub fn owner_elements(&self) -> impl Iterator<Item = &'static str> {
        let paths: &[&str] = match &self.ownership {
            Ownership::Owned(paths) => paths,
            Ownership::Attached(path) => std::slice::from_ref(path),
            Ownership::Patient | Ownership::Shared => &[],
        };
        paths.iter().map(|path| path.split_once('.').map_or(*path, |(root, _)| root))
    }
}

/// Parameters of every type.
const COMMON: &[(&str, Kind)] = &[
    ("_id", Kind::Token),
    ("_lastUpdated", Kind::Date),
    ("_profile", Kind::Uri),
    ("_security", Kind::Token),
    ("_tag", Kind::Token),
];

/// Parameters that shape an answer instead of selecting from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// `_count`
    Count,
    /// `_sort`
    Sort,
    /// `_summary`
    Summary,
    /// `_total`
    Total,
    /// `_elements`
    Elements,
}

impl Control {
    /// Every control parameter with its name.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Count, "_count"),
        (Self::Sort, "_sort"),
        (Self::Summary, "_summary"),
        (Self::Total, "_total"),
        (Self::Elements, "_elements"),
    ];

    /// The control parameter of that name.
    pub fn parse(name: &str) -> Option<(Self, &'static str)> {
        Self::ALL.iter().find(|(_, n)| *n == name).copied()
    }
}

/// Modifiers that may stand after a parameter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// `:exact`, on strings.
    Exact,
    /// `:contains`, on strings.
    Contains,
    /// `:not`, on tokens.
    Not,
    /// `:missing`, on anything that does not name the patient.
    Missing,
}

impl Modifier {
    /// The modifier's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Contains => "contains",
            Self::Not => "not",
            Self::Missing => "missing",
        }
    }

    /// The modifier of that text, where it fits the kind.
    pub fn parse(text: &str, kind: Kind) -> Option<Self> {
        match (text, kind) {
            ("exact", Kind::Text) => Some(Self::Exact),
            ("contains", Kind::Text) => Some(Self::Contains),
            ("not", Kind::Token) => Some(Self::Not),
            ("missing", _) => Some(Self::Missing),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_is_listed_twice_and_no_parameter_twice() {
        for (n, rule) in TypeRule::all().iter().enumerate() {
            assert!(!TypeRule::all().iter().skip(n + 1).any(|r| r.resource_type == rule.resource_type));
            let mut names: Vec<_> = rule.params.iter().map(|(name, _)| *name).collect();
            names.extend(rule.patient_params);
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", rule.resource_type);
        }
    }

    #[test]
    fn every_owned_type_can_be_searched_by_its_patient() {
        for rule in TypeRule::all() {
            let owned = !matches!(rule.ownership, Ownership::Shared);
            assert_eq!(owned, !rule.patient_params.is_empty(), "{}", rule.resource_type);
        }
    }

    #[test]
    fn types_that_hold_other_resources_or_other_people_are_denied() {
        for t in [
            ResourceType::Bundle,
            ResourceType::Parameters,
            ResourceType::Person,
            ResourceType::Group,
            ResourceType::AuditEvent,
            ResourceType::Linkage,
            ResourceType::OperationOutcome,
            ResourceType::Subscription,
        ] {
            assert!(TypeRule::of(t).is_none(), "{t}");
        }
    }

    #[test]
    fn parameters_that_reach_other_resources_are_in_no_row() {
        for rule in TypeRule::all() {
            for name in [
                "_include",
                "_revinclude",
                "_has",
                "_filter",
                "_query",
                "_list",
                "_contained",
                "_text",
                "_content",
                "_type",
            ] {
                assert!(rule.param(name).is_none() && Control::parse(name).is_none(), "{name}");
            }
        }
    }
}
