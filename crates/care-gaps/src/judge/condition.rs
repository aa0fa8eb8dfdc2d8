//! Diagnoses: whether one is there, from when to when it can have been, and how sure that is.

use sallyport_clinical::{
    concept::Concept,
    conditions::{Condition, ConditionState},
    date::When,
    record::Standing,
    value::Value,
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
    rules::{Criterion, Timing},
    truth::Truth,
};

/// Statuses of a diagnosis that nobody has confirmed (R4 condition-ver-status).
const UNCONFIRMED: [&str; 3] = ["unconfirmed", "provisional", "differential"];

impl Judge<'_> {
    pub(super) fn condition(
        &self,
        criterion: &Criterion,
        codes: &ValueSet,
        timing: Timing,
        role: Role,
    ) -> Finding {
        let mut truth = Truth::No;
        let mut evidence = Vec::new();
        for condition in &self.record.conditions {
            let Some(what) = &condition.what.value else { continue };
            let matched = codes.compare(what);
            if matched == Match::No {
                continue;
            }
            let (so, one) = self.one_condition(condition, what, matched, criterion, timing, role);
            truth = truth.max(so);
            evidence.push(one);
        }
        let found = |weight| evidence.iter().find(|one: &&Evidence| one.weight == weight);
        let why = match truth {
            Truth::Yes => found(Weight::Counts).map(|one| one.why.clone()),
            Truth::Unknown => found(Weight::Unclear).map(|one| one.why.clone()),
            Truth::No => None,
        };
        let why = why.unwrap_or_else(|| format!("Not found among the diagnoses: {}.", criterion.what));
        let finding = Finding::of(truth, why, evidence);
        if truth == Truth::No { finding.unless_incomplete(self.record, &[Kind::Condition]) } else { finding }
    }

    fn one_condition(
        &self,
        condition: &Condition,
        what: &Concept,
        matched: Match<'_>,
        criterion: &Criterion,
        timing: Timing,
        role: Role,
    ) -> (Truth, Evidence) {
        let onset = condition.onset.as_ref().and_then(|onset| onset.value.as_ref());
        let recorded = condition.recorded.as_ref().and_then(|recorded| recorded.value.as_ref());
        let cited = Cited {
            role,
            criterion: &criterion.what,
            what: &what.name,
            code: code_of(matched),
            value: condition.clinical_status.as_ref().and_then(|s| s.value.as_ref()).map(|s| s.name.clone()),
            when: onset.or(recorded).cloned(),
            source: &condition.what.source,
        };
        let name = &what.name;
        let counted_anyway = sallyport_model::planted!("care-gap-entered-in-error-counted");
        match condition.record.standing {
            Standing::EnteredInError if !counted_anyway => {
                return (
                    Truth::No,
                    cited.says(Weight::DoesNotCount, format!("{name} was entered in error.")),
                );
            }
            Standing::Refuted => {
                return (
                    Truth::No,
                    cited.says(Weight::DoesNotCount, format!("{name} was looked into and refuted.")),
                );
            }
            Standing::Valid | Standing::EnteredInError => {}
        }
        let truth = self.timed(condition, timing);
        let since = onset.map_or_else(
            || recorded.map_or_else(String::new, |when| format!(", recorded {}", text(Some(when)))),
            |when| {
                let when = text(Some(when));
                let since = when.strip_prefix("on ").or_else(|| when.strip_prefix("in ")).unwrap_or(&when);
                format!(", since {since}")
            },
        );
        let is_unconfirmed = condition
            .verification
            .as_ref()
            .and_then(|v| v.value.as_ref())
            .is_some_and(|status| UNCONFIRMED.iter().any(|code| status.has_code(code)));
        let (truth, why) = match truth {
            Truth::No => {
                let when = match timing {
                    Timing::Ever => "by today",
                    Timing::During => "in the period",
                    Timing::StartedWithin(_) => "soon enough in the period",
                };
                (Truth::No, format!("{name}{since}: not there {when}."))
            }
            _ if is_unconfirmed => (Truth::Unknown, format!("{name}{since}: nobody has confirmed it.")),
            _ if matched == Match::Suspected => (
                Truth::Unknown,
                format!("{name}{since}: it carries no code by which it could be known for certain."),
            ),
            Truth::Unknown => {
                (Truth::Unknown, format!("{name}{since}: its dates and status do not say whether it counts."))
            }
            Truth::Yes => (Truth::Yes, format!("{name}{since}.")),
        };
        let weight = match truth {
            Truth::Yes => Weight::Counts,
            Truth::Unknown => Weight::Unclear,
            Truth::No => Weight::DoesNotCount,
        };
        (truth, cited.says(weight, why))
    }

    fn timed(&self, condition: &Condition, timing: Timing) -> Truth {
        let Some(Life { start, end }) = self.life(condition) else { return Truth::Unknown };
        let on = self.judging.on;
        let last = self.period.last.min(on);
        let by = |day: Day| {
            if start.last <= day {
                Truth::Yes
            } else if start.first > day {
                Truth::No
            } else {
                Truth::Unknown
            }
        };
        // Until the period began or after.
        let lasts = if end.first >= self.period.first {
            Truth::Yes
        } else if end.last < self.period.first {
            Truth::No
        } else {
            Truth::Unknown
        };
        match timing {
            Timing::Ever => by(on),
            Timing::During => Truth::all([by(last), lasts]),
            Timing::StartedWithin(step) => {
                let limit = step.after(self.period.first).plus_days(-1);
                Truth::all([by(last.min(limit)), lasts])
            }
        }
    }

    /// The days on which it can have begun and ended; `None` when what was sent contradicts itself.
    fn life(&self, condition: &Condition) -> Option<Life> {
        let judging = self.judging;
        let value = |sent: &Option<Value<When>>| sent.as_ref().and_then(|sent| sent.value.clone());
        let days = |when: &When, end: bool| {
            let date = if end { when.end.as_ref().or(when.start.as_ref()) } else { when.start.as_ref() };
            date.and_then(|date| days_of(date, judging.zone))
        };
        let onset = value(&condition.onset).and_then(|when| days(&when, false));
        let recorded = value(&condition.recorded).and_then(|when| days(&when, false));
        let abatement = value(&condition.abatement);
        let abated = abatement.as_ref().and_then(|when| days(when, true));
        let start = match (onset, recorded) {
            // A diagnosis dated in the future is a slip of the pen.
            (Some(onset), _) if onset.first > judging.on => return None,
            (Some(onset), _) => judging.until_now(onset),
            (None, Some(recorded)) if recorded.first > judging.on => return None,
            (None, recorded) => {
                Days { first: Day::FIRST, last: recorded.map_or(judging.on, |r| r.last.min(judging.on)) }
            }
        };
        // What has no status of its own was there at least when somebody wrote it down.
        let seen = recorded.map_or(start.first, |recorded| recorded.first.max(start.first));
        let end = match (condition.state, abatement.is_some(), abated) {
            (ConditionState::Active, false, _) => Days::only(Day::LAST),
            // Active, and over: one of the two is wrong.
            (ConditionState::Active, true, abated) => {
                Days { first: abated.map_or(start.first, |abated| abated.first), last: Day::LAST }
            }
            (_, _, Some(abated)) => abated,
            (ConditionState::Inactive, _, None) => Days { first: start.first, last: judging.on },
            (ConditionState::NotStated, _, None) => Days { first: seen, last: Day::LAST },
        };
        (end.last >= start.first).then_some(Life { start, end })
    }
}

/// When a condition can have begun and ended.
struct Life {
    start: Days,
    end: Days,
}
