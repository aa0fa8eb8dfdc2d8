//! Judging a record by a measure.

mod condition;
mod found;
mod last;
mod person;
mod when;

use sallyport_clinical::{concept::Coding, value::Provenance};
pub use when::Zone;

use crate::{
    codes::Match,
    day::{Day, Days},
    evidence::{Assessment, Due, Evidence, Outcome, Published, Role, Weight},
    record::{Kind, Record},
    rules::{Criterion, Measure, RuleSet, Test, Window},
    truth::Truth,
};

/// Entries of a record that one criterion cites at most: a card shows some, and the first decide.
const MAX_EVIDENCE: usize = 12;

/// On which day to judge, and how far local clocks are from UTC.
#[derive(Clone, Copy)]
pub struct Judging<'a> {
    /// The day, where the patient is.
    pub on: Day,
    /// How a moment that was sent in UTC becomes a day.
    pub zone: Zone<'a>,
}

/// What a criterion found.
struct Finding {
    truth: Truth,
    why: Vec<String>,
    evidence: Vec<Evidence>,
    /// The last day on which it would still be so.
    until: Option<Day>,
}

impl Finding {
    fn new(truth: Truth, why: impl Into<String>) -> Self {
        Self { truth, why: vec![why.into()], evidence: Vec::new(), until: None }
    }

    fn of(truth: Truth, why: impl Into<String>, mut evidence: Vec<Evidence>) -> Self {
        evidence.sort_by_key(|one| one.weight);
        evidence.truncate(MAX_EVIDENCE);
        Self { evidence, ..Self::new(truth, why) }
    }

    /// Not found is "no" only where everything was read.
    fn unless_incomplete(mut self, record: &Record, kinds: &[Kind]) -> Self {
        let missing: Vec<String> = kinds.iter().filter_map(|kind| record.incomplete(*kind)).collect();
        if !missing.is_empty() {
            self.truth = Truth::Unknown;
            self.why.extend(missing);
        }
        self
    }
}

/// What a judgement stands on while it is made.
struct Judge<'a> {
    record: &'a Record,
    judging: &'a Judging<'a>,
    measure: &'a Measure,
    period: Days,
}

impl RuleSet {
    /// Judges a record by every measure, gaps first.
    pub fn judge(&self, record: &Record, judging: &Judging<'_>) -> Vec<Assessment> {
        let mut all: Vec<Assessment> =
            self.measures.iter().map(|measure| measure.judge(record, judging)).collect();
        all.sort_by_key(|assessment| assessment.outcome);
        all
    }
}

impl Measure {
    /// Judges a record.
    pub fn judge(&self, record: &Record, judging: &Judging<'_>) -> Assessment {
        let judge = Judge { record, judging, measure: self, period: self.period.days(judging.on) };
        judge.assess()
    }
}

