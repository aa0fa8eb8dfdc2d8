//! The versions of FHIR that endpoints speak, and everything in which they differ from R4.
//!
//! The chart is mapped from R4 (and R4B, which changed none of its resources). A resource of another version is brought
//! into R4's form before it is read: members are renamed and rewrapped, values are copied as text, so that decimals and
//! extensions stay as sent. [`sent_path`] leads back, so that a value's provenance names the element that was sent.
//! Adding a version is one table here and nothing anywhere else.

mod dstu2;
mod members;
mod r5;
mod stu3;

use std::borrow::Cow;

use members::Members;
use serde::{Deserialize, Serialize};

use crate::Section;

/// A version of FHIR.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub enum FhirVersion {
    /// 1.0.2.
    #[serde(rename = "DSTU2")]
    Dstu2,
    /// 3.0.2.
    #[serde(rename = "STU3")]
    Stu3,
    /// 4.0.1.
    #[default]
    R4,
    /// 4.3.0.
    R4B,
    /// 5.0.0.
    R5,
}

/// The text names no version of FHIR that the chart can be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such FHIR version here: use one of DSTU2, STU3, R4, R4B, R5")]
pub struct UnknownVersion;

impl FhirVersion {
    /// Every version, oldest first.
    pub const ALL: &'static [Self] = &[Self::Dstu2, Self::Stu3, Self::R4, Self::R4B, Self::R5];

    /// The name in configuration and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dstu2 => "DSTU2",
            Self::Stu3 => "STU3",
            Self::R4 => "R4",
            Self::R4B => "R4B",
            Self::R5 => "R5",
        }
    }

    /// The version of a CapabilityStatement's (or Conformance's) `fhirVersion`, e.g. `4.0.1`.
    ///
    /// # Errors
    /// [`UnknownVersion`] for ballots and for versions that came later.
    pub fn from_statement(number: &str) -> Result<Self, UnknownVersion> {
        let mut parts = number.split(['.', '-']);
        match (parts.next(), parts.next()) {
            (Some("1"), Some("0")) => Ok(Self::Dstu2),
            (Some("3"), Some("0")) => Ok(Self::Stu3),
            (Some("4"), Some("0")) => Ok(Self::R4),
            (Some("4"), Some("3")) => Ok(Self::R4B),
            (Some("5"), Some("0")) => Ok(Self::R5),
            _ => Err(UnknownVersion),
        }
    }

    /// Whether that section is mapped from this version: all of it since R4, before that what records hold most of.
    pub fn maps(self, section: Section) -> bool {
        match self {
            Self::R4 | Self::R4B | Self::R5 => true,
            Self::Dstu2 | Self::Stu3 => matches!(
                section,
                Section::Banner
                    | Section::Problems
                    | Section::Medications
                    | Section::Allergies
                    | Section::Vitals
                    | Section::Results
            ),
        }
    }

    fn rules(self) -> &'static [TypeRules] {
        match self {
            Self::R4 | Self::R4B => &[],
            Self::R5 => r5::RULES,
            Self::Stu3 => stu3::RULES,
            Self::Dstu2 => dstu2::RULES,
        }
    }
}

impl std::str::FromStr for FhirVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or(UnknownVersion)
    }
}

impl FhirVersion {
    /// Whether a type goes by this name in this version: DSTU2 has a MedicationOrder, and no MedicationRequest.
    pub fn has_type(self, name: &str) -> bool {
        let renamed = |version: Self| version.rules().iter().filter(|rules| rules.sent != rules.r4);
        if renamed(self).any(|rules| rules.sent == name) {
            return true;
        }
        let is_renamed = renamed(self).any(|rules| rules.r4 == name);
        !is_renamed && !Self::ALL.iter().any(|other| renamed(*other).any(|rules| rules.sent == name))
    }
}

