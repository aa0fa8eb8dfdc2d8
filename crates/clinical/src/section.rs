//! The sections of the chart, as they stand in addresses, features and documents.

use serde::{Deserialize, Serialize};

/// One section of the normalised chart.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Who the patient is, and the encounter in context.
    Banner,
    /// The problem list and encounter diagnoses.
    Problems,
    /// Medication orders.
    Medications,
    /// Allergies and intolerances.
    Allergies,
    /// Vital signs.
    Vitals,
    /// Laboratory results.
    Results,
    /// Visits and stays.
    Encounters,
    /// Notes, letters and reports.
    Documents,
    /// Vaccinations.
    Immunizations,
    /// Procedures.
    Procedures,
    /// Who looks after the patient.
    Careteam,
    /// Insurance.
    Coverage,
}

/// The text names no section of the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no such chart section: use one of banner, problems, medications, allergies, vitals, results, encounters, documents, immunizations, procedures, careteam, coverage"
)]
pub struct UnknownSection;

impl Section {
    /// Every section, in the order in which a chart shows them.
    pub const ALL: &'static [Self] = &[
        Self::Banner,
        Self::Problems,
        Self::Medications,
        Self::Allergies,
        Self::Vitals,
        Self::Results,
        Self::Encounters,
        Self::Documents,
        Self::Immunizations,
        Self::Procedures,
        Self::Careteam,
        Self::Coverage,
    ];

    /// The name in addresses and feature declarations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Problems => "problems",
            Self::Medications => "medications",
            Self::Allergies => "allergies",
            Self::Vitals => "vitals",
            Self::Results => "results",
            Self::Encounters => "encounters",
            Self::Documents => "documents",
            Self::Immunizations => "immunizations",
            Self::Procedures => "procedures",
            Self::Careteam => "careteam",
            Self::Coverage => "coverage",
        }
    }
}

impl std::str::FromStr for Section {
    type Err = UnknownSection;

    fn from_str(text: &str) -> Result<Self, UnknownSection> {
        Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or(UnknownSection)
    }
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_reads_back_from_its_name() {
        for section in Section::ALL {
            assert_eq!(section.as_str().parse::<Section>(), Ok(*section));
            assert_eq!(serde_json::to_string(section).unwrap(), format!("\"{section}\""));
        }
        assert_eq!("Banner".parse::<Section>(), Err(UnknownSection));
        assert_eq!("".parse::<Section>(), Err(UnknownSection));
    }
}
