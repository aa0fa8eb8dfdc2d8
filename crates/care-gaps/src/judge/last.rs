//! The last reading and its limits. Which reading is the last may be open (a date to the month, two on one day, a moment in
//! UTC): then every one that can be the last is judged, and only what they agree on is said.

use std::collections::BTreeMap;

use sallyport_clinical::{
    date::When,
    observations::{Observation, ObservationValue},
    value::Value,
};

use super::{
    Cited, Finding, Judge,
    found::{Status, as_sent, observation_status},
    when::text,
};
use crate::{
    codes::Match,
    day::{Day, Days},
    decimal::Decimal,
    evidence::{Evidence, Role, Weight},
    record::Kind,
    rules::{Bound, Criterion, Limit, SameDay, Window},
    truth::Truth,
};

/// A reading: what one observation says of one or more of the limits.
struct Reading<'e> {
    observation: &'e Observation,
    when: Option<&'e When>,
    days: Option<Days>,
    /// Whether it is in the window, and sure to count.
    counts: Truth,
    /// Whether each limit is kept; no entry where it says nothing of it.
    kept: BTreeMap<usize, Truth>,
    /// What is cited of it, before it is known whether it is the last.
    parts: Vec<Part<'e>>,
}

/// One value of a reading.
struct Part<'e> {
    limit: usize,
    value: &'e Value<ObservationValue>,
    code: Option<String>,
    kept: Truth,
    why: String,
}

impl Judge<'_> {
    pub(super) fn last(
        &self,
        criterion: &Criterion,
        limits: &[Limit],
        window: Window,
        same_day: SameDay,
        role: Role,
    ) -> Finding {
        let days = self.window(window);
        let mut readings = Vec::new();
        let mut evidence = Vec::new();
        for one in &self.record.observations {
            let Some(reading) = self.reading(one, limits, days) else { continue };
            match observation_status(one) {
                Status::DoesNotCount(why) => {
                    evidence.extend(cite(&reading, criterion, role, Weight::DoesNotCount, Some(why)));
                }
                _ if reading.counts == Truth::No => {
                    let why = "is not in the time that counts";
                    evidence.extend(cite(&reading, criterion, role, Weight::DoesNotCount, Some(why)));
                }
                Status::Counts => readings.push(reading),
                Status::Unclear(why) => {
                    evidence.extend(cite(&reading, criterion, role, Weight::Unclear, Some(why)));
                    let kept = reading.kept.keys().map(|limit| (*limit, Truth::Unknown)).collect();
                    readings.push(Reading { counts: Truth::Unknown, kept, parts: Vec::new(), ..reading });
                }
            }
        }
        let sure = readings.iter().filter(|reading| reading.counts == Truth::Yes);
        let newest = sure.filter_map(|reading| reading.days).map(|days| days.first).max();
        let can_be_last = |reading: &Reading<'_>| {
            newest.is_none_or(|newest| reading.days.is_none_or(|days| days.last >= newest))
        };
        let (last, earlier): (Vec<_>, Vec<_>) = readings.into_iter().partition(can_be_last);
        let mut verdicts = verdicts(&last, limits, same_day);
        if newest.is_none() {
            // Perhaps none of them is in the window, and then nothing was measured.
            verdicts.push(Truth::No);
        }
        let truth = Truth::agreed(verdicts).unwrap_or(Truth::No);
        for reading in &last {
            evidence.extend(cite(reading, criterion, role, Weight::Counts, None));
        }
        for reading in &earlier {
            evidence.extend(cite(reading, criterion, role, Weight::DoesNotCount, Some("is not the last")));
        }
        let finding = self.told(criterion, &last, truth, evidence);
        let until = newest.filter(|_| truth == Truth::Yes).and_then(|day| self.until(day, window));
        // What was not read may be newer than all that was.
        Finding { until, ..finding }.unless_incomplete(self.record, &[Kind::Observation])
    }

    fn told(
        &self,
        criterion: &Criterion,
        last: &[Reading<'_>],
        truth: Truth,
        evidence: Vec<Evidence>,
    ) -> Finding {
        if last.is_empty() {
            return Finding::of(
                truth,
                format!("Nothing was measured in the period: {}.", criterion.what),
                evidence,
            );
        }
        let parts = || last.iter().flat_map(|reading| &reading.parts);
        let decides = |part: &&Part<'_>| truth == Truth::Unknown || part.kept == truth;
        let mut why: Vec<String> = parts().filter(decides).map(|part| part.why.clone()).collect();
        if truth == Truth::Yes && parts().any(|part| part.kept == Truth::No) {
            why.push(
                "Of several values of that day the one that keeps the limit counts, as the measure says."
                    .to_owned(),
            );
        }
        if truth == Truth::Unknown {
            why.insert(0, "The last reading cannot be told, or not whether it keeps the limit.".to_owned());
        }
        Finding { why, ..Finding::of(truth, "", evidence) }
    }

    fn reading<'e>(&self, one: &'e Observation, limits: &[Limit], window: Days) -> Option<Reading<'e>> {
        let when = one.when.as_ref().and_then(|when| when.value.as_ref());
        let mut parts = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            let own = [(&one.what, &one.value)];
            let components = one.components.iter().map(|part| (&part.what, &part.value));
            for (what, value) in own.into_iter().chain(components) {
                let Some(concept) = &what.value else { continue };
                let matched = limit.codes.compare(concept);
                if matched != Match::No {
                    parts.push(part(index, limit, value, matched, when));
                }
            }
        }
        if parts.is_empty() {
            return None;
        }
        let days = self.judging.done(when);
        let mut kept = BTreeMap::new();
        for part in &parts {
            // Two values of one kind in one observation are as good as two that disagree.
            kept.entry(part.limit)
                .and_modify(|known: &mut Truth| {
                    if *known != part.kept {
                        *known = Truth::Unknown;
                    }
                })
                .or_insert(part.kept);
        }
        Some(Reading { observation: one, when, days, counts: self.judging.is_in(days, window), kept, parts })
    }
}

