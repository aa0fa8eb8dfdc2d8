//! The seeded generator: clinically plausible, US-Core-shaped charts.
//!
//! A cast of twenty people (`cast.rs`) covers the common chronic diseases and the charts that break
//! software: very long and right-to-left names, forty problems, nothing at all, a child, a dead patient, a
//! restricted diagnosis. Values follow from diseases, so trends are coherent. The same seed gives the same
//! records; a patient's chart does not depend on how many others are generated. Dates are relative to
//! [`CHART_DATE`], never to the clock.

mod allergies;
mod cast;
mod chart;
mod clinic;
mod code;
mod decades;
mod disease;
mod documents;
mod drug;
mod labs;
mod medications;
mod moment;
mod patient;
mod plans;
mod prevention;
mod problems;
mod strangers;
mod tree;
mod visits;
mod vitals;

use jiff::civil::{Date, date};

use self::chart::Chart;
use super::{Charts, Records};

/// The day on which the charts stand, a Monday.
pub const CHART_DATE: Date = date(2026, 11, 2);
/// The instant on which the charts stand, as FHIR writes it.
pub const CHART_INSTANT: &str = "2026-11-02T18:00:00Z";

impl Records {
    /// Generates `patients` charts (`pat-0001` …) and the hospital around them.
    pub fn generate(seed: u64, patients: usize) -> Self {
        let mut records = Self::default();
        clinic::open(&mut records);
        for number in 1..=patients {
            fill(&mut Chart::new(&mut records, seed, number));
        }
        records
    }

    /// A population whose charts are made when they are first looked at; the first one's has at least this
    /// many observations, over twenty years.
    pub fn large(seed: u64, patients: usize, observations: usize) -> Self {
        let mut records = Self::default();
        clinic::open(&mut records);
        for number in 1..=patients {
            patient::register(&mut Chart::new(&mut records, seed, number));
        }
        records.charts = Some(Charts::new(seed, patients, observations));
        records
    }

    /// The chart of one patient alone, with at least this many observations.
    pub(super) fn chart(seed: u64, number: usize, observations: usize) -> Self {
        let mut records = Self::default();
        let mut chart = Chart::new(&mut records, seed, number);
        fill(&mut chart);
        if observations > 0 {
            decades::fill(&mut chart, observations);
        }
        records
    }
}

/// Writes a whole chart.
fn fill(chart: &mut Chart<'_>) {
    patient::register(chart);
    if chart.person.is_almost_empty() {
        return;
    }
    visits::attend(chart);
    problems::record(chart);
    allergies::record(chart);
    medications::prescribe(chart);
    vitals::measure(chart);
    labs::draw(chart);
    prevention::record(chart);
    plans::agree(chart);
    documents::write(chart);
}

#[cfg(test)]
mod tests;
