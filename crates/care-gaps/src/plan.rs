//! What has to be read of a patient for a set of rules, and no more.

use std::collections::BTreeMap;

use crate::{
    day::{Day, Days},
    record::Kind,
    rules::{Found, Measure, RuleSet, Test, Window},
};

/// One search, always about one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What to read. A Patient is read by its id.
    pub kind: Kind,
    /// The category, for Observations.
    pub category: Option<String>,
    /// From that day on; `None` for all there are.
    pub since: Option<Day>,
}

impl Need {
    /// The search's parameters beside the patient. The day is one earlier than the rules ask: servers compare in a zone of
    /// their own.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        parameters.extend(self.category.clone().map(|category| ("category", category)));
        parameters.extend(self.since.map(|day| ("date", format!("ge{}", day.plus_days(-1)))));
        parameters
    }
}

/// What to read for these rules on a day of judging, one search a kind and category.
pub fn plan(rules: &RuleSet, on: Day) -> Vec<Need> {
    let mut needs: BTreeMap<(Kind, Option<String>), Option<Day>> = BTreeMap::new();
    needs.insert((Kind::Patient, None), None);
    for measure in &rules.measures {
        for (kind, category, since) in needed(measure, measure.period.days(on)) {
            needs
                .entry((kind, category))
                .and_modify(|known| *known = known.zip(since).map(|(a, b)| a.min(b)))
                .or_insert(since);
        }
    }
    needs.into_iter().map(|((kind, category), since)| Need { kind, category, since }).collect()
}

fn needed(measure: &Measure, period: Days) -> Vec<(Kind, Option<String>, Option<Day>)> {
    let mut needs = Vec::new();
    for criterion in measure.criteria() {
        let since = |window: &Window| match window {
            Window::Ever => None,
            Window::Since(step) => Some(step.before(period.first)),
        };
        match &criterion.test {
            Test::Any(_) | Test::All(_) | Test::Age { .. } => {}
            Test::Condition { .. } => needs.push((Kind::Condition, None, None)),
            Test::Found { found, codes, window } => {
                if matches!(found, Found::Procedure | Found::Done) {
                    needs.push((Kind::Procedure, None, since(window)));
                }
                if matches!(found, Found::Result | Found::Done) {
                    needs.push((Kind::Observation, codes.category.clone(), since(window)));
                }
                if *found == Found::Encounter {
                    needs.push((Kind::Encounter, None, since(window)));
                }
            }
            Test::Last { limits, window, .. } => {
                let all = limits.iter();
                needs.extend(all.map(|l| (Kind::Observation, l.codes.category.clone(), since(window))));
            }
        }
    }
    needs
}
