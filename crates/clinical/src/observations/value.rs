//! The value of an observation or of a part of one: the eleven `value[x]` of R4.

use serde::{Deserialize, Serialize};

use super::quantity::{Quantity, bounds_words};
use crate::{
    concept::{Concept, Wanted},
    date::{Date, When},
    parse::{
        Source,
        datatypes::{CodeableConcept, Period, Quantity as QuantityShape, Range, Ratio},
        primitives::{Number, Str, owned},
    },
    value::Value,
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ObservationValue {
    /// A number with its unit.
    Quantity {
        /// The quantity.
        quantity: Quantity,
    },
    /// Both pressures of one reading.
    BloodPressure {
        /// Systolic; absent when only the other was taken.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        systolic: Option<Quantity>,
        /// Diastolic; absent when only the other was taken.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        diastolic: Option<Quantity>,
    },
    /// Words: also ranges and ratios, and numbers that came as text.
    Text {
        /// The words.
        text: String,
    },
    /// A coded finding.
    Concept {
        /// The concept.
        concept: Concept,
    },
    /// Yes or no.
    Boolean {
        /// Which.
        value: bool,
    },
    /// A moment or stretch of time.
    Time {
        /// When.
        when: When,
    },
    /// A recorded curve, which is not shown.
    Samples,
}

/// The members of `value[x]` as parsed.
pub(super) struct Sent<'s, 'a> {
    pub(super) quantity: &'s Option<QuantityShape<'a>>,
    pub(super) concept: &'s Option<CodeableConcept<'a>>,
    pub(super) string: &'s Option<Str<'a>>,
    pub(super) boolean: Option<bool>,
    pub(super) integer: Option<Number<'a>>,
    pub(super) range: Option<&'s Range<'a>>,
    pub(super) ratio: Option<&'s Ratio<'a>>,
    pub(super) time: &'s Option<Str<'a>>,
    pub(super) date_time: &'s Option<Str<'a>>,
    pub(super) period: &'s Option<Period<'a>>,
    pub(super) has_samples: bool,
}

/// A shape that also has `value[x]`, `interpretation`, `referenceRange` and `dataAbsentReason` (flattening would buffer
/// and lose the numbers as written).
macro_rules! measured {
    ($form:ident $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        crate::parse::datatypes::$form! {
            $name {
                $($(#[$field_meta])* $field: $kind,)*
                value_quantity: Option<crate::parse::datatypes::Quantity<'a>>,
                value_codeable_concept: Option<CodeableConcept<'a>>,
                value_string: Option<Str<'a>>,
                value_boolean: Option<bool>,
                value_integer: Option<crate::parse::primitives::Number<'a>>,
                value_range: Option<Box<Range<'a>>>,
                value_ratio: Option<Box<crate::parse::datatypes::Ratio<'a>>>,
                value_time: Option<Str<'a>>,
                value_date_time: Option<Str<'a>>,
                value_period: Option<Period<'a>>,
                value_sampled_data: Option<serde::de::IgnoredAny>,
                data_absent_reason: Option<CodeableConcept<'a>>,
                interpretation: List<CodeableConcept<'a>>,
                reference_range: List<Range<'a>>,
            }
        }

        impl $name<'_> {
            fn sent(&self, source: &Source, path: &str) -> Option<Value<ObservationValue>> {
                let sent = value::Sent {
                    quantity: &self.value_quantity,
                    concept: &self.value_codeable_concept,
                    string: &self.value_string,
                    boolean: self.value_boolean,
                    integer: self.value_integer,
                    range: self.value_range.as_deref(),
                    ratio: self.value_ratio.as_deref(),
                    time: &self.value_time,
                    date_time: &self.value_date_time,
                    period: &self.value_period,
                    has_samples: self.value_sampled_data.is_some(),
                };
                value::sent(source, path, &sent)
            }
        }
    };
}
pub(super) use measured;

/// The value that was sent, or why it is absent when its own extension says so; `None` when none of them was sent.
pub(super) fn sent(source: &Source, within: &str, sent: &Sent<'_, '_>) -> Option<Value<ObservationValue>> {
    let known = |path: &'static str, value| Some(Value::known(value, source.core_within(within, path)));
    let words =
        |path: &'static str, text: Option<String>| known(path, ObservationValue::Text { text: text? });
    if let Some(shape) = sent.quantity {
        if let Some(quantity) = Quantity::read(shape) {
            return known("Observation.valueQuantity", ObservationValue::Quantity { quantity });
        }
        let reason = crate::parse::absent_in(&shape.extension);
        return reason
            .map(|reason| Value::absent(reason, source.core_within(within, "Observation.valueQuantity")));
    }
    if let Some(value) =
        source.concept_within(within, "Observation.valueCodeableConcept", sent.concept, Wanted::Condition)
    {
        let found = value.value.map(|concept| ObservationValue::Concept { concept });
        return Some(Value { value: found, absent: value.absent, source: value.source });
    }
    if let Some(value) = sent.boolean {
        return known("Observation.valueBoolean", ObservationValue::Boolean { value });
    }
    if let Some(number) = sent.integer {
        let quantity = Quantity::bare(number.as_str());
        return known("Observation.valueInteger", ObservationValue::Quantity { quantity });
    }
    let moment =
        owned(sent.date_time).map(|date| When { start: Some(Date::new(date)), end: None, text: None });
    if let Some(when) = moment {
        return known("Observation.valueDateTime", ObservationValue::Time { when });
    }
    if let Some(Value { value: Some(when), .. }) = source.period("Observation.valuePeriod", sent.period) {
        return known("Observation.valuePeriod", ObservationValue::Time { when });
    }
    if sent.has_samples {
        return known("Observation.valueSampledData", ObservationValue::Samples);
    }
    words("Observation.valueString", owned(sent.string))
        .or_else(|| words("Observation.valueRange", sent.range.and_then(bounds_words)))
        .or_else(|| words("Observation.valueRatio", ratio_words(sent.ratio)))
        .or_else(|| words("Observation.valueTime", owned(sent.time)))
}

/// `1 : 128`, with units where they were sent.
fn ratio_words(ratio: Option<&Ratio<'_>>) -> Option<String> {
    let ratio = ratio?;
    let (top, bottom) =
        (Quantity::read(ratio.numerator.as_ref()?)?, Quantity::read(ratio.denominator.as_ref()?)?);
    Some(format!("{top} : {bottom}"))
}