impl std::fmt::Display for FhirVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one resource type of a version becomes R4's.
struct TypeRules {
    /// The type's name in that version.
    sent: &'static str,
    /// Its name in R4.
    r4: &'static str,
    /// Members that only changed their name: sent, R4. What stands beside a primitive goes with it.
    renames: &'static [(&'static str, &'static str)],
    /// What changed its form; runs after the renames.
    reshape: fn(&mut Members<'_>),
    /// Paths of what was reshaped under another name: R4, sent.
    paths: &'static [(&'static str, &'static str)],
}

/// The R4 name of a type as that version calls it.
pub(crate) fn r4_type(version: FhirVersion, sent: &str) -> &str {
    version.rules().iter().find(|rules| rules.sent == sent).map_or(sent, |rules| rules.r4)
}

/// The name under which that version knows an R4 type.
pub(crate) fn sent_type(version: FhirVersion, r4: &'static str) -> &'static str {
    version.rules().iter().find(|rules| rules.r4 == r4).map_or(r4, |rules| rules.sent)
}

/// A resource in R4's form. Only what differs is written anew; `None` when it is no JSON object.
pub(crate) fn to_r4<'j>(version: FhirVersion, sent_type: &str, json: &'j [u8]) -> Option<Cow<'j, [u8]>> {
    let Some(rules) = version.rules().iter().find(|rules| rules.sent == sent_type) else {
        return Some(Cow::Borrowed(json));
    };
    let mut members = Members::parse(std::str::from_utf8(json).ok()?)?;
    for (from, to) in rules.renames {
        members.rename(from, to);
    }
    (rules.reshape)(&mut members);
    Some(Cow::Owned(members.into_json().into_bytes()))
}

/// The element that was sent for an R4 path (`Type.element…`): the way back from [`to_r4`].
pub(crate) fn sent_path(version: FhirVersion, path: Cow<'static, str>) -> Cow<'static, str> {
    if version.rules().is_empty() {
        return path;
    }
    let Some((r4, element)) = path.split_once('.') else { return path };
    let Some(rules) = version.rules().iter().find(|rules| rules.r4 == r4) else { return path };
    let renamed = rules.paths.iter().map(|(r4, sent)| (*r4, *sent));
    let renamed = renamed.chain(rules.renames.iter().map(|(sent, r4)| (*r4, *sent)));
    let mut renamed = renamed.filter_map(|(r4, sent)| {
        let rest = element.strip_prefix(r4)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{}.{sent}{rest}", rules.sent))
    });
    match renamed.next() {
        Some(sent) => Cow::Owned(sent),
        None if rules.sent != rules.r4 => Cow::Owned(format!("{}.{element}", rules.sent)),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_reads_back_from_its_name_and_its_number() {
        for version in FhirVersion::ALL {
            assert_eq!(version.as_str().parse::<FhirVersion>(), Ok(*version));
            assert_eq!(serde_json::to_string(version).unwrap(), format!("\"{version}\""));
        }
        let numbers = ["1.0.2", "3.0.2", "4.0.1", "4.3.0", "5.0.0"].map(FhirVersion::from_statement);
        assert!(numbers.iter().eq(FhirVersion::ALL.iter().map(|v| Ok(*v)).collect::<Vec<_>>().iter()));
        for unknown in ["", "4", "4.1.0", "6.0.0-ballot2", "R4"] {
            assert_eq!(FhirVersion::from_statement(unknown), Err(UnknownVersion), "{unknown}");
        }
        assert_eq!("r4".parse::<FhirVersion>(), Err(UnknownVersion));
    }

    #[test]
    fn a_path_leads_back_to_the_element_that_was_sent() {
        let sent = |version, path: &'static str| sent_path(version, Cow::Borrowed(path)).into_owned();
        assert_eq!(sent(FhirVersion::R4, "Condition.recordedDate"), "Condition.recordedDate");
        assert_eq!(sent(FhirVersion::Stu3, "Condition.recordedDate"), "Condition.assertedDate");
        assert_eq!(sent(FhirVersion::Dstu2, "AllergyIntolerance.code"), "AllergyIntolerance.substance");
        assert_eq!(sent(FhirVersion::Dstu2, "MedicationRequest.status"), "MedicationOrder.status");
        assert_eq!(
            sent(FhirVersion::R5, "MedicationRequest.medicationReference.display"),
            "MedicationRequest.medication.reference.display"
        );
        assert_eq!(sent(FhirVersion::Dstu2, "AllergyIntolerance.codes"), "AllergyIntolerance.codes");
    }

    #[test]
    fn the_order_and_text_of_what_did_not_change_are_kept() {
        let json = br#"{"resourceType":"Condition","x":1.50,"assertedDate":"2020","_assertedDate":{"id":"a"},"clinicalStatus":"active"}"#;
        let r4 = to_r4(FhirVersion::Stu3, "Condition", json).unwrap();
        assert_eq!(
            std::str::from_utf8(&r4).unwrap(),
            r#"{"resourceType":"Condition","x":1.50,"recordedDate":"2020","_recordedDate":{"id":"a"},"clinicalStatus":{"coding":[{"code":"active"}]}}"#
        );
        assert!(matches!(to_r4(FhirVersion::R4, "Condition", json), Some(Cow::Borrowed(_))));
        assert!(to_r4(FhirVersion::Stu3, "Condition", b"[]").is_none());
    }
}
