//! Allergies and intolerances, with the difference between "none known" and "nothing recorded".

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    conditions::standing,
    date::When,
    mapping::SNOMED,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Period, Quantity, Range, resource, shape},
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::Value,
};

/// What the record as a whole says about allergies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllergyStatement {
    /// At least one allergy or intolerance is recorded.
    Listed,
    /// Somebody recorded that none are known.
    NoneKnown,
    /// Nothing is recorded: this says nothing about the patient.
    NothingRecorded,
}

/// The section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Allergies {
    /// What it says as a whole.
    pub statement: AllergyStatement,
    /// The entries: current first, most critical first.
    pub items: Vec<Allergy>,
}

/// How grave a reaction could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// High: could threaten life.
    High,
    /// Not assessed, or not sent.
    NotAssessed,
    /// Low.
    Low,
}

/// One allergy, intolerance, or statement that none is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Allergy {
    /// The resource.
    pub record: Record,
    /// To what.
    pub what: Value<Concept>,
    /// It states the absence of allergies ("no known allergy").
    pub is_absence: bool,
    /// Whether it is current (status active, or none sent).
    pub is_current: bool,
    /// The clinical status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clinical_status: Option<Value<Concept>>,
    /// The verification status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verification: Option<Value<Concept>>,
    /// How grave it could be.
    pub criticality: Criticality,
    /// Criticality as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub criticality_sent: Option<Value<String>>,
    /// Allergy or intolerance.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mechanism: Option<Value<String>>,
    /// Food, medication, environment, biologic.
    pub categories: Vec<Value<String>>,
    /// What happened.
    pub reactions: Vec<Reaction>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub onset: Option<Value<When>>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded: Option<Value<When>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

/// One reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reaction {
    /// How it showed.
    pub manifestations: Vec<Value<Concept>>,
    /// Mild, moderate or severe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<Value<String>>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<Value<String>>,
}

/// SNOMED CT concepts below "no known allergy" that EHRs send (US Core value set for AllergyIntolerance.code).
const NO_KNOWN: &[&str] = &[
    "716186003",
    "409137002",
    "428607008",
    "429625007",
    "716184000",
    "716185004",
    "160244002",
    "1003774007",
];

resource! {
    Resource {
        clinical_status: Option<CodeableConcept<'a>>,
        verification_status: Option<CodeableConcept<'a>>,
        #[serde(rename = "type")]
        kind: Option<Str<'a>>,
        category: List<Str<'a>>,
        criticality: Option<Str<'a>>,
        #[serde(rename = "_criticality")]
        criticality_element: Option<Element<'a>>,
        code: Option<CodeableConcept<'a>>,
        onset_date_time: Option<Str<'a>>,
        #[serde(rename = "_onsetDateTime")]
        onset_element: Option<Element<'a>>,
        onset_period: Option<Period<'a>>,
        onset_age: Option<Quantity<'a>>,
        onset_range: Option<Range<'a>>,
        onset_string: Option<Str<'a>>,
        recorded_date: Option<Str<'a>>,
        #[serde(rename = "_recordedDate")]
        recorded_element: Option<Element<'a>>,
        reaction: List<ReactionShape<'a>>,
        note: List<Annotation<'a>>,
    }
}

shape! {
    ReactionShape {
        manifestation: List<CodeableConcept<'a>>,
        description: Option<Str<'a>>,
        severity: Option<Str<'a>>,
    }
}

pub(crate) fn read(reading: &Reading<'_>) -> Allergies {
    let mut items: Vec<Allergy> = reading.each("AllergyIntolerance", allergy);
    items.sort_by_cached_key(|item| {
        let newest = item.recorded.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (
            !item.record.is_valid(),
            !item.is_current,
            item.is_absence,
            item.criticality,
            std::cmp::Reverse(newest),
        )
    });
    let counts = |item: &&Allergy| item.record.is_valid() && item.is_current;
    let statement = if items.iter().filter(counts).any(|item| !item.is_absence) {
        AllergyStatement::Listed
    } else if items.iter().filter(counts).any(|item| item.is_absence) {
        AllergyStatement::NoneKnown
    } else {
        AllergyStatement::NothingRecorded
    };
    Allergies { statement, items }
}

