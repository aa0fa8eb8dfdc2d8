//! The search parameters of each resource type, after US Core and FHIR R4.

mod table;

use self::table::OTHERS;
pub(crate) use self::table::{COMMON, DEFINITIONS};

/// How a parameter's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Token,
    /// A reference, to one type only where one is named.
    Reference(Option<&'static str>),
    Date,
    Text,
}

/// One search parameter: where in a resource its values are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Element paths; arrays on the way are walked through.
    pub(crate) paths: &'static [&'static str],
}

/// What can be asked of one type.
pub(crate) struct Definition {
    pub(crate) kind: &'static str,
    /// US Core profiles, last parts of their addresses.
    pub(crate) profiles: &'static [&'static str],
    pub(crate) params: &'static [Param],
    /// Parameters by which referenced resources can be included.
    pub(crate) includes: &'static [&'static str],
}

/// The definition of a type, where it has one.
pub(crate) fn definition(kind: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.kind == kind)
}

/// The parameters of a type beside the common ones.
pub(crate) fn own(kind: &str) -> &'static [Param] {
    definition(kind).map_or(&OTHERS, |definition| definition.params)
}

/// A parameter of a type by name.
pub(crate) fn find(kind: &str, name: &str) -> Option<&'static Param> {
    own(kind).iter().chain(&COMMON).find(|param| param.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_within_a_type_and_every_include_is_a_reference() {
        for definition in &DEFINITIONS {
            let names: HashSet<_> = definition.params.iter().chain(&COMMON).map(|param| param.name).collect();
            assert_eq!(names.len(), definition.params.len() + COMMON.len(), "{}", definition.kind);
            for include in definition.includes {
                let param = find(definition.kind, include).unwrap();
                assert!(matches!(param.shape, Shape::Reference(_)), "{} {include}", definition.kind);
            }
        }
    }

    #[test]
    fn a_type_without_a_row_can_still_be_searched_by_patient() {
        assert!(find("Claim", "patient").is_some() && find("Claim", "_id").is_some());
        assert!(find("Claim", "date").is_none());
    }
}
