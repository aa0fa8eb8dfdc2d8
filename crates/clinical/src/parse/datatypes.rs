//! The R4 datatypes the chart reads, borrowed from the answer.

use serde::Deserialize;

use super::primitives::{List, Number, Str};

/// Declares a borrowed shape whose absent members are empty.
///
/// serde would also take a list for an object, entry by entry in the order of the members here; a server that sends one is
/// not understood. Hence the derived reader is kept behind one that takes objects only.
macro_rules! shape {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Default, serde::Deserialize)]
        #[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
        pub(crate) struct $name<'a> {
            $($(#[$field_meta])* pub(crate) $field: $kind,)*
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Objects<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Objects<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$name<'a>, A::Error> {
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_map(Objects(std::marker::PhantomData))
            }
        }
    };
}
pub(crate) use shape;

/// Declares the shape of a resource: what every resource has, and its own members, read in one pass.
macro_rules! resource {
    ($(#[$meta:meta])* $name:ident { $($body:tt)* }) => {
        crate::parse::datatypes::shape! {
            $(#[$meta])*
            $name {
                id: Option<crate::parse::primitives::Str<'a>>,
                meta: Option<crate::parse::datatypes::Meta<'a>>,
                implicit_rules: Option<crate::parse::primitives::Str<'a>>,
                modifier_extension: crate::parse::primitives::List<crate::parse::datatypes::ExtensionUrl<'a>>,
                $($body)*
            }
        }

        impl<'a> crate::parse::datatypes::Resource<'a> for $name<'a> {
            fn head(&self) -> crate::parse::datatypes::Head<'_, 'a> {
                crate::parse::datatypes::Head {
                    id: &self.id,
                    meta: &self.meta,
                    implicit_rules: &self.implicit_rules,
                    modifier_extension: &self.modifier_extension,
                }
            }
        }
    };
}
pub(crate) use resource;

/// What every resource has.
pub(crate) struct Head<'s, 'a> {
    pub(crate) id: &'s Option<Str<'a>>,
    pub(crate) meta: &'s Option<Meta<'a>>,
    pub(crate) implicit_rules: &'s Option<Str<'a>>,
    pub(crate) modifier_extension: &'s List<ExtensionUrl<'a>>,
}

/// A resource's shape.
pub(crate) trait Resource<'a>: Deserialize<'a> {
    /// What every resource has.
    fn head(&self) -> Head<'_, 'a>;
}

shape! {
    /// An extension of which only the name matters.
    ExtensionUrl { url: Option<Str<'a>> }
}

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
    /// A resource of which nothing but its name can be read.
    Name { id: Option<Str<'a>> }
}

/// The text of a reference that points somewhere, if any.
pub(crate) fn target<'s>(reference: &'s Option<Reference<'_>>) -> Option<&'s str> {
    reference.as_ref().and_then(|r| super::primitives::text(&r.reference))
}

/// Reads `json` as `T`, borrowing. That it is UTF-8 is looked at once for the whole, not string by string.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    serde_json::from_str(std::str::from_utf8(json).ok()?).ok()
}