fn allergy(source: &Source, record: Record, r: &Resource<'_>) -> Allergy {
    let verification =
        source.concept("AllergyIntolerance.verificationStatus", &r.verification_status, Wanted::Any);
    let clinical_status =
        source.concept("AllergyIntolerance.clinicalStatus", &r.clinical_status, Wanted::Any);
    let what = source.required_concept("AllergyIntolerance.code", &r.code, Wanted::Substance);
    let snomed_absence = |c: &Concept| {
        let codes = c.codings.iter().filter(|c| source.rules().is_of(c, SNOMED));
        codes.filter_map(|c| c.code.as_deref()).any(|code| NO_KNOWN.contains(&code))
    };
    let named_absence = |c: &Concept| {
        // Only when no code says otherwise: the text alone is trusted for these two phrases and no others.
        c.codings.is_empty()
            && ["no known allergies", "no known allergy"].contains(&c.name.to_lowercase().as_str())
    };
    let is_absence = what.value.as_ref().is_some_and(|c| snomed_absence(c) || named_absence(c));
    let ended = |c: &Concept| c.has_code("inactive") || c.has_code("resolved");
    Allergy {
        record: record.with(standing(verification.as_ref())),
        is_absence,
        is_current: !clinical_status.as_ref().and_then(|s| s.value.as_ref()).is_some_and(ended),
        criticality: match text(&r.criticality) {
            Some("high") => Criticality::High,
            Some("low") => Criticality::Low,
            _ => Criticality::NotAssessed,
        },
        criticality_sent: source.string(
            "AllergyIntolerance.criticality",
            &r.criticality,
            &r.criticality_element,
        ),
        mechanism: source.string("AllergyIntolerance.type", &r.kind, &None),
        categories: r
            .category
            .iter()
            .filter_map(|c| {
                Some(Value::known(c.text()?.to_owned(), source.core("AllergyIntolerance.category")))
            })
            .collect(),
        reactions: r.reaction.iter().map(|reaction| reaction_of(source, reaction)).collect(),
        onset: source
            .moment("AllergyIntolerance.onsetDateTime", &r.onset_date_time, &r.onset_element)
            .or_else(|| source.period("AllergyIntolerance.onsetPeriod", &r.onset_period))
            .or_else(|| {
                source.in_words(
                    "AllergyIntolerance.onsetAge",
                    crate::observations::quantity_words(&r.onset_age),
                )
            })
            .or_else(|| {
                source.in_words(
                    "AllergyIntolerance.onsetRange",
                    crate::observations::range_words(&r.onset_range),
                )
            })
            .or_else(|| source.in_words("AllergyIntolerance.onsetString", owned(&r.onset_string))),
        recorded: source.moment("AllergyIntolerance.recordedDate", &r.recorded_date, &r.recorded_element),
        notes: source.annotations("AllergyIntolerance.note", &r.note),
        what,
        clinical_status,
        verification,
    }
}

fn reaction_of(source: &Source, r: &ReactionShape<'_>) -> Reaction {
    Reaction {
        manifestations: source.concepts(
            "AllergyIntolerance.reaction.manifestation",
            &r.manifestation,
            Wanted::Condition,
        ),
        severity: source.string("AllergyIntolerance.reaction.severity", &r.severity, &None),
        description: source.string("AllergyIntolerance.reaction.description", &r.description, &None),
    }
}

impl Allergy {
    /// Whether it counts as an allergy of the patient now.
    pub fn counts(&self) -> bool {
        self.record.standing == Standing::Valid && self.is_current && !self.is_absence
    }
}