impl Judge<'_> {
    fn assess(&self) -> Assessment {
        let population = self.population();
        match population.truth {
            Truth::No => return self.say(Outcome::NotInPopulation, vec![population]),
            Truth::Unknown => return self.say(Outcome::CannotTell, vec![population]),
            Truth::Yes => {}
        }
        let exclusions: Vec<Finding> =
            self.measure.exclusions.iter().map(|e| self.criterion(&e.criterion, Role::Exclusion)).collect();
        let requirement = self.criterion(&self.measure.requirement, Role::Requirement);
        let of = |truth| exclusions.iter().any(|finding| finding.truth == truth);
        if of(Truth::Yes) {
            let applies = exclusions.into_iter().filter(|finding| finding.truth == Truth::Yes);
            return self.say(Outcome::Excluded, applies.chain([population]).collect());
        }
        if of(Truth::Unknown) {
            let unclear = exclusions.into_iter().filter(|finding| finding.truth == Truth::Unknown);
            let intro =
                Finding::new(Truth::Unknown, "Whether the measure leaves this patient out cannot be told.");
            return self.say(
                Outcome::CannotTell,
                [intro].into_iter().chain(unclear).chain([requirement, population]).collect(),
            );
        }
        let outcome = match requirement.truth {
            Truth::Yes => Outcome::Met,
            Truth::No => Outcome::Gap,
            Truth::Unknown => Outcome::CannotTell,
        };
        self.say(outcome, vec![requirement, population])
    }

    fn say(&self, outcome: Outcome, findings: Vec<Finding>) -> Assessment {
        let measure = self.measure;
        let due = match outcome {
            Outcome::Gap => {
                Some(Due { on: self.period.last, why: "The period in which the measure asks ends.".into() })
            }
            Outcome::Met => findings.iter().find_map(|finding| finding.until).map(|until| Due {
                on: until.plus_days(1),
                why: format!("What is there counts until {}.", until.text()),
            }),
            Outcome::CannotTell | Outcome::Excluded | Outcome::NotInPopulation => None,
        };
        let mut why = Vec::new();
        let mut evidence = Vec::new();
        for finding in findings {
            why.extend(finding.why);
            evidence.extend(finding.evidence);
        }
        let mut seen = std::collections::BTreeSet::new();
        why.retain(|sentence| seen.insert(sentence.clone()));
        Assessment {
            measure: measure.id.clone(),
            title: measure.title.clone(),
            published: Published {
                name: measure.publication.name.clone(),
                steward: measure.publication.steward.clone(),
                numbers: measure.publication.numbers.clone(),
                year: measure.publication.year,
                url: measure.publication.url.clone(),
            },
            changed_by: measure.changed_by.clone(),
            outcome,
            why,
            action: (outcome == Outcome::Gap).then(|| measure.action.clone()),
            evidence,
            period: self.period,
            judged_on: self.judging.on,
            due,
        }
    }

    fn criterion(&self, criterion: &Criterion, role: Role) -> Finding {
        match &criterion.test {
            Test::Any(parts) => {
                let found: Vec<Finding> = parts.iter().map(|part| self.criterion(part, role)).collect();
                let truth = Truth::any(found.iter().map(|finding| finding.truth));
                let mut finding = join(truth, found);
                if truth == Truth::No {
                    finding.why = vec![format!("Not found: {}.", criterion.what)];
                }
                finding
            }
            Test::All(parts) => {
                let found: Vec<Finding> = parts.iter().map(|part| self.criterion(part, role)).collect();
                let until = found.iter().filter_map(|finding| finding.until).min();
                Finding { until, ..join(Truth::all(found.iter().map(|finding| finding.truth)), found) }
            }
            Test::Age { from, to } => self.age(*from, *to),
            Test::Condition { codes, timing } => self.condition(criterion, codes, *timing, role),
            Test::Found { found, codes, window } => self.found(criterion, *found, codes, *window, role),
            Test::Last { limits, window, same_day } => self.last(criterion, limits, *window, *same_day, role),
        }
    }

    /// The days in which something has to have happened.
    fn window(&self, window: Window) -> Days {
        let first = match window {
            Window::Ever => Day::FIRST,
            Window::Since(step) => step.before(self.period.first),
        };
        let first =
            if sallyport_model::planted!("care-gap-window-day-off") { first.plus_days(-1) } else { first };
        Days { first, last: self.period.last }
    }

    /// The last day of judging on which something of that day would still be in the window.
    fn until(&self, day: Day, window: Window) -> Option<Day> {
        let Window::Since(step) = window else { return None };
        let counts = |on: Day| step.before(self.measure.period.days(on).first) <= day;
        let (mut is_in, mut is_out) = (self.judging.on, self.judging.on.plus_months(12 * 160));
        if !counts(is_in) || counts(is_out) {
            return None;
        }
        // Later days never count again once one does not: the window only moves forth.
        while is_in.plus_days(1) < is_out {
            let middle = is_in.middle(is_out);
            if counts(middle) { is_in = middle } else { is_out = middle }
        }
        Some(is_in)
    }
}

/// Several findings as one, those first that decide.
fn join(truth: Truth, found: Vec<Finding>) -> Finding {
    let until = found.iter().filter(|f| f.truth == truth).filter_map(|f| f.until).max();
    let (decide, others): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(|f| f.truth == truth);
    let mut joined = Finding { truth, why: Vec::new(), evidence: Vec::new(), until };
    for finding in decide {
        joined.why.extend(finding.why);
        joined.evidence.extend(finding.evidence);
    }
    joined.evidence.extend(others.into_iter().flat_map(|finding| finding.evidence));
    joined
}

/// `system|code` of what matched.
fn code_of(matched: Match<'_>) -> Option<String> {
    let Match::Code(Coding { system, code: Some(code), .. }) = matched else { return None };
    Some(format!("{}|{code}", system.as_deref().unwrap_or_default()))
}

/// What is cited of an entry.
struct Cited<'e> {
    role: Role,
    criterion: &'e str,
    what: &'e str,
    code: Option<String>,
    value: Option<String>,
    when: Option<sallyport_clinical::date::When>,
    source: &'e Provenance,
}

impl Cited<'_> {
    fn says(self, weight: Weight, why: impl Into<String>) -> Evidence {
        Evidence {
            role: self.role,
            weight,
            criterion: self.criterion.to_owned(),
            what: self.what.to_owned(),
            code: self.code,
            value: self.value,
            when: self.when,
            source: self.source.clone(),
            why: why.into(),
        }
    }
}
