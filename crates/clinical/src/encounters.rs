//! Encounters: visits and stays.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Coding, Concept, Wanted},
    date::When,
    parse::{
        Reading, Source, datatypes,
        datatypes::{CodeableConcept, Element, Period, Reference, resource, shape, target},
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::{Absent, Value},
};

/// One encounter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Encounter {
    /// The resource.
    pub record: Record,
    /// It is the one the launch is about.
    pub is_in_context: bool,
    /// What kind of visit; the class stands in when no type was sent.
    pub what: Value<Concept>,
    /// Ambulatory, inpatient, emergency, …
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Value<Concept>>,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<Value<When>>,
    /// Why.
    pub reasons: Vec<Value<Concept>>,
    /// Where.
    pub locations: Vec<Value<String>>,
    /// With whom.
    pub participants: Vec<Value<String>>,
    /// Which organisation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<Value<String>>,
}

resource! {
    Resource {
        contained: List<ContainedPlace<'a>>,
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        class: Option<datatypes::Coding<'a>>,
        #[serde(rename = "type")]
        kind: List<CodeableConcept<'a>>,
        period: Option<Period<'a>>,
        reason_code: List<CodeableConcept<'a>>,
        location: List<Place<'a>>,
        participant: List<Participant<'a>>,
        service_provider: Option<Reference<'a>>,
    }
}

shape! { Place { location: Option<Reference<'a>> } }
shape! { ContainedPlace { id: Option<Str<'a>>, name: Option<Str<'a>> } }
shape! { Participant { individual: Option<Reference<'a>> } }

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Encounter> {
    let in_context = reading.context.encounter.map(|id| format!("Encounter/{}", id.expose()));
    let mut items: Vec<Encounter> =
        reading.each("Encounter", |source, record, r| encounter(source, record, r, in_context.as_deref()));
    items.sort_by_cached_key(|item| {
        let newest = item.period.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), !item.is_in_context, std::cmp::Reverse(newest))
    });
    items
}

fn encounter(source: &Source, record: Record, r: &Resource<'_>, in_context: Option<&str>) -> Encounter {
    let standing = match text(&r.status) {
        Some("entered-in-error") => Standing::EnteredInError,
        _ => Standing::Valid,
    };
    let class = r.class.as_ref().and_then(|coding| {
        let concept = Concept::from_coding(Coding::from(coding))?;
        Some(Value::known(concept, source.core("Encounter.class")))
    });
    let what =
        source.concepts("Encounter.type", &r.kind, Wanted::Any).into_iter().next().or_else(|| class.clone());
    let place = |place: &Place<'_>| {
        let contained_id = target(&place.location).and_then(|t| t.strip_prefix('#'));
        let contained = r.contained.iter().find(|c| contained_id.is_some() && text(&c.id) == contained_id);
        let named = contained
            .and_then(|c| owned(&c.name))
            .map(|n| Value::known(n, source.core("Encounter.contained.name")));
        named.or_else(|| source.named("Encounter.location.location", &place.location))
    };
    Encounter {
        is_in_context: in_context == Some(source.reference().as_ref()),
        record: record.with(standing),
        what: what.unwrap_or_else(|| Value::absent(Absent::NotSent, source.core("Encounter.type"))),
        class,
        status: source.string("Encounter.status", &r.status, &r.status_element),
        period: source.period("Encounter.period", &r.period),
        reasons: source.concepts("Encounter.reasonCode", &r.reason_code, Wanted::Condition),
        locations: r.location.iter().filter_map(place).collect(),
        participants: r
            .participant
            .iter()
            .filter_map(|p| source.named("Encounter.participant.individual", &p.individual))
            .collect(),
        provider: source.named("Encounter.serviceProvider", &r.service_provider),
    }
}

/// The encounter of the launch for the banner, if it was read.
pub(crate) fn in_context(reading: &Reading<'_>) -> Option<Encounter> {
    read(reading).into_iter().find(|encounter| encounter.is_in_context)
}
