//! A value with its origin: where in which resource it stood, in which version, when it was read, or why it is absent.

use std::{borrow::Cow, sync::Arc};

use sallyport_model::Micros;
use serde::{Deserialize, Serialize};

/// Which layer of FHIR defines the element a value was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An element of the resource itself.
    Core,
    /// An extension or slice of a published profile (US Core, HL7).
    Profile,
    /// A vendor's own extension.
    Extension,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Provenance {
    /// The layer that defines the element.
    pub origin: Origin,
    /// What defines it where the resource type does not: the URL of the profile that the resource claims (`meta.profile`),
    /// or of the extension.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub defined_by: Option<String>,
    /// `Type/id`.
    #[schema(value_type = String)]
    pub reference: Arc<str>,
    /// `meta.versionId`, when sent.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Arc<str>>,
    /// The element as sent, e.g. `Patient.birthDate`.
    #[schema(value_type = String)]
    pub path: Cow<'static, str>,
    /// When it was read, microseconds since the epoch.
    pub read_at: Micros,
}

/// Why there is no value: the codes of `data-absent-reason`, which say different things to a clinician.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Absent {
    /// The element was not sent at all.
    NotSent,
    /// Expected to exist, not known.
    Unknown,
    /// Asked; the answer was that it is not known.
    AskedUnknown,
    /// Not known yet.
    TempUnknown,
    /// Nobody asked.
    NotAsked,
    /// Asked; the patient declined to answer.
    AskedDeclined,
    /// Withheld for privacy or security.
    Masked,
    /// There is no proper value in this case.
    NotApplicable,
    /// The source system cannot hold it.
    Unsupported,
    /// In the narrative text only.
    AsText,
    /// A fault in measuring or processing.
    Error,
    /// The procedure was not performed.
    NotPerformed,
    /// Not permitted to be given.
    NotPermitted,
    /// A reason this version does not know.
    Other,
}

impl Absent {
    /// The reason for a code of `data-absent-reason` or of HL7 v3 `NullFlavor`.
    pub fn from_code(code: &str) -> Self {
        match code {
            "unknown" | "UNK" | "NI" => Self::Unknown,
            "asked-unknown" | "ASKU" => Self::AskedUnknown,
            "temp-unknown" | "NAV" => Self::TempUnknown,
            "not-asked" | "NASK" => Self::NotAsked,
            "asked-declined" => Self::AskedDeclined,
            "masked" | "MSK" => Self::Masked,
            "not-applicable" | "NA" => Self::NotApplicable,
            "unsupported" => Self::Unsupported,
            "as-text" => Self::AsText,
            "error" | "not-a-number" | "NaN" | "negative-infinity" | "positive-infinity" => Self::Error,
            "not-performed" => Self::NotPerformed,
            "not-permitted" => Self::NotPermitted,
            _ => Self::Other,
        }
    }

    /// What a person reads in the value's place.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotSent | Self::Unknown | Self::Other => "Not known",
            Self::AskedUnknown => "Not known (asked)",
            Self::TempUnknown => "Not known yet",
            Self::NotAsked => "Not asked",
            Self::AskedDeclined => "Declined to answer",
            Self::Masked | Self::NotPermitted => "Withheld by the EHR",
            Self::NotApplicable => "Not applicable",
            Self::Unsupported => "Not held by the EHR",
            Self::AsText => "In the text only",
            Self::Error => "Error in the source",
            Self::NotPerformed => "Not performed",
        }
    }
}

/// A value, or why there is none, and where it comes from. Exactly one of `value` and `absent` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Value<T> {
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none", default = "none")]
    pub value: Option<T>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default = "none")]
    pub absent: Option<Absent>,
    /// Where it comes from.
    pub source: Provenance,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Value<T> {
    /// A known value.
    pub fn known(value: T, source: Provenance) -> Self {
        Self { value: Some(value), absent: None, source }
    }

    /// An absent value with its reason.
    pub fn absent(reason: Absent, source: Provenance) -> Self {
        Self { value: None, absent: Some(reason), source }
    }

    /// The value if there is one, else the words that stand in its place.
    pub fn known_or_words(&self) -> Result<&T, &'static str> {
        self.value.as_ref().ok_or_else(|| self.absent.unwrap_or(Absent::NotSent).words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_withheld_are_told_apart() {
        assert_eq!(Absent::from_code("unknown").words(), "Not known");
        assert_eq!(Absent::from_code("masked").words(), "Withheld by the EHR");
        assert_eq!(Absent::from_code("MSK"), Absent::Masked);
        assert_eq!(Absent::from_code("something new"), Absent::Other);
    }
}
