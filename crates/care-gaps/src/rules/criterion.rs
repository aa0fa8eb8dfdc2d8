//! What a rule looks for: conditions, things done, results, encounters, ages, and how they combine.

use std::{collections::BTreeMap, sync::Arc};

use toml::Value;

use super::{
    fields::{Fields, Wrong},
    values::{Limit, SameDay, limit},
};
use crate::{codes::ValueSet, day::Step};

/// How deep criteria may stand in each other.
const MAX_DEPTH: usize = 8;

/// One thing that is so of a patient, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// Its name in rules.
    pub id: String,
    /// What it looks for, in words.
    pub what: String,
    /// How it is decided.
    pub test: Test,
}

/// How a criterion is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Any of these.
    Any(Vec<Criterion>),
    /// All of these.
    All(Vec<Criterion>),
    /// Whole years at the end of the period.
    Age {
        /// At least, inclusive.
        from: Option<u16>,
        /// At most, inclusive.
        to: Option<u16>,
    },
    /// A diagnosis.
    Condition {
        /// Its codes.
        codes: Arc<ValueSet>,
        /// When it has to be there.
        timing: Timing,
    },
    /// Something that was done or found.
    Found {
        /// Where it is looked for.
        found: Found,
        /// Its codes.
        codes: Arc<ValueSet>,
        /// When.
        window: Window,
    },
    /// The last reading of one or more values keeps all limits.
    Last {
        /// The limits, one for each value.
        limits: Vec<Limit>,
        /// When.
        window: Window,
        /// Which of several values of the last day counts.
        same_day: SameDay,
    },
}

/// Where something that was done or found is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A completed Procedure.
    Procedure,
    /// A final Observation with a value.
    Result,
    /// A completed Procedure or a final Observation.
    Done,
    /// An Encounter that took place, by its type or class; it has to overlap the window.
    Encounter,
}

/// When a diagnosis has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Present on any day of the period.
    During,
    /// Present at any time until now, past or not.
    Ever,
    /// Present during the period, and begun before so much of it has passed.
    StartedWithin(Step),
}

/// When something has to have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// At any time until now.
    Ever,
    /// From so long before the period's start until its end.
    Since(Step),
}

/// The value sets and shared criteria that a measure may name.
pub(super) struct Shelf<'a> {
    pub(super) value_sets: &'a BTreeMap<String, Arc<ValueSet>>,
    pub(super) criteria: &'a toml::Table,
}

impl Shelf<'_> {
    fn set(&self, id: &str, place: String) -> Result<Arc<ValueSet>, Wrong> {
        let known = || self.value_sets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let found = self.value_sets.get(id).map(Arc::clone);
        found.ok_or_else(|| {
            Wrong::at(place, format!("there is no value set \"{id}\": use one of {}", known()))
        })
    }

    /// Reads a criterion; `None` when it is switched off.
    pub(super) fn criterion(&self, id: &str, value: &Value, place: &str) -> Result<Option<Criterion>, Wrong> {
        self.criterion_within(id, value, place, MAX_DEPTH)
    }

    fn criterion_within(
        &self,
        id: &str,
        value: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Option<Criterion>, Wrong> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Wrong::at(
                place,
                format!("criteria stand at most {MAX_DEPTH} deep, \"use\" counted"),
            ));
        };
        let mut fields = Fields::of(value, place)?;
        if fields.flag("off")? {
            return Ok(None);
        }
        let what = fields.text("what")?;
        if let Some(shared) = fields.text("use")? {
            let path = fields.path("use");
            fields.end()?;
            let Some(value) = self.criteria.get(shared) else {
                let known = self.criteria.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(Wrong::at(
                    path,
                    format!("there is no criterion \"{shared}\": use one of {known}"),
                ));
            };
            let found = self.criterion_within(shared, value, &format!("criteria.{shared}"), depth)?;
            let renamed = |c: Criterion| Criterion { what: what.map_or(c.what, str::to_owned), ..c };
            return Ok(found.map(renamed));
        }
        let mut tests = Vec::new();
        for key in ["any", "all"] {
            if fields.value(key).is_some() {
                let parts = self.parts(&mut fields, key, depth)?;
                tests.push(if key == "any" { Test::Any(parts) } else { Test::All(parts) });
            }
        }
        if let Some(value) = fields.value("age") {
            let (from, to) = age(value, &fields.path("age"))?;
            tests.push(Test::Age { from, to });
        }
        if let Some(codes) = self.named_set(&mut fields, "condition")? {
            tests.push(Test::Condition { codes, timing: timing(&mut fields)? });
        }
        let kinds = [
            ("procedure", Found::Procedure),
            ("result", Found::Result),
            ("done", Found::Done),
            ("encounter", Found::Encounter),
        ];
        for (key, found) in kinds {
            if let Some(codes) = self.named_set(&mut fields, key)? {
                if matches!(found, Found::Result | Found::Done) {
                    needs_category(&codes, fields.path(key))?;
                }
                tests.push(Test::Found { found, codes, window: window(&mut fields)? });
            }
        }
        if fields.value("last").is_some() {
            tests.push(self.last(&mut fields)?);
        }
        let place = fields.place().to_owned();
        fields.end()?;
        match (tests.pop(), tests.is_empty()) {
            (Some(test), true) => {
                let what = what.map_or_else(|| words(&test, id), str::to_owned);
                Ok(Some(Criterion { id: id.to_owned(), what, test }))
            }
            _ => Err(Wrong::at(
                place,
                "use exactly one of any, all, age, condition, procedure, result, done, encounter, last, use",
            )),
        }
    }

    fn named_set(&self, fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Arc<ValueSet>>, Wrong> {
        let Some(id) = fields.text(key)? else { return Ok(None) };
        self.set(id, fields.path(key)).map(Some)
    }

    fn parts(
        &self,
        fields: &mut Fields<'_>,
        key: &'static str,
        depth: usize,
    ) -> Result<Vec<Criterion>, Wrong> {
        let path = fields.path(key);
        let mut parts = Vec::new();
        for (id, value) in fields.named(key)? {
            parts.extend(self.criterion_within(id, value, &format!("{path}.{id}"), depth)?);
        }
        // "All of nothing" would be so of everybody.
        if parts.is_empty() { Err(Wrong::at(path, "name at least one that is not off")) } else { Ok(parts) }
    }

    fn last(&self, fields: &mut Fields<'_>) -> Result<Test, Wrong> {
        let path = fields.path("last");
        let mut limits = Vec::new();
        for (id, value) in fields.named("last")? {
            let place = format!("{path}.{id}");
            let limit = limit(id, value, &place, |id, place| self.set(id, place))?;
            if let Some(limit) = &limit {
                needs_category(&limit.codes, format!("{place}.codes"))?;
            }
            limits.extend(limit);
        }
        if limits.is_empty() {
            return Err(Wrong::at(path, "name at least one value with its limit that is not off"));
        }
        let same_day = |text: &str| match text {
            "lowest" => Some(SameDay::Lowest),
            "highest" => Some(SameDay::Highest),
            _ => None,
        };
        let same_day = fields.parsed("same_day", same_day, "one of lowest, highest")?;
        Ok(Test::Last { limits, window: window(fields)?, same_day: same_day.unwrap_or(SameDay::Lowest) })
    }
}

