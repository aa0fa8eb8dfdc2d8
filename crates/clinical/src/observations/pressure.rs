//! Blood pressure: one reading, whether it came as a panel or as two observations of the same moment.

use std::collections::{HashMap, HashSet};

use super::{Component, Flag, Observation, ObservationValue, Quantity};
use crate::{
    concept::Concept,
    mapping::{LOINC, Rules},
    parse::Source,
    value::Value,
};

const PANEL: &[&str] = &["85354-9", "55284-4"];
const SYSTOLIC: &str = "8480-6";
const DIASTOLIC: &str = "8462-4";
/// The key of every blood pressure reading, so that panels and merged pairs stand together.
pub(super) const KEY: &str = "http://loinc.org|85354-9";

/// The reading of a panel: by its code, or by having both parts.
pub(super) fn reading(
    source: &Source,
    what: &Value<Concept>,
    components: &[Component],
) -> Option<Value<ObservationValue>> {
    let rules = source.rules();
    let quantity = |code: &str| {
        let part =
            components.iter().find(|c| c.what.value.as_ref().is_some_and(|w| has_loinc(rules, w, code)))?;
        as_quantity(&part.value)
    };
    let (systolic, diastolic) = (quantity(SYSTOLIC), quantity(DIASTOLIC));
    let is_panel = what.value.as_ref().is_some_and(|w| PANEL.iter().any(|code| has_loinc(rules, w, code)));
    let is_pressure = (is_panel && (systolic.is_some() || diastolic.is_some()))
        || (systolic.is_some() && diastolic.is_some());
    is_pressure.then(|| {
        let value = ObservationValue::BloodPressure { systolic, diastolic };
        Value::known(value, source.core("Observation.component"))
    })
}

/// The gravest of several flags.
pub(super) fn gravest<'f>(flags: impl Iterator<Item = &'f Value<Flag>>) -> Option<Value<Flag>> {
    flags.max_by_key(|flag| flag.value.as_ref().map(|f| f.level)).cloned()
}

/// Joins a systolic and a diastolic observation of the same moment (Oracle sends them unpaired in some configurations).
///
/// Only where each stands alone at that moment: two readings at one moment cannot be told apart and stay as they are.
pub(super) fn merge_unpaired(items: Vec<Observation>, rules: Rules) -> Vec<Observation> {
    let mut pairs: HashMap<String, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let Some(what) = item.what.value.as_ref().filter(|_| is_quantity(&item.value)) else { continue };
        let is_systolic = has_loinc(rules, what, SYSTOLIC);
        if !is_systolic && !has_loinc(rules, what, DIASTOLIC) {
            continue;
        }
        let Some(moment) = moment(item) else { continue };
        let entry = pairs.entry(moment).or_default();
        if is_systolic { entry.0.push(index) } else { entry.1.push(index) }
    }
    let pairs: HashMap<usize, usize> = pairs
        .into_values()
        .filter_map(|(systolic, diastolic)| match (systolic.as_slice(), diastolic.as_slice()) {
            ([systolic], [diastolic]) => Some((*systolic, *diastolic)),
            _ => None,
        })
        .collect();
    if pairs.is_empty() {
        return items;
    }
    let taken: HashSet<usize> = pairs.values().copied().collect();
    let join_at = |index: usize| Some(join(items.get(index)?, items.get(*pairs.get(&index)?)?));
    let mut joined: HashMap<usize, Observation> =
        pairs.keys().filter_map(|index| Some((*index, join_at(*index)?))).collect();
    let kept = items.into_iter().enumerate().filter(|(index, _)| !taken.contains(index));
    kept.map(|(index, item)| joined.remove(&index).unwrap_or(item)).collect()
}

/// The moment as sent, for valid observations only: what was entered in error is never merged.
fn moment(item: &Observation) -> Option<String> {
    let start = item.when.as_ref()?.value.as_ref()?.start.as_ref()?;
    item.counts().then(|| start.original.clone())
}

fn join(systolic: &Observation, diastolic: &Observation) -> Observation {
    let value = ObservationValue::BloodPressure {
        systolic: as_quantity(&systolic.value),
        diastolic: as_quantity(&diastolic.value),
    };
    let part = |of: &Observation| Component {
        what: of.what.clone(),
        value: of.value.clone(),
        flag: of.flag.clone(),
        ranges: of.ranges.clone(),
    };
    let mut reading = systolic.clone();
    reading.record.notes.push(format!(
        "Two entries of the same moment were joined into one reading: systolic {} and diastolic {}.",
        systolic.record.reference, diastolic.record.reference
    ));
    reading.record.cautions.extend(diastolic.record.cautions.iter().cloned());
    reading.record.security.extend(diastolic.record.security.iter().cloned());
    KEY.clone_into(&mut reading.key);
    reading.what =
        Value::known(Concept::from_name("Blood pressure".to_owned()), systolic.what.source.clone());
    reading.value = Value::known(value, systolic.value.source.clone());
    reading.flag = gravest([&systolic.flag, &diastolic.flag].into_iter().flatten());
    reading.components = vec![part(systolic), part(diastolic)];
    reading.ranges = Vec::new();
    reading.notes.extend(diastolic.notes.iter().cloned());
    reading
}

fn has_loinc(rules: Rules, concept: &Concept, code: &str) -> bool {
    concept.codings.iter().any(|c| c.code.as_deref() == Some(code) && rules.is_of(c, LOINC))
}

fn is_quantity(value: &Value<ObservationValue>) -> bool {
    matches!(value.value, Some(ObservationValue::Quantity { .. }))
}

fn as_quantity(value: &Value<ObservationValue>) -> Option<Quantity> {
    match &value.value {
        Some(ObservationValue::Quantity { quantity }) => Some(quantity.clone()),
        _ => None,
    }
}
