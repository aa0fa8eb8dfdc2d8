//! Rule files: read, laid over each other in order, checked as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use toml::{Table, Value};

use super::{
    RuleSet, builtin,
    criterion::{Shelf, Test},
    fields::{Fields, Wrong, texts},
    measure::{Measure, measure},
};
use crate::codes::{CodeSystem, SYSTEMS, ValueSet};

/// The three things that a rule file may hold.
const PARTS: [&str; 3] = ["value_sets", "criteria", "measures"];

/// Longest rule file: the largest that ships has a hundredth of it.
const MAX_BYTES: usize = 1024 * 1024;

/// A rule file.
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its TOML.
    pub text: &'a str,
}

/// What is wrong with a rule file, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}: {problem}")]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// The key's path in it.
    pub place: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// A file's tables under its name.
type Layer<'a> = (&'a str, Table);

pub(super) fn load(files: &[RuleFile<'_>]) -> Result<RuleSet, RuleError> {
    let shipped = builtin::FILES.iter().map(|(name, text)| RuleFile { name, text });
    let mut layers: Vec<Layer<'_>> = Vec::new();
    for file in shipped.chain(files.iter().copied()) {
        layers.push((file.name, parse(file)?));
    }
    let mut merged = Table::new();
    for (_, layer) in &layers {
        lay_over(&mut merged, layer);
    }
    let blame = |wrong: Wrong| RuleError {
        file: file_of(&layers, &wrong.place).to_owned(),
        place: wrong.place,
        problem: wrong.problem,
    };
    let mut rules = assemble(&merged).map_err(blame)?;
    let own = layers.get(builtin::FILES.len()..).unwrap_or_default();
    for measure in &mut rules.measures {
        let shared = shared_by(&merged, &measure.id);
        measure.changed_by = changed_by(measure, &shared, own);
    }
    Ok(rules)
}

fn parse(file: RuleFile<'_>) -> Result<Table, RuleError> {
    let wrong = |place: &str, problem: String| RuleError {
        file: file.name.to_owned(),
        place: place.to_owned(),
        problem,
    };
    if file.text.len() > MAX_BYTES {
        return Err(wrong("the file", "it is longer than a rule file may be, 1 MiB".to_owned()));
    }
    let table: Table = toml::from_str(file.text).map_err(|e| wrong("the file", e.message().to_owned()))?;
    for (part, value) in &table {
        if !PARTS.contains(&part.as_str()) {
            return Err(wrong(part, format!("there is no such part: use one of {}", PARTS.join(", "))));
        }
        for name in value.as_table().into_iter().flatten().map(|(name, _)| name) {
            let is_name = (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !is_name {
                return Err(wrong(
                    &format!("{part}.{name}"),
                    "a name has 1 to 64 of a-z, 0-9 and '-'".to_owned(),
                ));
            }
        }
    }
    Ok(table)
}

/// Tables merge key by key; everything else is replaced.
fn lay_over(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

fn assemble(merged: &Table) -> Result<RuleSet, Wrong> {
    let part = |name: &str| -> Result<Table, Wrong> {
        match merged.get(name) {
            None => Ok(Table::new()),
            Some(Value::Table(table)) => Ok(table.clone()),
            Some(_) => Err(Wrong::at(name, "this must be a table of named tables")),
        }
    };
    let mut value_sets = BTreeMap::new();
    for (id, value) in &part("value_sets")? {
        value_sets.insert(id.clone(), Arc::new(value_set(id, value)?));
    }
    let criteria = part("criteria")?;
    let shelf = Shelf { value_sets: &value_sets, criteria: &criteria };
    for (id, value) in &criteria {
        // Read also where nobody uses it: what is wrong is told now, not when somebody does.
        shelf.criterion(id, value, &format!("criteria.{id}"))?;
    }
    let mut measures = Vec::new();
    for (id, value) in &part("measures")? {
        measures.extend(measure(id, value, &shelf)?);
    }
    Ok(RuleSet { measures, value_sets })
}

fn value_set(id: &str, value: &Value) -> Result<ValueSet, Wrong> {
    let place = format!("value_sets.{id}");
    let mut fields = Fields::of(value, &place)?;
    let mut set = ValueSet {
        id: id.to_owned(),
        title: fields.required_text("title")?.to_owned(),
        source: fields.text("source")?.map(str::to_owned),
        category: fields.text("category")?.map(str::to_owned),
        systems: BTreeMap::new(),
        unsure: BTreeMap::new(),
        names: fields.texts("names")?.into_iter().map(str::to_lowercase).collect(),
    };
    for system in SYSTEMS {
        for code in fields.texts(system.name)? {
            set.add(system, code).map_err(|problem| Wrong::at(fields.path(system.name), problem))?;
        }
    }
    for (name, value) in fields.named("add")? {
        let (system, place) = system_at(name, &format!("{place}.add"))?;
        for code in texts(value, &place)? {
            set.add(system, code).map_err(|problem| Wrong::at(&place, problem))?;
        }
    }
    for (name, value) in fields.named("unsure")? {
        let (system, place) = system_at(name, &format!("{place}.unsure"))?;
        for code in texts(value, &place)? {
            set.add_unsure(system, code).map_err(|problem| Wrong::at(&place, problem))?;
        }
    }
    for (name, value) in fields.named("remove")? {
        let (system, place) = system_at(name, &format!("{place}.remove"))?;
        for code in texts(value, &place)? {
            if !set.remove(system, code) {
                return Err(Wrong::at(
                    &place,
                    format!("\"{code}\" is not in the list: write it as it stands there"),
                ));
            }
        }
    }
    fields.end()?;
    if set.is_empty() { Err(Wrong::at(place, "a value set lists at least one code")) } else { Ok(set) }
}

fn system_at(name: &str, place: &str) -> Result<(&'static CodeSystem, String), Wrong> {
    let place = format!("{place}.{name}");
    match CodeSystem::named(name) {
        Some(system) => Ok((system, place)),
        None => {
            let known = SYSTEMS.iter().map(|system| system.name).collect::<Vec<_>>().join(", ");
            Err(Wrong::at(place, format!("there is no such code system: use one of {known}")))
        }
    }
}

/// The last file that says something at a place, or at the nearest above it.
fn file_of<'a>(layers: &[Layer<'a>], place: &str) -> &'a str {
    let keys: Vec<&str> = place.split('.').collect();
    let depth = |table: &Table| {
        let mut at = Some(table);
        keys.iter()
            .take_while(|key| match at.and_then(|table| table.get(**key)) {
                Some(value) => {
                    at = value.as_table();
                    true
                }
                None => false,
            })
            .count()
    };
    let deepest = layers.iter().max_by_key(|(_, table)| depth(table));
    deepest.map_or("rules", |(name, _)| name)
}

