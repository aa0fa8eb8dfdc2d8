//! Conditions: the problem list, and encounter diagnoses beside it.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Period, Quantity, Range, Reference, resource},
        primitives::{List, Str, owned},
    },
    record::{Record, Standing},
    value::Value,
};

/// Whether a condition is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionState {
    /// Active, recurrent or relapsed.
    Active,
    /// The EHR does not say (encounter diagnoses at some vendors carry no status).
    NotStated,
    /// Inactive, in remission or resolved.
    Inactive,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Condition {
    /// The resource.
    pub record: Record,
    /// What it is.
    pub what: Value<Concept>,
    /// Whether it is there now.
    pub state: ConditionState,
    /// The clinical status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clinical_status: Option<Value<Concept>>,
    /// The verification status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verification: Option<Value<Concept>>,
    /// Problem list item, encounter diagnosis, health concern.
    pub categories: Vec<Value<Concept>>,
    /// How severe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<Value<Concept>>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub onset: Option<Value<When>>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub abatement: Option<Value<When>>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded: Option<Value<When>>,
    /// Who recorded it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorder: Option<Value<String>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

impl Condition {
    /// Whether it belongs to the visit rather than to the problem list.
    pub fn is_encounter_diagnosis(&self) -> bool {
        let of = |category: &Value<Concept>, code: &str, name: &str| {
            category.value.as_ref().is_some_and(|c| c.has_code(code) || c.name.eq_ignore_ascii_case(name))
        };
        self.categories.iter().any(|c| of(c, "encounter-diagnosis", "Encounter Diagnosis"))
            && !self.categories.iter().any(|c| of(c, "problem-list-item", "Problem List Item"))
    }
}

resource! {
    Resource {
        clinical_status: Option<CodeableConcept<'a>>,
        verification_status: Option<CodeableConcept<'a>>,
        category: List<CodeableConcept<'a>>,
        severity: Option<CodeableConcept<'a>>,
        code: Option<CodeableConcept<'a>>,
        onset_date_time: Option<Str<'a>>,
        #[serde(rename = "_onsetDateTime")]
        onset_element: Option<Element<'a>>,
        onset_period: Option<Period<'a>>,
        onset_age: Option<Quantity<'a>>,
        onset_range: Option<Range<'a>>,
        onset_string: Option<Str<'a>>,
        abatement_date_time: Option<Str<'a>>,
        #[serde(rename = "_abatementDateTime")]
        abatement_element: Option<Element<'a>>,
        abatement_period: Option<Period<'a>>,
        abatement_age: Option<Quantity<'a>>,
        abatement_range: Option<Range<'a>>,
        abatement_string: Option<Str<'a>>,
        recorded_date: Option<Str<'a>>,
        #[serde(rename = "_recordedDate")]
        recorded_element: Option<Element<'a>>,
        recorder: Option<Reference<'a>>,
        note: List<Annotation<'a>>,
    }
}

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Condition> {
    let mut items: Vec<Condition> = reading.each("Condition", condition);
    items.sort_by_cached_key(|item| {
        let newest = item.onset.as_ref().or(item.recorded.as_ref()).and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), item.state, item.is_encounter_diagnosis(), std::cmp::Reverse(newest))
    });
    items
}

fn condition(source: &Source, record: Record, r: &Resource<'_>) -> Condition {
    let clinical_status = source.concept("Condition.clinicalStatus", &r.clinical_status, Wanted::Any);
    let verification = source.concept("Condition.verificationStatus", &r.verification_status, Wanted::Any);
    let standing = standing(verification.as_ref());
    let has = |code: &str| {
        clinical_status.as_ref().and_then(|s| s.value.as_ref()).is_some_and(|c| c.has_code(code))
    };
    let abatement = source
        .moment("Condition.abatementDateTime", &r.abatement_date_time, &r.abatement_element)
        .or_else(|| source.period("Condition.abatementPeriod", &r.abatement_period))
        .or_else(|| {
            source.in_words("Condition.abatementAge", crate::observations::quantity_words(&r.abatement_age))
        })
        .or_else(|| {
            source.in_words("Condition.abatementRange", crate::observations::range_words(&r.abatement_range))
        })
        .or_else(|| source.in_words("Condition.abatementString", owned(&r.abatement_string)));
    let state = if ["active", "recurrence", "relapse"].iter().any(|c| has(c)) {
        ConditionState::Active
    } else if ["inactive", "remission", "resolved"].iter().any(|c| has(c)) || abatement.is_some() {
        ConditionState::Inactive
    } else {
        ConditionState::NotStated
    };
    Condition {
        record: record.with(standing),
        what: source.required_concept("Condition.code", &r.code, Wanted::Condition),
        state,
        categories: source.concepts("Condition.category", &r.category, Wanted::Any),
        severity: source.concept("Condition.severity", &r.severity, Wanted::Any),
        onset: source
            .moment("Condition.onsetDateTime", &r.onset_date_time, &r.onset_element)
            .or_else(|| source.period("Condition.onsetPeriod", &r.onset_period))
            .or_else(|| {
                source.in_words("Condition.onsetAge", crate::observations::quantity_words(&r.onset_age))
            })
            .or_else(|| {
                source.in_words("Condition.onsetRange", crate::observations::range_words(&r.onset_range))
            })
            .or_else(|| source.in_words("Condition.onsetString", owned(&r.onset_string))),
        abatement,
        recorded: source.moment("Condition.recordedDate", &r.recorded_date, &r.recorded_element),
        recorder: source.named("Condition.recorder", &r.recorder),
        notes: source.annotations("Condition.note", &r.note),
        clinical_status,
        verification,
    }
}

/// `entered-in-error` and `refuted` never count as truth (R4 Condition.verificationStatus, AllergyIntolerance too).
pub(crate) fn standing(verification: Option<&Value<Concept>>) -> Standing {
    let concept = verification.and_then(|v| v.value.as_ref());
    match concept {
        Some(c) if c.has_code("entered-in-error") => Standing::EnteredInError,
        Some(c) if c.has_code("refuted") => Standing::Refuted,
        _ => Standing::Valid,
    }
}
