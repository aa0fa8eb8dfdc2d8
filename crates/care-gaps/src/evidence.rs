//! What a judgement says, and on what it rests. Holds patient data: no `Debug`, no `Display`; it is serialised to be sealed
//! or shown, nothing else.

use sallyport_clinical::{date::When, value::Provenance};
use serde::{Deserialize, Serialize};

use crate::day::{Day, Days};

/// What was found about a patient and a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What the measure asks for is missing.
    Gap,
    /// The record is missing something or says more than one thing.
    CannotTell,
    /// What the measure asks for is there.
    Met,
    /// The measure leaves this patient out.
    Excluded,
    /// The measure is not about this patient.
    NotInPopulation,
}

impl Outcome {
    /// Every outcome, the most urgent first.
    pub const ALL: &'static [Self] =
        &[Self::Gap, Self::CannotTell, Self::Met, Self::Excluded, Self::NotInPopulation];

    /// The name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::CannotTell => "cannot_tell",
            Self::Met => "met",
            Self::Excluded => "excluded",
            Self::NotInPopulation => "not_in_population",
        }
    }

    /// What a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Gap => "Care gap",
            Self::CannotTell => "Cannot tell",
            Self::Met => "Met",
            Self::Excluded => "Left out by the measure",
            Self::NotInPopulation => "Not about this patient",
        }
    }
}

/// To which part of a measure something belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who it is about.
    Population,
    /// Who is left out.
    Exclusion,
    /// What is asked for.
    Requirement,
}

/// How an entry of the record weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It decides.
    Counts,
    /// It may or may not count: somebody has to look.
    Unclear,
    /// It was looked at and does not count.
    DoesNotCount,
}

/// One entry of the record, and what it means for a measure.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// To which part of the measure it belongs.
    pub role: Role,
    /// How it weighs.
    pub weight: Weight,
    /// What was looked for.
    pub criterion: String,
    /// What it is, as the EHR names it.
    pub what: String,
    /// The code by which it was known, `system|code`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// Its value with its unit, as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// When it was, as sent and no more precise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<When>,
    /// The resource, its version, the element, when it was read.
    pub source: Provenance,
    /// What it means here, in words.
    pub why: String,
}

/// A day by which, or from which, something is to be done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The day.
    pub on: Day,
    /// Why that day, in words.
    pub why: String,
}

/// Where a measure was published.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its published name.
    pub name: String,
    /// Who keeps it.
    pub steward: String,
    /// Its published numbers.
    pub numbers: Vec<String>,
    /// The year for which it was published.
    pub year: u16,
    /// Where to read it.
    pub url: String,
}

/// What was found about one patient and one measure.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The measure's name in rules.
    pub measure: String,
    /// Its name for people.
    pub title: String,
    /// Where it was published.
    pub published: Published,
    /// The tenant's rule files that changed it; empty when it is as it ships.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed_by: Vec<String>,
    /// What was found.
    pub outcome: Outcome,
    /// Why, in plain sentences; the first says it all.
    pub why: Vec<String>,
    /// What to do; with a gap only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    /// The entries it rests on, and those that were looked at and do not count.
    pub evidence: Vec<Evidence>,
    /// The period in which the measure asks.
    pub period: Days,
    /// The day of judging.
    pub judged_on: Day,
    /// For a gap the end of the period, for what is met the day from which it no longer is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due: Option<Due>,
}
