//! Things done and found: procedures, results, visits.

use sallyport_clinical::{
    concept::Concept,
    date::When,
    encounters::Encounter,
    observations::{Observation, ObservationValue},
    procedures::Procedure,
    value::{Provenance, Value},
};

use super::{
    Cited, Finding, Judge, code_of,
    when::{days_of, text},
};
use crate::{
    codes::{Match, ValueSet},
    day::{Day, Days},
    evidence::{Evidence, Role, Weight},
    record::Kind,
    rules::{Criterion, Found, Window},
    truth::Truth,
};

/// Whether an entry can count at all, by its status and standing, and why not.
pub(super) enum Status {
    Counts,
    Unclear(&'static str),
    DoesNotCount(&'static str),
}

/// One entry that matches by its code or name.
struct Entry<'e> {
    what: &'e Concept,
    matched: Match<'e>,
    status: Status,
    value: Option<String>,
    when: Option<&'e When>,
    source: &'e Provenance,
    /// Whether it is in the window, and the day from which it counts on.
    placed: (Truth, Option<Days>),
}

impl Judge<'_> {
    pub(super) fn found(
        &self,
        criterion: &Criterion,
        found: Found,
        codes: &ValueSet,
        window: Window,
        role: Role,
    ) -> Finding {
        let days = self.window(window);
        let mut entries = Vec::new();
        if matches!(found, Found::Procedure | Found::Done) {
            entries.extend(self.record.procedures.iter().filter_map(|one| self.procedure(one, codes, days)));
        }
        if matches!(found, Found::Result | Found::Done) {
            let needs_value = found == Found::Result;
            let all = self.record.observations.iter();
            entries.extend(all.filter_map(|one| self.observation(one, codes, days, needs_value)));
        }
        if found == Found::Encounter {
            entries.extend(self.record.encounters.iter().filter_map(|one| self.encounter(one, codes, days)));
        }
        let mut truth = Truth::No;
        let mut until = None;
        let mut evidence = Vec::new();
        for entry in entries {
            let (so, day, one) = weigh(entry, criterion, role);
            truth = truth.max(so);
            if so == Truth::Yes {
                until = until.max(day.and_then(|day| self.until(day, window)));
            }
            evidence.push(one);
        }
        let decides = match truth {
            Truth::Yes => Some(Weight::Counts),
            Truth::Unknown => Some(Weight::Unclear),
            Truth::No => None,
        };
        let said = evidence.iter().find(|one| Some(one.weight) == decides).map(|one| one.why.clone());
        let why = said.unwrap_or_else(|| format!("Not found: {}.", criterion.what));
        let finding = Finding { until, ..Finding::of(truth, why, evidence) };
        let kinds: &[Kind] = match found {
            Found::Procedure => &[Kind::Procedure],
            Found::Result => &[Kind::Observation],
            Found::Done => &[Kind::Procedure, Kind::Observation],
            Found::Encounter => &[Kind::Encounter],
        };
        if truth == Truth::No { finding.unless_incomplete(self.record, kinds) } else { finding }
    }

    fn procedure<'e>(&self, one: &'e Procedure, codes: &ValueSet, window: Days) -> Option<Entry<'e>> {
        let (what, matched) = matching(&one.what, codes)?;
        let status = match one.status.as_ref().and_then(|status| status.value.as_deref()) {
            _ if !one.record.is_valid() && !entered_in_error_counts() => {
                Status::DoesNotCount("was entered in error")
            }
            _ if one.not_done => Status::DoesNotCount("was not done"),
            Some("completed" | "entered-in-error") => Status::Counts,
            Some("preparation" | "in-progress" | "on-hold" | "stopped" | "suspended" | "aborted") => {
                Status::DoesNotCount("is not complete")
            }
            _ => Status::Unclear("does not say whether it was completed"),
        };
        let when = one.when.as_ref().and_then(|when| when.value.as_ref());
        let days = self.judging.done(when);
        let placed = (self.judging.is_in(days, window), days);
        Some(Entry { what, matched, status, value: None, when, source: &one.what.source, placed })
    }

    fn observation<'e>(
        &self,
        one: &'e Observation,
        codes: &ValueSet,
        window: Days,
        needs_value: bool,
    ) -> Option<Entry<'e>> {
        let (what, matched) = matching(&one.what, codes)?;
        let status = match observation_status(one) {
            Status::Counts if needs_value && one.value.value.is_none() => {
                Status::DoesNotCount("has no value")
            }
            status => status,
        };
        let when = one.when.as_ref().and_then(|when| when.value.as_ref());
        let days = self.judging.done(when);
        let placed = (self.judging.is_in(days, window), days);
        let value = one.value.value.as_ref().and_then(as_sent);
        let source = if value.is_some() { &one.value.source } else { &one.what.source };
        Some(Entry { what, matched, status, value, when, source, placed })
    }

    /// A visit or stay: it only has to overlap the window.
    fn encounter<'e>(&self, one: &'e Encounter, codes: &ValueSet, window: Days) -> Option<Entry<'e>> {
        let by_class = || one.class.as_ref().and_then(|class| matching(class, codes));
        let (what, matched) = matching(&one.what, codes).or_else(by_class)?;
        let status = match one.status.as_ref().and_then(|status| status.value.as_deref()) {
            _ if !one.record.is_valid() && !entered_in_error_counts() => {
                Status::DoesNotCount("was entered in error")
            }
            Some(
                "finished" | "completed" | "discharged" | "discontinued" | "in-progress" | "onleave"
                | "arrived" | "triaged" | "entered-in-error",
            ) => Status::Counts,
            Some("planned" | "cancelled") => Status::DoesNotCount("did not take place"),
            _ => Status::Unclear("does not say whether it took place"),
        };
        let when = one.period.as_ref().and_then(|period| period.value.as_ref());
        let (start, end) = (when.and_then(|w| w.start.as_ref()), when.and_then(|w| w.end.as_ref()));
        let days = |date| days_of(date, self.judging.zone).map(|days| self.judging.until_now(days));
        let start = start.and_then(days);
        let open = Days { first: start.map_or(Day::FIRST, |start| start.first), last: self.judging.on };
        let goes_on = matches!(
            one.status.as_ref().and_then(|status| status.value.as_deref()),
            Some("in-progress" | "onleave" | "arrived" | "triaged")
        );
        let end = match end {
            Some(end) => days(end).unwrap_or(open),
            None if goes_on => Days::only(self.judging.on),
            None => open,
        };
        let start = start.unwrap_or(Days { first: Day::FIRST, last: end.last });
        let truth = if start.first > self.judging.on {
            Truth::Unknown
        } else if start.first > window.last || end.last < window.first {
            Truth::No
        } else if start.last <= window.last && end.first >= window.first {
            Truth::Yes
        } else {
            Truth::Unknown
        };
        let source = &one.what.source;
        Some(Entry { what, matched, status, value: None, when, source, placed: (truth, Some(end)) })
    }
}

