//! Vaccinations, given and not given.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{CodeableConcept, Element, resource, shape},
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::Value,
};

/// One vaccination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Immunization {
    /// The resource.
    pub record: Record,
    /// Which vaccine.
    pub what: Value<Concept>,
    /// It was not given: see the reason.
    pub not_given: bool,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// Why it has that status.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Value<Concept>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<Value<When>>,
    /// Which dose of the series.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dose: Option<Value<String>>,
    /// Lot number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lot: Option<Value<String>>,
    /// Whether it comes from who gave it (`true`) or was reported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub is_primary_source: Option<bool>,
}

resource! {
    Resource {
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        status_reason: Option<CodeableConcept<'a>>,
        vaccine_code: Option<CodeableConcept<'a>>,
        occurrence_date_time: Option<Str<'a>>,
        #[serde(rename = "_occurrenceDateTime")]
        occurrence_element: Option<Element<'a>>,
        occurrence_string: Option<Str<'a>>,
        lot_number: Option<Str<'a>>,
        primary_source: Option<bool>,
        protocol_applied: List<Protocol<'a>>,
    }
}

shape! {
    Protocol {
        dose_number_positive_int: Option<crate::parse::primitives::Number<'a>>,
        dose_number_string: Option<Str<'a>>,
    }
}

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Immunization> {
    let mut items: Vec<Immunization> = reading.each("Immunization", immunization);
    items.sort_by_cached_key(|item| {
        let newest = item.when.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), std::cmp::Reverse(newest))
    });
    items
}

fn immunization(source: &Source, record: Record, r: &Resource<'_>) -> Immunization {
    let status = text(&r.status);
    let standing =
        if status == Some("entered-in-error") { Standing::EnteredInError } else { Standing::Valid };
    let dose = r.protocol_applied.iter().find_map(|p| {
        p.dose_number_positive_int.map(|n| n.as_str().to_owned()).or_else(|| owned(&p.dose_number_string))
    });
    Immunization {
        record: record.with(standing),
        what: source.required_concept("Immunization.vaccineCode", &r.vaccine_code, Wanted::Vaccine),
        not_given: status == Some("not-done"),
        status: source.string("Immunization.status", &r.status, &r.status_element),
        reason: source.concept("Immunization.statusReason", &r.status_reason, Wanted::Any),
        when: source
            .moment("Immunization.occurrenceDateTime", &r.occurrence_date_time, &r.occurrence_element)
            .or_else(|| source.in_words("Immunization.occurrenceString", owned(&r.occurrence_string))),
        dose: dose.map(|d| Value::known(d, source.core("Immunization.protocolApplied.doseNumber"))),
        lot: source.string("Immunization.lotNumber", &r.lot_number, &None),
        is_primary_source: r.primary_source,
    }
}
