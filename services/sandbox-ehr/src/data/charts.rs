//! Charts that are made when they are first looked at, so that a large population costs nothing at the
//! start. A chart that was made stays: a run that reads all of them holds all of them.

use std::sync::OnceLock;

use super::Records;

/// The charts of a population, by patient number.
#[derive(Debug, Default, Clone)]
pub(super) struct Charts {
    seed: u64,
    /// Observations of the first chart, at least.
    observations: usize,
    made: Vec<OnceLock<Records>>,
}

impl Charts {
    pub(super) fn new(seed: u64, patients: usize, observations: usize) -> Self {
        Self { seed, observations, made: vec![OnceLock::new(); patients] }
    }

    /// The chart in which a resource with this id lies.
    pub(super) fn holding(&self, id: &str) -> Option<&Records> {
        let number = chart_number(id)?;
        let slot = self.made.get(number.checked_sub(1)?)?;
        let observations = if number == 1 { self.observations } else { 0 };
        Some(slot.get_or_init(|| Records::chart(self.seed, number, observations)))
    }
}

/// The number of the patient to whom a generated id belongs: `cond-0007-03` is the seventh's.
pub(crate) fn chart_number(id: &str) -> Option<usize> {
    let number = id.split('-').nth(1)?;
    // Shorter ones are codes of shared resources.
    (number.len() >= 4).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patient_is_read_from_an_id_and_from_nothing_else() {
        assert_eq!(chart_number("cond-0007-03"), Some(7));
        assert_eq!(chart_number("pat-10000"), Some(10_000));
        assert_eq!(chart_number("pract-reyes"), None);
        assert_eq!(chart_number("x"), None);
    }

    #[test]
    fn a_large_population_is_registered_at_once_and_charted_when_looked_at() {
        let records = Records::large(3, 300, 500);
        assert_eq!(records.all("Patient").count(), 300);
        let slots = &records.charts.as_ref().unwrap().made;
        let made = || slots.iter().filter(|slot| slot.get().is_some()).count();
        assert_eq!(made(), 0);
        assert!(records.of_patient("Observation", "pat-0001").count() >= 500);
        assert!(records.of_patient("Encounter", "pat-0002").count() > 0);
        assert_eq!(made(), 2);
        let condition = records.of_patient("Condition", "pat-0001").next().unwrap().id().to_owned();
        assert!(records.read("Condition", &condition).is_some());
        assert!(records.read("Condition", "cond-9999-01").is_none());
        assert!(records.read("Medication", "med-0").is_none());
    }

    #[test]
    fn a_chart_of_twenty_years_has_old_results_and_dirty_codes() {
        let records = Records::large(3, 2, 2_000);
        let bodies: Vec<_> =
            records.of_patient("Observation", "pat-0001").filter_map(|r| r.current()).collect();
        let year = |body: &serde_json::Value| body["effectiveDateTime"].as_str().map(|at| at[..4].to_owned());
        assert!(bodies.iter().any(|body| year(body).as_deref() == Some("2007")));
        let has = |test: &dyn Fn(&serde_json::Value) -> bool| bodies.iter().any(|body| test(body));
        assert!(has(&|body| body["code"]["coding"][0]["system"] == "LOINC"), "a system that is no address");
        assert!(has(&|body| body["code"]["coding"].is_null() && body["code"]["text"].is_string()));
        assert!(has(&|body| body["valueString"] == "<0.5 "));
        assert!(has(&|body| body["valueQuantity"]["unit"] == "MG/DL"));
    }
}
