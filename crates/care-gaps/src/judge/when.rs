//! From what was sent about a time to the days that it can mean.

use sallyport_clinical::date::{Date, Precision, When};

use super::Judging;
use crate::{
    day::{Day, Days, month_days},
    truth::Truth,
};

/// How far local clocks are from UTC: decides on which day a moment fell that was sent in UTC. A moment that was sent with
/// an offset of its own says its day itself.
#[derive(Clone, Copy)]
pub enum Zone<'a> {
    /// Not known: anywhere on Earth.
    Unknown,
    /// Minutes ahead of UTC, from the least to the most.
    Between {
        /// The least.
        least: i32,
        /// The most.
        most: i32,
    },
    /// Minutes ahead of UTC at a moment, microseconds since the epoch.
    Of(&'a (dyn Fn(i64) -> i32 + Sync)),
}

impl Zone<'_> {
    fn days(self, micros: i64) -> Days {
        let (least, most) = match self {
            // UTC-12 to UTC+14 are the offsets in use.
            Self::Unknown => (-12 * 60, 14 * 60),
            Self::Between { least, most } => (least.min(most), least.max(most)),
            Self::Of(offset) => (offset(micros), offset(micros)),
        };
        Days { first: Day::at(micros, least), last: Day::at(micros, most) }
    }
}

/// The days that a date can mean; `None` when it is not in FHIR's form.
pub(super) fn days_of(date: &Date, zone: Zone<'_>) -> Option<Days> {
    let parts = date.parts()?;
    let days = match (parts.month, parts.day) {
        (Some(month), Some(day)) => {
            if parts.offset_minutes == Some(0) {
                return Some(zone.days(date.instant()?));
            }
            Days::only(Day::of(parts.year, month, day)?)
        }
        (Some(month), None) => Days {
            first: Day::of(parts.year, month, 1)?,
            last: Day::of(parts.year, month, month_days(parts.year, month))?,
        },
        (None, _) => Days { first: Day::of(parts.year, 1, 1)?, last: Day::of(parts.year, 12, 31)? },
    };
    Some(days)
}

/// A date as a clinician reads it, as precise as it was sent.
pub(super) fn text(when: Option<&When>) -> String {
    let Some(when) = when else { return "at a time that was not sent".to_owned() };
    match (&when.start, &when.end, &when.text) {
        (Some(start), Some(end), _) if start.original != end.original => {
            format!("from {} to {}", start.day_text(), end.day_text())
        }
        (Some(one), _, _) | (None, Some(one), _) => match one.precision {
            Precision::Month | Precision::Year => format!("in {}", one.day_text()),
            Precision::Day | Precision::Instant | Precision::Text => format!("on {}", one.day_text()),
        },
        (None, None, Some(text)) => format!("at a time given as \"{text}\""),
        (None, None, None) => "at a time that was not sent".to_owned(),
    }
}

impl Judging<'_> {
    /// The days on which something that was done can have been done: the end of it counts. What was sent as this year or
    /// this month has happened by today.
    pub(super) fn done(&self, when: Option<&When>) -> Option<Days> {
        let when = when?;
        let days = days_of(when.end.as_ref().or(when.start.as_ref())?, self.zone)?;
        Some(self.until_now(days))
    }

    /// Cut at today, unless all of it is still to come.
    pub(super) fn until_now(&self, days: Days) -> Days {
        Days { last: if days.first <= self.on { days.last.min(self.on) } else { days.last }, ..days }
    }

    /// Whether something of these days is in the window. What is said to be in the future, and what says no day, cannot be
    /// placed.
    pub(super) fn is_in(&self, days: Option<Days>, window: Days) -> Truth {
        let Some(days) = days else {
            let takes_all = window.first == Day::FIRST;
            return if takes_all { Truth::Yes } else { Truth::Unknown };
        };
        if days.first > self.on {
            Truth::Unknown
        } else if !days.meets(window) {
            Truth::No
        } else {
            if days.is_within(window) { Truth::Yes } else { Truth::Unknown }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(first: &str, last: &str) -> Days {
        Days { first: Day::parse(first).unwrap(), last: Day::parse(last).unwrap() }
    }

    #[test]
    fn a_date_means_all_the_days_that_it_leaves_open() {
        for (sent, first, last) in [
            ("2026", "2026-01-01", "2026-12-31"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("2026-03-12", "2026-03-12", "2026-03-12"),
            ("2026-03-12T23:59:59-05:00", "2026-03-12", "2026-03-12"),
            ("2026-03-12T23:59", "2026-03-12", "2026-03-12"),
            ("2026-03-12T12:00:00Z", "2026-03-12", "2026-03-13"),
            ("2026-03-12T02:00:00Z", "2026-03-11", "2026-03-12"),
        ] {
            let sent = Date::new(sent.to_owned());
            assert_eq!(days_of(&sent, Zone::Unknown), Some(days(first, last)), "{}", sent.original);
        }
        assert_eq!(days_of(&Date::new("last spring".to_owned()), Zone::Unknown), None);
    }

    #[test]
    fn a_known_zone_makes_a_moment_in_utc_one_day() {
        let sent = Date::new("2026-01-01T02:00:00Z".to_owned());
        let new_york = Zone::Between { least: -300, most: -240 };
        assert_eq!(days_of(&sent, new_york), Some(days("2025-12-31", "2025-12-31")));
        let of = |_: i64| 60;
        assert_eq!(days_of(&sent, Zone::Of(&of)), Some(days("2026-01-01", "2026-01-01")));
    }
}