/// The shared criteria that a measure uses, also those that are off and those used by others.
fn shared_by(merged: &Table, measure: &str) -> BTreeSet<String> {
    let part = |name: &str| merged.get(name).and_then(Value::as_table);
    let mut open: Vec<&Value> = part("measures").and_then(|all| all.get(measure)).into_iter().collect();
    let mut shared = BTreeSet::new();
    while let Some(value) = open.pop() {
        let Some(table) = value.as_table() else { continue };
        open.extend(table.values());
        if let Some(name) = table.get("use").and_then(Value::as_str)
            && shared.insert(name.to_owned())
        {
            open.extend(part("criteria").and_then(|all| all.get(name)));
        }
    }
    shared
}

/// The files that changed a measure or anything it uses.
fn changed_by(measure: &Measure, shared: &BTreeSet<String>, own: &[Layer<'_>]) -> Vec<String> {
    let sets: BTreeSet<String> = measure
        .criteria()
        .into_iter()
        .flat_map(|criterion| match &criterion.test {
            Test::Condition { codes, .. } | Test::Found { codes, .. } => vec![codes.id.clone()],
            Test::Last { limits, .. } => limits.iter().map(|limit| limit.codes.id.clone()).collect(),
            Test::Any(_) | Test::All(_) | Test::Age { .. } => Vec::new(),
        })
        .collect();
    let touches = |layer: &Table, part: &str, names: &BTreeSet<String>| {
        let named = layer.get(part).and_then(Value::as_table);
        named.is_some_and(|table| table.keys().any(|key| names.contains(key)))
    };
    let is_changed = |layer: &Table| {
        touches(layer, "measures", &BTreeSet::from([measure.id.clone()]))
            || touches(layer, "value_sets", &sets)
            || touches(layer, "criteria", shared)
    };
    own.iter().filter(|(_, layer)| is_changed(layer)).map(|(name, _)| (*name).to_owned()).collect()
}
