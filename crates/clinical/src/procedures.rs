//! Procedures, done, planned and not done.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{
            Annotation, CodeableConcept, Element, Period, Quantity, Range, Reference, resource, shape,
        },
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::Value,
};

/// One procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Procedure {
    /// The resource.
    pub record: Record,
    /// What.
    pub what: Value<Concept>,
    /// It was not done.
    pub not_done: bool,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<Value<When>>,
    /// Where on the body.
    pub body_sites: Vec<Value<Concept>>,
    /// Why.
    pub reasons: Vec<Value<Concept>>,
    /// Who did it.
    pub performers: Vec<Value<String>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

resource! {
    Resource {
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        code: Option<CodeableConcept<'a>>,
        performed_date_time: Option<Str<'a>>,
        #[serde(rename = "_performedDateTime")]
        performed_element: Option<Element<'a>>,
        performed_period: Option<Period<'a>>,
        performed_string: Option<Str<'a>>,
        performed_age: Option<Quantity<'a>>,
        performed_range: Option<Range<'a>>,
        body_site: List<CodeableConcept<'a>>,
        reason_code: List<CodeableConcept<'a>>,
        performer: List<Performer<'a>>,
        note: List<Annotation<'a>>,
    }
}

shape! { Performer { actor: Option<Reference<'a>> } }

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Procedure> {
    let mut items: Vec<Procedure> = reading.each("Procedure", procedure);
    items.sort_by_cached_key(|item| {
        let newest = item.when.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), std::cmp::Reverse(newest))
    });
    items
}

fn procedure(source: &Source, record: Record, r: &Resource<'_>) -> Procedure {
    let status = text(&r.status);
    let standing =
        if status == Some("entered-in-error") { Standing::EnteredInError } else { Standing::Valid };
    Procedure {
        record: record.with(standing),
        what: source.required_concept("Procedure.code", &r.code, Wanted::Condition),
        not_done: status == Some("not-done"),
        status: source.string("Procedure.status", &r.status, &r.status_element),
        when: source
            .moment("Procedure.performedDateTime", &r.performed_date_time, &r.performed_element)
            .or_else(|| source.period("Procedure.performedPeriod", &r.performed_period))
            .or_else(|| source.in_words("Procedure.performedString", owned(&r.performed_string)))
            .or_else(|| {
                source
                    .in_words("Procedure.performedAge", crate::observations::quantity_words(&r.performed_age))
            })
            .or_else(|| {
                source.in_words(
                    "Procedure.performedRange",
                    crate::observations::range_words(&r.performed_range),
                )
            }),
        body_sites: source.concepts("Procedure.bodySite", &r.body_site, Wanted::Condition),
        reasons: source.concepts("Procedure.reasonCode", &r.reason_code, Wanted::Condition),
        performers: r
            .performer
            .iter()
            .filter_map(|p| source.named("Procedure.performer.actor", &p.actor))
            .collect(),
        notes: source.annotations("Procedure.note", &r.note),
    }
}
