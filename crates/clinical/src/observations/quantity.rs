//! Numbers with units, exactly as sent, and the ranges they are compared with.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    concept::shared,
    parse::{
        datatypes::{self, Range},
        primitives::{List, owned, text},
    },
};

/// A number with its unit. The number is text, so that `8.10` never becomes `8.1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quantity {
    /// The number as sent.
    pub value: String,
    /// `<`, `<=`, `>=`, `>`: the number is a bound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comparator: Option<String>,
    /// The unit to show, as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// The unit's code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The code's system (UCUM, usually).
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<Cow<'static, str>>,
}

/// A reference range as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReferenceRange {
    /// From.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub low: Option<Quantity>,
    /// To.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub high: Option<Quantity>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// For whom, or of what kind (therapeutic, critical): empty means the normal range for this patient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub applies_to: Option<String>,
}

impl Quantity {
    pub(crate) fn read(shape: &datatypes::Quantity<'_>) -> Option<Self> {
        Some(Self {
            value: shape.value?.as_str().to_owned(),
            comparator: owned(&shape.comparator),
            unit: owned(&shape.unit),
            code: owned(&shape.code),
            system: text(&shape.system).map(shared),
        })
    }

    pub(crate) fn bare(number: &str) -> Self {
        Self { value: number.to_owned(), comparator: None, unit: None, code: None, system: None }
    }

    /// The number, for comparing and plotting only.
    pub fn number(&self) -> Option<f64> {
        self.value.parse().ok().filter(|n: &f64| n.is_finite())
    }

    /// The unit as a clinician writes it: the unit sent, else its code; the commonest UCUM codes in their usual form.
    pub fn unit_text(&self) -> Option<&str> {
        self.unit.as_deref().or(self.code.as_deref()).map(usual_form).filter(|unit| !unit.is_empty())
    }

    /// Whether both are in the same unit, by code where both have one. No unit is not the same as any unit.
    pub fn same_unit(&self, other: &Self) -> bool {
        match (&self.code, &other.code) {
            (Some(a), Some(b)) => a == b,
            _ => self.unit_text() == other.unit_text(),
        }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(comparator) = &self.comparator {
            write!(f, "{} ", usual_comparator(comparator))?;
        }
        f.write_str(&self.value)?;
        match self.unit_text() {
            Some(unit) => write!(f, " {unit}"),
            None => Ok(()),
        }
    }
}

impl ReferenceRange {
    /// `4.0 to 5.6`, `up to 130`, `from 40`, or the text sent.
    pub fn words(&self) -> Option<String> {
        let bounds = match (&self.low, &self.high) {
            (Some(low), Some(high)) => Some(format!("{} to {}", low.value, high.value)),
            (None, Some(high)) => Some(format!("up to {}", high.value)),
            (Some(low), None) => Some(format!("from {}", low.value)),
            (None, None) => None,
        };
        match (bounds.or_else(|| self.text.clone()), &self.applies_to) {
            (Some(words), Some(whom)) => Some(format!("{words} ({whom})")),
            (words, _) => words,
        }
    }
}

pub(super) fn ranges(shapes: &List<Range<'_>>) -> Vec<ReferenceRange> {
    let read = |q: &Option<datatypes::Quantity<'_>>| q.as_ref().and_then(Quantity::read);
    let name = |c: &datatypes::CodeableConcept<'_>| {
        owned(&c.text).or_else(|| c.coding.iter().find_map(|c| owned(&c.display).or_else(|| owned(&c.code))))
    };
    let normal =
        |c: &datatypes::CodeableConcept<'_>| c.coding.iter().any(|c| text(&c.code) == Some("normal"));
    let all = shapes.iter().map(|shape| {
        let kind = shape.kind.as_ref().filter(|c| !normal(c)).and_then(name);
        let age = shape.age.as_ref().and_then(|age| bounds_words(age)).map(|age| format!("age {age}"));
        let whom: Vec<String> =
            kind.into_iter().chain(shape.applies_to.iter().filter_map(name)).chain(age).collect();
        ReferenceRange {
            low: read(&shape.low),
            high: read(&shape.high),
            text: owned(&shape.text),
            applies_to: (!whom.is_empty()).then(|| whom.join(", ")),
        }
    });
    all.filter(|range| range.words().is_some()).collect()
}

/// A quantity in words, for places where only words fit.
pub(crate) fn quantity_words(shape: &Option<datatypes::Quantity<'_>>) -> Option<String> {
    Some(Quantity::read(shape.as_ref()?)?.to_string())
}

/// A range in words.
pub(crate) fn range_words(shape: &Option<Range<'_>>) -> Option<String> {
    bounds_words(shape.as_ref()?)
}

pub(super) fn bounds_words(shape: &Range<'_>) -> Option<String> {
    let read = |q: &Option<datatypes::Quantity<'_>>| q.as_ref().and_then(Quantity::read);
    match (read(&shape.low), read(&shape.high)) {
        (Some(low), Some(high)) => Some(format!("{} to {high}", low.value)),
        (Some(low), None) => Some(format!("from {low}")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => None,
    }
}

fn usual_comparator(comparator: &str) -> &str {
    match comparator {
        "<=" => "≤",
        ">=" => "≥",
        other => other,
    }
}

/// The commonest UCUM codes that vendors send as units, in their usual written form. Exact matches only: a unit that is not
/// in the list is shown as sent.
fn usual_form(unit: &str) -> &str {
    match unit {
        "mm[Hg]" => "mmHg",
        "Cel" => "°C",
        "[degF]" => "°F",
        "{beats}/min" | "{breaths}/min" | "1/min" | "beats/minute" | "beats/min" | "breaths/minute"
        | "breaths/min" => "/min",
        "10*3/uL" | "10^3/uL" => "×10³/µL",
        "10*6/uL" | "10^6/uL" => "×10⁶/µL",
        "10*9/L" => "×10⁹/L",
        "10*12/L" => "×10¹²/L",
        "ug/L" => "µg/L",
        "ug/dL" => "µg/dL",
        "umol/L" => "µmol/L",
        "m[IU]/L" => "mIU/L",
        "u[IU]/mL" => "µIU/mL",
        "[lb_av]" => "lb",
        "[in_i]" => "in",
        "mL/min/{1.73_m2}" | "mL/min/1.73.m2" => "mL/min/1.73 m²",
        "kg/m2" => "kg/m²",
        "1" | "{score}" | "{ratio}" => "",
        other => other,
    }
}
