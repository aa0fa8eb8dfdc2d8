//! The chart being written: whose it is, the random stream that belongs to it, and what it already holds.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::{
    CHART_DATE,
    cast::{Person, cast},
    code::{Code, US_CORE, reference},
    disease::Disease,
    moment::{Moment, days_after, years_between},
    tree::tree,
    visits::Visit,
};
use crate::data::Records;

/// A disease the patient has, since when, and the id of its Condition once recorded.
#[derive(Debug, Clone)]
pub(super) struct Illness {
    pub(super) disease: Disease,
    pub(super) onset: Date,
    pub(super) condition: Option<String>,
}

/// What an acute visit found.
#[derive(Debug, Clone)]
pub(super) struct Diagnosis {
    pub(super) visit: String,
    pub(super) snomed: Code,
    pub(super) condition: String,
}

/// One patient's chart while it is generated.
pub(super) struct Chart<'r> {
    records: &'r mut Records,
    rng: ChaCha8Rng,
    serials: BTreeMap<&'static str, usize>,
    pub(super) person: Person,
    pub(super) illnesses: Vec<Illness>,
    pub(super) visits: Vec<Visit>,
    pub(super) diagnoses: Vec<Diagnosis>,
    /// Codes of the substances on the allergy list.
    pub(super) allergic_to: Vec<&'static str>,
}

impl<'r> Chart<'r> {
    pub(super) fn new(records: &'r mut Records, seed: u64, number: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A stream of its own: how many others there are does not change this chart.
        rng.set_stream(number as u64);
        let person = cast(number, &mut rng);
        let mut illnesses = Vec::new();
        for (disease, years) in &person.diseases {
            let days = (f64::from(*years) * 365.25) as i64 + rng.random_range(0..300);
            let onset = days_after(CHART_DATE, -days).max(days_after(person.birth, 60));
            illnesses.push(Illness { disease: *disease, onset, condition: None });
        }
        Self {
            records,
            rng,
            serials: BTreeMap::new(),
            person,
            illnesses,
            visits: Vec::new(),
            diagnoses: Vec::new(),
            allergic_to: Vec::new(),
        }
    }

    /// The last day of this chart: today, or the day the patient died.
    pub(super) fn today(&self) -> Date {
        self.person.death.unwrap_or(CHART_DATE)
    }

    pub(super) fn age_on(&self, day: Date) -> f64 {
        years_between(self.person.birth, day)
    }

    /// Years since the onset of a disease on a day, if the patient had it then.
    pub(super) fn years_with(&self, disease: Disease, day: Date) -> Option<f64> {
        let illness = self.illnesses.iter().find(|illness| illness.disease == disease)?;
        (illness.onset <= day).then(|| years_between(illness.onset, day))
    }

    pub(super) fn has(&self, disease: Disease) -> bool {
        self.illnesses.iter().any(|illness| illness.disease == disease)
    }

    pub(super) fn condition_of(&self, disease: Disease) -> Option<&str> {
        self.illnesses.iter().find(|illness| illness.disease == disease)?.condition.as_deref()
    }

    pub(super) fn subject(&self) -> Value {
        reference("Patient", &self.person.id)
    }

    /// The next id of a kind: `cond-0007-03` is the seventh patient's third.
    pub(super) fn next_id(&mut self, kind: &'static str) -> String {
        let serial = self.serials.entry(kind).or_default();
        *serial += 1;
        format!("{kind}-{:04}-{serial:02}", self.person.number)
    }

    /// Stores a resource under US Core profiles as it stood at a moment.
    pub(super) fn put(&mut self, profiles: &[&str], updated: Moment, resource: Value) {
        self.put_labelled(profiles, updated, &[], resource);
    }

    /// Stores a resource that carries security labels.
    pub(super) fn put_labelled(
        &mut self,
        profiles: &[&str],
        updated: Moment,
        labels: &[Value],
        resource: Value,
    ) {
        let mut resource = resource;
        if let Some(body) = resource.as_object_mut() {
            let urls: Vec<String> = profiles.iter().map(|name| format!("{US_CORE}{name}")).collect();
            let mut meta = tree!({ "lastUpdated": updated.instant() });
            if let Some(members) = meta.as_object_mut() {
                if !urls.is_empty() {
                    members.insert("profile".to_owned(), tree!(urls));
                }
                if !labels.is_empty() {
                    members.insert("security".to_owned(), tree!(labels.to_vec()));
                }
            }
            body.insert("meta".to_owned(), meta);
        }
        let stored = self.records.insert(resource);
        debug_assert!(stored.is_ok(), "a generated resource cannot be stored: {stored:?}");
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    pub(super) fn whole(&mut self, low: i64, high: i64) -> i64 {
        self.rng.random_range(low..=high)
    }

    /// A value near `mean`: the sum of three draws, which never strays beyond three `spread`s.
    pub(super) fn near(&mut self, mean: f64, spread: f64) -> f64 {
        let sum: f64 = (0..3).map(|_| self.rng.random_range(-1.0..1.0)).sum();
        mean + spread * sum
    }

    pub(super) fn pick<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        if all.is_empty() { None } else { all.get(self.rng.random_range(0..all.len())) }
    }
}