/// Observations are searched by category, which every US Core server offers.
fn needs_category(codes: &ValueSet, place: String) -> Result<(), Wrong> {
    match &codes.category {
        Some(_) => Ok(()),
        None => {
            let problem = format!("results are read by category: give the value set \"{}\" one", codes.id);
            Err(Wrong::at(place, problem))
        }
    }
}

/// Bounds of an age, whole years, both included.
pub(super) fn age(value: &Value, place: &str) -> Result<(Option<u16>, Option<u16>), Wrong> {
    let mut fields = Fields::of(value, place)?;
    let mut years = |key| match fields.whole(key)? {
        None => Ok(None),
        Some(years @ 0..=150) => Ok(u16::try_from(years).ok()),
        Some(_) => Err(Wrong::at(fields.path(key), "an age is 0 to 150 years")),
    };
    let (from, to) = (years("from")?, years("to")?);
    fields.end()?;
    match (from, to) {
        (None, None) => Err(Wrong::at(place, "use from, to, or both")),
        (Some(from), Some(to)) if from > to => {
            Err(Wrong::at(place, "from is more than to: nobody is of that age"))
        }
        both => Ok(both),
    }
}

const STEP: &str = "a length of time such as \"P9Y\", \"P1Y3M\" or \"P30D\"";

fn window(fields: &mut Fields<'_>) -> Result<Window, Wrong> {
    let since = fields.parsed("since", Step::parse, STEP)?;
    let ever = fields.parsed("when", |text| (text == "ever").then_some(()), "\"ever\"")?;
    match (since, ever) {
        (Some(_), Some(())) => Err(Wrong::at(fields.place(), "use since or when, not both")),
        (_, Some(())) => Ok(Window::Ever),
        (since, None) => Ok(Window::Since(since.unwrap_or_default())),
    }
}

fn timing(fields: &mut Fields<'_>) -> Result<Timing, Wrong> {
    let within = fields.parsed("started_within", Step::parse, STEP)?;
    let when = |text: &str| match text {
        "ever" => Some(Timing::Ever),
        "during" => Some(Timing::During),
        _ => None,
    };
    match (within, fields.parsed("when", when, "one of during, ever")?) {
        (Some(_), Some(_)) => Err(Wrong::at(fields.place(), "use started_within or when, not both")),
        (Some(step), None) => Ok(Timing::StartedWithin(step)),
        (None, timing) => Ok(timing.unwrap_or(Timing::During)),
    }
}

/// What a criterion looks for when nobody said it.
fn words(test: &Test, id: &str) -> String {
    match test {
        Test::Condition { codes, .. } | Test::Found { codes, .. } => codes.title.clone(),
        Test::Last { limits, .. } => {
            limits.iter().map(|l| format!("{} {}", l.what, l.words())).collect::<Vec<_>>().join(", ")
        }
        Test::Age { from, to } => match (from, to) {
            (Some(from), Some(to)) => format!("aged {from} to {to}"),
            (Some(from), None) => format!("aged {from} or more"),
            (None, Some(to)) => format!("aged {to} or less"),
            (None, None) => "of any age".to_owned(),
        },
        Test::Any(_) | Test::All(_) => id.replace('-', " "),
    }
}
