//! The R4 datatypes the chart reads, borrowed from the answer.

use serde::Deserialize;

use super::primitives::{List, Number, Str};

/// Declares a borrowed shape whose absent members are empty.
macro_rules! shape {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
        pub(crate) struct $name<'a> {
            $($(#[$field_meta])* pub(crate) $field: $kind,)*
        }
    };
}
pub(crate) use shape;

shape! {
    /// What stands beside a primitive as `_name`.
    Element { extension: List<Extension<'a>> }
}

shape! {
    /// An extension with the value types that the chart reads.
    Extension {
        url: Option<Str<'a>>,
        extension: List<Extension<'a>>,
        value_string: Option<Str<'a>>,
        value_code: Option<Str<'a>>,
        value_boolean: Option<bool>,
        value_coding: Option<Coding<'a>>,
        value_codeable_concept: Option<CodeableConcept<'a>>,
    }
}

shape! {
    /// `Coding`.
    Coding {
        extension: List<Extension<'a>>,
        system: Option<Str<'a>>,
        code: Option<Str<'a>>,
        display: Option<Str<'a>>,
        user_selected: Option<bool>,
    }
}

shape! {
    /// `CodeableConcept`.
    CodeableConcept {
        extension: List<Extension<'a>>,
        coding: List<Coding<'a>>,
        text: Option<Str<'a>>,
    }
}

shape! {
    /// `Quantity` and its specialisations.
    Quantity {
        extension: List<Extension<'a>>,
        value: Option<Number<'a>>,
        comparator: Option<Str<'a>>,
        unit: Option<Str<'a>>,
        system: Option<Str<'a>>,
        code: Option<Str<'a>>,
    }
}

shape! {
    /// `Range`, and `Observation.referenceRange` which is one with more to it.
    Range {
        low: Option<Quantity<'a>>,
        high: Option<Quantity<'a>>,
        #[serde(rename = "type")]
        kind: Option<CodeableConcept<'a>>,
        applies_to: List<CodeableConcept<'a>>,
        age: Option<Box<Range<'a>>>,
        text: Option<Str<'a>>,
    }
}

shape! {
    /// `Ratio`.
    Ratio { numerator: Option<Quantity<'a>>, denominator: Option<Quantity<'a>> }
}

shape! {
    /// `Period`.
    Period { extension: List<Extension<'a>>, start: Option<Str<'a>>, end: Option<Str<'a>> }
}

shape! {
    /// `Reference`.
    Reference {
        extension: List<Extension<'a>>,
        reference: Option<Str<'a>>,
        display: Option<Str<'a>>,
    }
}

shape! {
    /// `Identifier`.
    Identifier {
        #[serde(rename = "use")]
        usage: Option<Str<'a>>,
        #[serde(rename = "type")]
        kind: Option<CodeableConcept<'a>>,
        system: Option<Str<'a>>,
        value: Option<Str<'a>>,
        #[serde(rename = "_value")]
        value_element: Option<Element<'a>>,
        period: Option<Period<'a>>,
        assigner: Option<Reference<'a>>,
    }
}

shape! {
    /// `HumanName`.
    HumanName {
        extension: List<Extension<'a>>,
        #[serde(rename = "use")]
        usage: Option<Str<'a>>,
        text: Option<Str<'a>>,
        family: Option<Str<'a>>,
        given: List<Str<'a>>,
        prefix: List<Str<'a>>,
        suffix: List<Str<'a>>,
        period: Option<Period<'a>>,
    }
}

shape! {
    /// `Address`.
    Address {
        #[serde(rename = "use")]
        usage: Option<Str<'a>>,
        text: Option<Str<'a>>,
        line: List<Str<'a>>,
        city: Option<Str<'a>>,
        state: Option<Str<'a>>,
        postal_code: Option<Str<'a>>,
        country: Option<Str<'a>>,
        period: Option<Period<'a>>,
    }
}

shape! {
    /// `ContactPoint`.
    ContactPoint {
        system: Option<Str<'a>>,
        value: Option<Str<'a>>,
        #[serde(rename = "use")]
        usage: Option<Str<'a>>,
    }
}

shape! {
    /// `Annotation`.
    Annotation { text: Option<Str<'a>>, time: Option<Str<'a>> }
}

shape! {
    /// `Attachment`.
    Attachment {
        extension: List<Extension<'a>>,
        content_type: Option<Str<'a>>,
        data: Option<Str<'a>>,
        url: Option<Str<'a>>,
        size: Option<Number<'a>>,
        title: Option<Str<'a>>,
        creation: Option<Str<'a>>,
    }
}

shape! {
    /// `Meta`.
    Meta {
        version_id: Option<Str<'a>>,
        last_updated: Option<Str<'a>>,
        profile: List<Str<'a>>,
        security: List<Coding<'a>>,
    }
}

shape! {
    /// What every resource has, read before the rest.
    Head {
        resource_type: Option<Str<'a>>,
        id: Option<Str<'a>>,
        meta: Option<Meta<'a>>,
        implicit_rules: Option<Str<'a>>,
        modifier_extension: List<Extension<'a>>,
    }
}

/// The text of a reference that points somewhere, if any.
pub(crate) fn target<'s>(reference: &'s Option<Reference<'_>>) -> Option<&'s str> {
    reference.as_ref().and_then(|r| super::primitives::text(&r.reference))
}

/// Reads `json` as `T`, borrowing.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}
