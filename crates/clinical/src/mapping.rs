//! The versions of the mapping from FHIR to the chart, side by side: an endpoint is pinned to one, and moves on when
//! somebody has seen with `sallyport reconcile` what would change.
//!
//! What differs between versions stands here and nowhere else: the rest of the crate asks the mapping for its rules. A
//! mapping that was released never changes its rules; a better rule is a new version.

use serde::{Deserialize, Serialize};

use crate::concept::{Coding, Wanted};

/// A version of the mapping.
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
pub enum Mapping {
    /// The first.
    #[default]
    #[serde(rename = "2026.1")]
    V2026_1,
    /// Standard code systems are known by their OIDs too (`urn:oid:2.16.840.1.113883.6.1` is LOINC), and of several LOINC
    /// codes of a vital sign the vital-signs profile's own is chosen, so that one sign is one series.
    #[serde(rename = "2026.2")]
    V2026_2,
}

/// The text names no version of the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such mapping version: use one of 2026.1, 2026.2")]
pub struct UnknownMapping;

impl Mapping {
    /// Every version, oldest first.
    pub const ALL: &'static [Self] = &[Self::V2026_1, Self::V2026_2];

    /// The name in tenant files, answers and audit records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2026_1 => "2026.1",
            Self::V2026_2 => "2026.2",
        }
    }

    pub(crate) fn rules(self) -> Rules {
        match self {
            Self::V2026_1 => Rules { knows_oids: false, vital_signs: &[] },
            Self::V2026_2 => Rules { knows_oids: true, vital_signs: VITAL_SIGNS },
        }
    }
}

impl std::str::FromStr for Mapping {
    type Err = UnknownMapping;

    fn from_str(text: &str) -> Result<Self, UnknownMapping> {
        Self::ALL.iter().copied().find(|m| m.as_str() == text).ok_or(UnknownMapping)
    }
}

impl std::fmt::Display for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A standard code system: its URI, and the OID under which v2 and CDA know it (R4 §4.3 "using codes").
pub(crate) struct System {
    pub(crate) uri: &'static str,
    oid: &'static str,
}

pub(crate) const SNOMED: &System =
    &System { uri: "http://snomed.info/sct", oid: "urn:oid:2.16.840.1.113883.6.96" };
pub(crate) const LOINC: &System = &System { uri: "http://loinc.org", oid: "urn:oid:2.16.840.1.113883.6.1" };
const RXNORM: &System =
    &System { uri: "http://www.nlm.nih.gov/research/umls/rxnorm", oid: "urn:oid:2.16.840.1.113883.6.88" };
const NDC: &System = &System { uri: "http://hl7.org/fhir/sid/ndc", oid: "urn:oid:2.16.840.1.113883.6.69" };
const ICD_10_CM: &System =
    &System { uri: "http://hl7.org/fhir/sid/icd-10-cm", oid: "urn:oid:2.16.840.1.113883.6.90" };
const ICD_10: &System =
    &System { uri: "http://hl7.org/fhir/sid/icd-10", oid: "urn:oid:2.16.840.1.113883.6.3" };
const CVX: &System = &System { uri: "http://hl7.org/fhir/sid/cvx", oid: "urn:oid:2.16.840.1.113883.12.292" };

/// The codes that the R4 vital-signs profile requires of each sign (R4 observation-vitalsigns, table of "magic values").
const VITAL_SIGNS: &[&str] =
    &["85353-1", "9279-1", "8867-4", "2708-6", "8310-5", "8302-2", "9843-4", "29463-7", "39156-5", "85354-9"];

/// What a mapping's versions may differ in.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    knows_oids: bool,
    vital_signs: &'static [&'static str],
}

impl Rules {
    /// The standard systems for what is wanted, the most wanted first.
    pub(crate) fn standard_systems(self, wanted: Wanted) -> &'static [&'static System] {
        match wanted {
            Wanted::Condition => &[SNOMED, ICD_10_CM, ICD_10],
            Wanted::Medication => &[RXNORM, NDC, SNOMED],
            Wanted::Substance => &[RXNORM, SNOMED],
            Wanted::Measurement => &[LOINC],
            Wanted::Vaccine => &[CVX],
            Wanted::Any => &[],
        }
    }

    /// Whether a code is of that system, however its system is spelled.
    pub(crate) fn is_of(self, coding: &Coding, system: &System) -> bool {
        let sent = coding.system.as_deref();
        sent == Some(system.uri) || (self.knows_oids && sent == Some(system.oid))
    }

    /// Whether it is the code by which the vital-signs profile knows the sign.
    pub(crate) fn is_vital_sign(self, coding: &Coding) -> bool {
        let code = coding.code.as_deref();
        code.is_some_and(|code| self.vital_signs.contains(&code)) && self.is_of(coding, LOINC)
    }

    /// `system|code`, with one spelling for LOINC, so that the same observation has the same key.
    pub(crate) fn token(self, coding: &Coding) -> Option<String> {
        let is_loinc = self.is_of(coding, LOINC);
        let system = if is_loinc { LOINC.uri } else { coding.system.as_deref().unwrap_or("") };
        Some(format!("{system}|{}", coding.code.as_deref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapping_reads_back_from_its_name_and_an_unknown_one_is_told_the_list() {
        for mapping in Mapping::ALL {
            assert_eq!(mapping.as_str().parse::<Mapping>(), Ok(*mapping));
            assert_eq!(serde_json::to_string(mapping).unwrap(), format!("\"{mapping}\""));
            assert!(UnknownMapping.to_string().contains(mapping.as_str()));
        }
        assert_eq!("2025.9".parse::<Mapping>(), Err(UnknownMapping));
    }
}
