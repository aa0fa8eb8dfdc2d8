//! How a medicine is to be taken, as text.

use crate::{
    concept::Wanted,
    observations::{quantity_words, range_words},
    parse::{
        Source,
        datatypes::{CodeableConcept, Quantity, Range, shape},
        primitives::{List, Number, Str, owned, text},
    },
    value::Value,
};

shape! {
    Dosage {
        text: Option<Str<'a>>,
        patient_instruction: Option<Str<'a>>,
        as_needed_boolean: Option<bool>,
        as_needed_codeable_concept: Option<CodeableConcept<'a>>,
        timing: Option<Timing<'a>>,
        route: Option<CodeableConcept<'a>>,
        dose_and_rate: List<DoseAndRate<'a>>,
    }
}

shape! { Timing { code: Option<CodeableConcept<'a>>, repeat: Option<Repeat<'a>> } }

shape! {
    Repeat {
        frequency: Option<Number<'a>>,
        period: Option<Number<'a>>,
        period_unit: Option<Str<'a>>,
    }
}

shape! {
    DoseAndRate {
        dose_quantity: Option<Quantity<'a>>,
        dose_range: Option<Range<'a>>,
    }
}

/// Where instructions stand.
pub(super) struct Paths {
    pub(super) text: &'static str,
    pub(super) patient_instruction: &'static str,
    pub(super) parts: &'static str,
}

impl Dosage<'_> {
    pub(super) fn is_as_needed(&self) -> bool {
        self.as_needed_boolean == Some(true) || self.as_needed_codeable_concept.is_some()
    }
}

/// One text per instruction that says anything.
pub(super) fn all(source: &Source, paths: &Paths, instructions: &List<Dosage<'_>>) -> Vec<Value<String>> {
    instructions.iter().filter_map(|d| words(source, paths, d)).collect()
}

/// An instruction: its text, else what the parts say, put together plainly and marked by its path.
fn words(source: &Source, paths: &Paths, d: &Dosage<'_>) -> Option<Value<String>> {
    if let Some(sig) = owned(&d.text) {
        return Some(Value::known(sig, source.core(paths.text)));
    }
    if let Some(sig) = owned(&d.patient_instruction) {
        return Some(Value::known(sig, source.core(paths.patient_instruction)));
    }
    let dose = d
        .dose_and_rate
        .iter()
        .find_map(|dose| quantity_words(&dose.dose_quantity).or_else(|| range_words(&dose.dose_range)));
    let name = |c: &Option<CodeableConcept<'_>>| {
        c.as_ref().and_then(|c| source.choose(c, Wanted::Any)).map(|c| c.name)
    };
    let timing = d.timing.as_ref();
    let frequency = timing.and_then(|t| t.repeat.as_ref()).and_then(|repeat| {
        let (times, every) = (repeat.frequency?.as_str(), repeat.period.map_or("1", |p| p.as_str()));
        let unit = unit_of_time(text(&repeat.period_unit)?, every != "1")?;
        Some(if every == "1" {
            format!("{times} × per {unit}")
        } else {
            format!("{times} × every {every} {unit}")
        })
    });
    let parts = [dose, name(&d.route), timing.and_then(|t| name(&t.code)).or(frequency)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| Value::known(parts.join(", "), source.core(paths.parts)))
}

/// UCUM units of time (R4 value set units-of-time).
fn unit_of_time(code: &str, plural: bool) -> Option<&'static str> {
    Some(match (code, plural) {
        ("s", _) => "s",
        ("min", _) => "min",
        ("h", false) => "hour",
        ("h", true) => "hours",
        ("d", false) => "day",
        ("d", true) => "days",
        ("wk", false) => "week",
        ("wk", true) => "weeks",
        ("mo", false) => "month",
        ("mo", true) => "months",
        ("a", false) => "year",
        ("a", true) => "years",
        _ => return None,
    })
}
