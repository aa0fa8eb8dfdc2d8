//! What changed between two snapshots.

use super::snapshot::{Area, Facts, Snapshot};

/// How a fact changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Added,
    Removed,
    Changed,
    /// It is not as it is configured, whatever it was before.
    Mismatch,
}

impl What {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Mismatch => "mismatch",
        }
    }
}

/// One fact that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) area: Area,
    pub(crate) subject: String,
    pub(crate) what: What,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Of so many resources of a type something can be said.
const ENOUGH: u64 = 50;
/// Of a hundred resources so many make a mark usual.
const USUAL_PERCENT: u64 = 90;

/// Every change of the areas that both have. An area that was read for the first time changes nothing.
pub(crate) fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for (area, now) in &after.0 {
        let Some(then) = before.area(*area) else { continue };
        match area {
            Area::Shapes => shapes(then, now, &mut changes),
            Area::Smart | Area::Statement | Area::Keys | Area::Answers => {
                facts(*area, then, now, &mut changes);
            }
        }
    }
    changes
}

fn facts(area: Area, then: &Facts, now: &Facts, changes: &mut Vec<Change>) {
    let change = |subject: &String, what, before: &str, after: &str| Change {
        area,
        subject: subject.clone(),
        what,
        before: before.to_owned(),
        after: after.to_owned(),
    };
    for (subject, before) in then {
        match now.get(subject) {
            None => changes.push(change(subject, What::Removed, before, "")),
            Some(after) if after != before => changes.push(change(subject, What::Changed, before, after)),
            Some(_) => {}
        }
    }
    let added = now.iter().filter(|(subject, _)| !then.contains_key(*subject));
    changes.extend(added.map(|(subject, after)| change(subject, What::Added, "", after)));
}

/// Of samples only what is clear: a mark that nearly all had and none has any more, and one that nobody had.
fn shapes(then: &Facts, now: &Facts, changes: &mut Vec<Change>) {
    let count =
        |facts: &Facts, subject: &str| facts.get(subject).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let is_enough = |subject: &str| {
        let kind = subject.split(' ').next().unwrap_or_default();
        let both = (count(then, kind), count(now, kind));
        (both.0 >= ENOUGH && both.1 >= ENOUGH).then_some(both)
    };
    let share = |shown: u64, of: u64| format!("{shown} of {of}");
    for (subject, before) in then.iter().filter(|(subject, _)| subject.contains(' ')) {
        let Some((earlier, later)) = is_enough(subject) else { continue };
        let shown = before.parse::<u64>().unwrap_or(0);
        if shown * 100 >= earlier * USUAL_PERCENT && count(now, subject) == 0 {
            changes.push(Change {
                area: Area::Shapes,
                subject: subject.clone(),
                what: What::Removed,
                before: share(shown, earlier),
                after: share(0, later),
            });
        }
    }
    for subject in now.keys().filter(|subject| subject.contains(' ') && !then.contains_key(*subject)) {
        let Some((earlier, later)) = is_enough(subject) else { continue };
        changes.push(Change {
            area: Area::Shapes,
            subject: subject.clone(),
            what: What::Added,
            before: share(0, earlier),
            after: share(count(now, subject), later),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(area: Area, facts: &[(&str, &str)]) -> Snapshot {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Snapshot([(area, facts.collect())].into())
    }

    fn told(changes: &[Change]) -> Vec<String> {
        changes
            .iter()
            .map(|c| format!("{} {} {}>{}", c.what.as_str(), c.subject, c.before, c.after))
            .collect()
    }

    #[test]
    fn what_came_went_and_changed_is_told() {
        let then =
            of(Area::Statement, &[("fhirVersion", "4.0.1"), ("Condition read", ""), ("Goal read", "")]);
        let now = of(Area::Statement, &[("fhirVersion", "4.3.0"), ("Condition read", ""), ("Task read", "")]);
        let expected = ["removed Goal read >", "changed fhirVersion 4.0.1>4.3.0", "added Task read >"];
        assert_eq!(told(&diff(&then, &now)), expected);
        assert!(diff(&then, &then).is_empty());
        assert!(diff(&of(Area::Smart, &[]), &now).is_empty(), "read for the first time");
    }

    #[test]
    fn a_rare_mark_that_is_missing_or_a_small_sample_says_nothing() {
        let then = of(Area::Shapes, &[("X", "100"), ("X element a text", "95"), ("X element b text", "40")]);
        let now = of(Area::Shapes, &[("X", "60"), ("X element c text", "3")]);
        let expected =
            ["removed X element a text 95 of 100>0 of 60", "added X element c text 0 of 100>3 of 60"];
        assert_eq!(told(&diff(&then, &now)), expected);
        let few = of(Area::Shapes, &[("X", "10")]);
        assert!(diff(&then, &few).is_empty() && diff(&few, &now).is_empty());
    }
}
