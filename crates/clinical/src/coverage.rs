//! Insurance coverage.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{CodeableConcept, Element, Period, Reference, resource},
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::Value,
};

/// One coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Coverage {
    /// The resource.
    pub record: Record,
    /// What kind of plan.
    pub what: Value<Concept>,
    /// Whether it is in force according to its status.
    pub is_active: bool,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// Who pays.
    pub payors: Vec<Value<String>>,
    /// The member's number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscriber_id: Option<Value<String>>,
    /// Relationship to the subscriber.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relationship: Option<Value<Concept>>,
    /// Since and until when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<Value<When>>,
}

resource! {
    Resource {
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        #[serde(rename = "type")]
        kind: Option<CodeableConcept<'a>>,
        subscriber_id: Option<Str<'a>>,
        #[serde(rename = "_subscriberId")]
        subscriber_element: Option<Element<'a>>,
        relationship: Option<CodeableConcept<'a>>,
        period: Option<Period<'a>>,
        payor: List<Reference<'a>>,
    }
}

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Coverage> {
    let mut items = reading.each("Coverage", coverage);
    items.sort_by_cached_key(|item| {
        let newest = item.period.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), !item.is_active, std::cmp::Reverse(newest))
    });
    items
}

fn coverage(source: &Source, record: Record, r: &Resource<'_>) -> Coverage {
    let status = text(&r.status);
    let standing =
        if status == Some("entered-in-error") { Standing::EnteredInError } else { Standing::Valid };
    let payors =
        r.payor.iter().filter_map(|p| Some(Value::known(owned(&p.display)?, source.core("Coverage.payor"))));
    Coverage {
        record: record.with(standing),
        what: source.required_concept("Coverage.type", &r.kind, Wanted::Any),
        is_active: status == Some("active"),
        status: source.string("Coverage.status", &r.status, &r.status_element),
        payors: payors.collect(),
        subscriber_id: source.string("Coverage.subscriberId", &r.subscriber_id, &r.subscriber_element),
        relationship: source.concept("Coverage.relationship", &r.relationship, Wanted::Any),
        period: source.period("Coverage.period", &r.period),
    }
}