/// Whether a value keeps its limit, and why.
fn part<'e>(
    index: usize,
    limit: &Limit,
    value: &'e Value<ObservationValue>,
    matched: Match<'_>,
    when: Option<&When>,
) -> Part<'e> {
    let made = |kept, why: String| Part { limit: index, value, code: super::code_of(matched), kept, why };
    let sent = value.value.as_ref().and_then(as_sent);
    let said = format!("{} {} {}", limit.what, sent.as_deref().unwrap_or("without a value"), text(when));
    let Some(ObservationValue::Quantity { quantity }) = &value.value else {
        return made(Truth::Unknown, format!("{said}: no number was sent."));
    };
    if matched == Match::Suspected {
        return made(
            Truth::Unknown,
            format!("{said}: it carries no code by which it could be known for certain."),
        );
    }
    let Some(number) = Decimal::parse(&quantity.value) else {
        return made(Truth::Unknown, format!("{said}: the number is none that a measurement has."));
    };
    let Some(number) = limit.in_unit(number, quantity.code.as_deref(), quantity.unit.as_deref()) else {
        return made(
            Truth::Unknown,
            format!("{said}: its unit is not one that can be compared with {}.", limit.unit),
        );
    };
    if limit.plausible.is_some_and(|(least, most)| number < least || most < number) {
        return made(Truth::Unknown, format!("{said}: such a value is not to be believed."));
    }
    let kept = limit.bound.holds(number, quantity.comparator.as_deref());
    let words = limit.words();
    let why = match kept {
        Truth::Yes => format!("{said} is {words}."),
        Truth::No => format!("{said} is not {words}."),
        Truth::Unknown => format!("{said}: that does not say whether it is {words}."),
    };
    made(kept, why)
}

/// The verdicts of all the readings that can be the last.
fn verdicts(last: &[Reading<'_>], limits: &[Limit], same_day: SameDay) -> Vec<Truth> {
    let mut by_day: BTreeMap<Day, Vec<&Reading<'_>>> = BTreeMap::new();
    let mut groups: Vec<Vec<&Reading<'_>>> = Vec::new();
    for reading in last {
        match reading.days.filter(|days| days.is_one_day() && reading.counts == Truth::Yes) {
            Some(days) => by_day.entry(days.first).or_default().push(reading),
            None => groups.push(vec![reading]),
        }
    }
    groups.extend(by_day.into_values());
    // Readings whose day is open may be of one day. To take the lowest of more readings only moves a verdict one way, so
    // that of all together and those of each bound what lies between.
    if groups.len() > 1 {
        groups.push(last.iter().collect());
    }
    groups.iter().map(|group| verdict(group, limits, same_day)).collect()
}

/// The verdict on the readings of one day: for each limit the lowest, or highest, value counts; all limits have to be kept.
fn verdict(group: &[&Reading<'_>], limits: &[Limit], same_day: SameDay) -> Truth {
    Truth::all(limits.iter().enumerate().map(|(index, limit)| {
        let kept: Vec<Truth> = group.iter().filter_map(|reading| reading.kept.get(&index).copied()).collect();
        let is_upper = matches!(limit.bound, Bound::AtMost(_) | Bound::Below(_));
        match (kept.is_empty(), is_upper == (same_day == SameDay::Lowest)) {
            // One half of a reading is no reading.
            (true, _) => Truth::Unknown,
            (false, true) => Truth::any(kept),
            (false, false) => Truth::all(kept),
        }
    }))
}

/// What is cited of a reading. `but` says why it does not count; without it each value says its own.
fn cite(
    reading: &Reading<'_>,
    criterion: &Criterion,
    role: Role,
    weight: Weight,
    but: Option<&str>,
) -> Vec<Evidence> {
    let what = reading.observation.what.value.as_ref().map_or("", |what| what.name.as_str());
    let all = reading.parts.iter().map(|part| {
        let value = part.value.value.as_ref().and_then(as_sent);
        let why = match but {
            Some(but) => format!("{what} {}: {but}.", text(reading.when)),
            None => part.why.clone(),
        };
        let weight = if but.is_none() && part.kept == Truth::Unknown { Weight::Unclear } else { weight };
        Cited {
            role,
            criterion: &criterion.what,
            what,
            code: part.code.clone(),
            value,
            when: reading.when.cloned(),
            source: &part.value.source,
        }
        .says(weight, why)
    });
    all.collect()
}