/// The concept and how it matches; `None` when it does not.
fn matching<'e>(what: &'e Value<Concept>, codes: &ValueSet) -> Option<(&'e Concept, Match<'e>)> {
    let concept = what.value.as_ref()?;
    match codes.compare(concept) {
        Match::No => None,
        matched => Some((concept, matched)),
    }
}

fn weigh(entry: Entry<'_>, criterion: &Criterion, role: Role) -> (Truth, Option<Day>, Evidence) {
    let Entry { what, matched, status, value, when, source, placed: (in_window, days) } = entry;
    let said = match &value {
        Some(value) => format!("{} {value} {}", what.name, text(when)),
        None => format!("{} {}", what.name, text(when)),
    };
    let (truth, why) = match (status, in_window) {
        (Status::DoesNotCount(why), _) => (Truth::No, format!("{said}: {why}.")),
        (_, Truth::No) => (Truth::No, format!("{said}: not in the time that counts.")),
        (Status::Unclear(why), _) => (Truth::Unknown, format!("{said}: {why}.")),
        (Status::Counts, _) if matched == Match::Suspected => {
            (Truth::Unknown, format!("{said}: it carries no code by which it could be known for certain."))
        }
        (Status::Counts, Truth::Unknown) => {
            (Truth::Unknown, format!("{said}: its date does not say whether it is in the time that counts."))
        }
        (Status::Counts, Truth::Yes) => (Truth::Yes, format!("{said}.")),
    };
    let weight = match truth {
        Truth::Yes => Weight::Counts,
        Truth::Unknown => Weight::Unclear,
        Truth::No => Weight::DoesNotCount,
    };
    let cited = Cited {
        role,
        criterion: &criterion.what,
        what: &what.name,
        code: code_of(matched),
        value,
        when: when.cloned(),
        source,
    };
    (truth, days.map(|days| days.first), cited.says(weight, why))
}

/// Whether the planted bug is on that counts what was entered in error.
fn entered_in_error_counts() -> bool {
    sallyport_model::planted!("care-gap-entered-in-error-counted")
}

/// Whether an observation can count (R4 observation-status; the published measures count these three).
pub(super) fn observation_status(one: &Observation) -> Status {
    match one.status.as_ref().and_then(|status| status.value.as_deref()) {
        _ if !one.record.is_valid() && !entered_in_error_counts() => {
            Status::DoesNotCount("was entered in error")
        }
        Some("final" | "amended" | "corrected" | "entered-in-error") => Status::Counts,
        Some("registered" | "preliminary") => Status::DoesNotCount("is not final"),
        Some("cancelled") => Status::DoesNotCount("was cancelled"),
        _ => Status::Unclear("does not say whether it is final"),
    }
}

/// A value in words, as sent.
pub(super) fn as_sent(value: &ObservationValue) -> Option<String> {
    match value {
        ObservationValue::Quantity { quantity } => Some(quantity.to_string()),
        ObservationValue::BloodPressure { systolic, diastolic } => {
            let part = |part: &Option<sallyport_clinical::observations::Quantity>| {
                part.as_ref().map_or_else(|| "?".to_owned(), |q| q.value.clone())
            };
            Some(format!("{}/{}", part(systolic), part(diastolic)))
        }
        ObservationValue::Text { text } => Some(text.clone()),
        ObservationValue::Concept { concept } => Some(concept.name.clone()),
        ObservationValue::Boolean { value } => Some(if *value { "yes" } else { "no" }.to_owned()),
        ObservationValue::Time { when } => when.start.as_ref().map(|start| start.original.clone()),
        ObservationValue::Samples => None,
    }
}
