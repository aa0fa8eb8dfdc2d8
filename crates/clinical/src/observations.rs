//! Vital signs and laboratory results: values of every kind, flags, ranges, blood pressure as one reading, trends.

mod flag;
mod pressure;
mod quantity;
mod trend;
mod value;

pub use flag::{Flag, Level};
pub use quantity::{Quantity, ReferenceRange};
pub(crate) use quantity::{quantity_words, range_words};
pub use trend::{Direction, Point, Trend};
pub use value::ObservationValue;

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    mapping::Rules,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Period, Range, Reference},
        primitives::{List, Str, text},
    },
    record::{Record, Standing},
    value::{Absent, Value},
};

/// Observations with their trends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Observations {
    /// The entries, newest first; what does not count stands last.
    pub items: Vec<Observation>,
    /// Series of the same code in the same unit, two points or more, oldest point first.
    pub trends: Vec<Trend>,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Observation {
    /// The resource.
    pub record: Record,
    /// What is the same kind of observation has the same key (`system|code`, or the name where no code was sent).
    pub key: String,
    /// What was observed.
    pub what: Value<Concept>,
    /// When it was true of the patient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<Value<When>>,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// What was found, or why nothing is there.
    pub value: Value<ObservationValue>,
    /// Normal, high, low, … as sent, or by comparison with the range sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flag: Option<Value<Flag>>,
    /// Reference ranges as sent.
    pub ranges: Vec<ReferenceRange>,
    /// Parts with values of their own.
    pub components: Vec<Component>,
    /// It only groups other observations.
    pub is_group: bool,
    /// Specimen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub specimen: Option<Value<String>>,
    /// Method.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<Value<Concept>>,
    /// Body site.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body_site: Option<Value<Concept>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

/// A part of an observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Component {
    /// What.
    pub what: Value<Concept>,
    /// What was found, or why nothing is there.
    pub value: Value<ObservationValue>,
    /// Its flag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flag: Option<Value<Flag>>,
    /// Its ranges.
    pub ranges: Vec<ReferenceRange>,
}

impl Observation {
    /// Whether it counts as a finding: valid and not cancelled.
    pub fn counts(&self) -> bool {
        self.record.is_valid() && self.status.as_ref().and_then(|s| s.value.as_deref()) != Some("cancelled")
    }

    /// Microseconds since the epoch of when it was true, for sorting.
    pub fn instant(&self) -> Option<i64> {
        self.when.as_ref()?.value.as_ref()?.instant()
    }
}

value::measured! {
    resource Resource {
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        code: Option<CodeableConcept<'a>>,
        effective_date_time: Option<Str<'a>>,
        #[serde(rename = "_effectiveDateTime")]
        effective_element: Option<Element<'a>>,
        effective_period: Option<Period<'a>>,
        effective_instant: Option<Str<'a>>,
        note: List<Annotation<'a>>,
        body_site: Option<CodeableConcept<'a>>,
        method: Option<CodeableConcept<'a>>,
        specimen: Option<Reference<'a>>,
        has_member: List<Reference<'a>>,
        component: List<Part<'a>>,
    }
}

value::measured! {
    shape Part { code: Option<CodeableConcept<'a>> }
}

pub(crate) fn read(reading: &Reading<'_>) -> Observations {
    let items = reading.each("Observation", observation);
    let mut items = pressure::merge_unpaired(items, reading.context.mapping.rules());
    items.sort_by_cached_key(|item: &Observation| (!item.counts(), std::cmp::Reverse(item.instant())));
    let trends = trend::trends(&items);
    Observations { items, trends }
}

fn observation(source: &Source, record: Record, r: &Resource<'_>) -> Observation {
    let standing = match text(&r.status) {
        Some("entered-in-error") => Standing::EnteredInError,
        _ => Standing::Valid,
    };
    let what = source.required_concept("Observation.code", &r.code, Wanted::Measurement);
    let components: Vec<Component> =
        r.component.iter().enumerate().map(|(index, part)| component(source, index, part)).collect();
    let own = r.sent(source, "");
    let pressure = if own.is_none() { pressure::reading(source, &what, &components) } else { None };
    let is_pressure = pressure.is_some();
    let is_group = own.is_none() && components.is_empty() && !r.has_member.is_empty();
    let value = own.or(pressure).unwrap_or_else(|| absent(source, "", &r.data_absent_reason));
    let ranges = quantity::ranges(&r.reference_range);
    let flag = flag::flag(source, "", &r.interpretation, &value, &ranges);
    let of_parts = || pressure::gravest(components.iter().filter_map(|c| c.flag.as_ref()));
    Observation {
        record: record.with(standing),
        key: if is_pressure { pressure::KEY.to_owned() } else { key(source.rules(), &what) },
        flag: flag.or_else(|| if is_pressure { of_parts() } else { None }),
        when: source
            .moment("Observation.effectiveDateTime", &r.effective_date_time, &r.effective_element)
            .or_else(|| source.moment("Observation.effectiveInstant", &r.effective_instant, &None))
            .or_else(|| source.period("Observation.effectivePeriod", &r.effective_period)),
        status: source.string("Observation.status", &r.status, &r.status_element),
        value,
        ranges,
        components,
        is_group,
        specimen: source.named("Observation.specimen", &r.specimen),
        method: source.concept("Observation.method", &r.method, Wanted::Any),
        body_site: source.concept("Observation.bodySite", &r.body_site, Wanted::Condition),
        notes: source.annotations("Observation.note", &r.note),
        what,
    }
}

fn component(source: &Source, index: usize, part: &Part<'_>) -> Component {
    let path = format!("component[{index}].");
    let value = part.sent(source, &path).unwrap_or_else(|| absent(source, &path, &part.data_absent_reason));
    let ranges = quantity::ranges(&part.reference_range);
    Component {
        what: source.required_concept_within(&path, "Observation.code", &part.code, Wanted::Measurement),
        flag: flag::flag(source, &path, &part.interpretation, &value, &ranges),
        value,
        ranges,
    }
}

/// No value was sent: why, if `dataAbsentReason` says (codes of its own system, or only a text).
fn absent(source: &Source, within: &str, reason: &Option<CodeableConcept<'_>>) -> Value<ObservationValue> {
    let reason = reason.as_ref().map(|concept| {
        concept.coding.iter().find_map(|c| text(&c.code)).map_or(Absent::Other, Absent::from_code)
    });
    Value::absent(reason.unwrap_or(Absent::NotSent), source.core_within(within, "Observation.value"))
}

/// What is the same kind of observation: by code, else by name.
fn key(rules: Rules, what: &Value<Concept>) -> String {
    let concept = what.value.as_ref();
    concept
        .and_then(|c| rules.token(c.code.as_ref()?))
        .or_else(|| concept.map(|c| c.name.to_lowercase()))
        .unwrap_or_default()
}
