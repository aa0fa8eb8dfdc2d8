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
use super::Records;

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
            let mut chart = Chart::new(&mut records, seed, number);
            patient::register(&mut chart);
            if chart.person.is_almost_empty() {
                continue;
            }
            visits::attend(&mut chart);
            problems::record(&mut chart);
            allergies::record(&mut chart);
            medications::prescribe(&mut chart);
            vitals::measure(&mut chart);
            labs::draw(&mut chart);
            prevention::record(&mut chart);
            plans::agree(&mut chart);
            documents::write(&mut chart);
        }
        records
    }
}

#[cfg(test)]
mod tests;
