//! High, low, critical: what the laboratory said, or what a comparison with its own range gives.

use serde::{Deserialize, Serialize};

use super::{ObservationValue, quantity::ReferenceRange};
use crate::{
    concept::Wanted,
    parse::{Source, datatypes::CodeableConcept, primitives::List},
    value::Value,
};

/// How a finding stands to what is normal; graver ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Said in words that are no level (resistant, detected, …).
    Other,
    /// Normal.
    Normal,
    /// Below.
    Low,
    /// Above.
    High,
    /// Not normal.
    Abnormal,
    /// Far below: act.
    CriticalLow,
    /// Far above: act.
    CriticalHigh,
    /// Not normal in a way that calls for action.
    CriticalAbnormal,
}

/// A flag on a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Flag {
    /// The level.
    pub level: Level,
    /// The word to show.
    pub word: String,
    /// Not sent: found by comparing the value with the one range that was sent with it.
    pub is_computed: bool,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Other => "Other",
            Self::Normal => "Normal",
            Self::Low => "Low",
            Self::High => "High",
            Self::Abnormal => "Abnormal",
            Self::CriticalLow => "Critically low",
            Self::CriticalHigh => "Critically high",
            Self::CriticalAbnormal => "Critically abnormal",
        }
    }

    /// The level of a code of v3 ObservationInterpretation (v2 table 0078 has the same codes).
    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "N" => Self::Normal,
            "L" | "LX" => Self::Low,
            "H" | "HX" => Self::High,
            "A" => Self::Abnormal,
            "LL" | "LU" => Self::CriticalLow,
            "HH" | "HU" => Self::CriticalHigh,
            "AA" => Self::CriticalAbnormal,
            _ => return None,
        })
    }
}

/// The gravest flag sent; else, for a plain number with exactly one plain range, the comparison.
pub(super) fn flag(
    source: &Source,
    within: &str,
    sent: &List<CodeableConcept<'_>>,
    value: &Value<ObservationValue>,
    ranges: &[ReferenceRange],
) -> Option<Value<Flag>> {
    let flags = sent.iter().filter_map(|c| source.choose(c, Wanted::Any)).map(|concept| {
        let level = concept.codings.iter().filter_map(|c| Level::from_code(c.code.as_deref()?)).max();
        match level {
            Some(level) => Flag { level, word: level.word().to_owned(), is_computed: false },
            None => Flag { level: Level::Other, word: concept.name, is_computed: false },
        }
    });
    if let Some(flag) = flags.max_by_key(|flag| flag.level) {
        return Some(Value::known(flag, source.core_within(within, "Observation.interpretation")));
    }
    let level = compare(value.value.as_ref()?, ranges)?;
    let flag = Flag { level, word: level.word().to_owned(), is_computed: true };
    Some(Value::known(flag, source.core_within(within, "Observation.referenceRange")))
}

/// Only where the comparison is beyond doubt: a number that is no bound, one range for everybody, the same unit.
fn compare(value: &ObservationValue, ranges: &[ReferenceRange]) -> Option<Level> {
    let (ObservationValue::Quantity { quantity }, [range]) = (value, ranges) else { return None };
    if quantity.comparator.is_some() || range.applies_to.is_some() {
        return None;
    }
    let comparable = |bound: &&super::Quantity| {
        let unitless = bound.unit.is_none() && bound.code.is_none();
        bound.comparator.is_none() && (unitless || bound.same_unit(quantity))
    };
    let bound = |bound: &Option<super::Quantity>| match bound {
        None => Some(None),
        Some(bound) => Some(bound).filter(comparable).and_then(super::Quantity::number).map(Some),
    };
    let (number, low, high) = (quantity.number()?, bound(&range.low)?, bound(&range.high)?);
    match (low, high) {
        (Some(low), _) if number < low => Some(Level::Low),
        (_, Some(high)) if number > high => Some(Level::High),
        (None, None) => None,
        _ => Some(Level::Normal),
    }
}
