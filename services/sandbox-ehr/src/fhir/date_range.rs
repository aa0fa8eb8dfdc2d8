//! FHIR dates as spans of time, and the comparisons of date search
//! (<https://hl7.org/fhir/R4/search.html#date>).

use jiff::{Timestamp, ToSpan, civil, tz::Offset};

/// A span of time in microseconds since 1970, the end not included. Dates without a zone are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DateRange {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// How a value is compared with what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

impl Prefix {
    /// Splits a search value into prefix and date.
    pub(crate) fn split(text: &str) -> (Self, &str) {
        let known = [
            ("eq", Self::Equal),
            ("ne", Self::NotEqual),
            ("gt", Self::Greater),
            ("lt", Self::Less),
            ("ge", Self::GreaterOrEqual),
            ("le", Self::LessOrEqual),
            ("sa", Self::StartsAfter),
            ("eb", Self::EndsBefore),
            ("ap", Self::Approximately),
        ];
        let found =
            known.into_iter().find_map(|(name, prefix)| text.strip_prefix(name).map(|rest| (prefix, rest)));
        found.unwrap_or((Self::Equal, text))
    }
}

impl DateRange {
    /// Everything from a start (or ever) to an end (or for ever): an open Period.
    pub(crate) fn between(start: Option<Self>, end: Option<Self>) -> Self {
        Self {
            start: start.map_or(i64::MIN, |range| range.start),
            end: end.map_or(i64::MAX, |range| range.end),
        }
    }

    /// Reads a date, dateTime or instant of any precision.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        match text.len() {
            4 => Self::days(&format!("{text}-01-01"), 1.year()),
            7 => Self::days(&format!("{text}-01"), 1.month()),
            10 => Self::days(text, 1.day()),
            _ => Self::moment(text),
        }
    }

    fn days(first: &str, length: jiff::Span) -> Option<Self> {
        let day: civil::Date = first.parse().ok()?;
        let next = day.checked_add(length).ok()?;
        Some(Self { start: micros(day.at(0, 0, 0, 0))?, end: micros(next.at(0, 0, 0, 0))? })
    }

    fn moment(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        if date.len() != 10 {
            return None;
        }
        let zone = time.find(['Z', '+', '-']);
        let clock = zone.and_then(|at| time.get(..at)).unwrap_or(time);
        let length = match (clock.len(), clock.contains('.')) {
            (5, _) => 60_000_000,
            (8, _) => 1_000_000,
            (_, true) => 1_000,
            _ => return None,
        };
        let seconds = if clock.len() == 5 { ":00" } else { "" };
        let start = match zone.and_then(|at| time.get(at..)) {
            Some(zone) => {
                format!("{date}T{clock}{seconds}{zone}").parse::<Timestamp>().ok()?.as_microsecond()
            }
            None => micros(format!("{date}T{clock}{seconds}").parse().ok()?)?,
        };
        Some(Self { start, end: start + length })
    }

    /// Whether a resource's date fits what was asked for.
    pub(crate) fn fits(self, prefix: Prefix, asked: Self, now_micros: i64) -> bool {
        let within = asked.start <= self.start && self.end <= asked.end;
        match prefix {
            Prefix::Equal => within,
            Prefix::NotEqual => !within,
            Prefix::Greater => self.end > asked.end,
            Prefix::Less => self.start < asked.start,
            Prefix::GreaterOrEqual => within || self.end > asked.end,
            Prefix::LessOrEqual => within || self.start < asked.start,
            Prefix::StartsAfter => self.start >= asked.end,
            Prefix::EndsBefore => self.end <= asked.start,
            Prefix::Approximately => {
                // The recommended tenth of the distance to now.
                let slack = now_micros.abs_diff(asked.start) / 10;
                let slack = i64::try_from(slack).unwrap_or(i64::MAX);
                self.start < asked.end.saturating_add(slack) && self.end > asked.start.saturating_sub(slack)
            }
        }
    }
}

fn micros(moment: civil::DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(moment).ok().map(Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> DateRange {
        DateRange::parse(text).unwrap()
    }

    #[test]
    fn precision_decides_the_span() {
        assert_eq!(range("2024").end, range("2025").start);
        assert_eq!(range("2024-02").end, range("2024-03").start);
        assert_eq!(range("2024-02-29").end, range("2024-03-01").start);
        assert_eq!(range("2024-01-01T10:00Z").end - range("2024-01-01T10:00Z").start, 60_000_000);
        assert_eq!(range("2024-01-01T10:00:00Z"), range("2024-01-01T05:00:00-05:00"));
        assert_eq!(range("2024-01-01T10:00:00.500Z").end - range("2024-01-01T10:00:00.500Z").start, 1_000);
        assert_eq!(range("2024-01-01T10:00:00").start, range("2024-01-01T10:00:00Z").start);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in
            ["", "today", "2024-13", "2024-02-30", "2024-1-1", "2024-01-01T25:00:00Z", "２０２４", "99999"]
        {
            assert_eq!(DateRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_prefix_compares_as_the_standard_says() {
        let asked = range("2024-03");
        let table = [
            (Prefix::Equal, [false, true, false]),
            (Prefix::NotEqual, [true, false, true]),
            (Prefix::Greater, [false, false, true]),
            (Prefix::Less, [true, false, false]),
            (Prefix::GreaterOrEqual, [false, true, true]),
            (Prefix::LessOrEqual, [true, true, false]),
            (Prefix::StartsAfter, [false, false, true]),
            (Prefix::EndsBefore, [true, false, false]),
        ];
        for (prefix, wanted) in table {
            let got = ["2024-02-20", "2024-03-15", "2024-04-02"].map(|day| range(day).fits(prefix, asked, 0));
            assert_eq!(got, wanted, "{prefix:?}");
        }
    }

    #[test]
    fn approximately_reaches_a_tenth_of_the_way_to_now() {
        let now = range("2024-01-01").start;
        let asked = range("2023-09-22");
        assert!(range("2023-09-30").fits(Prefix::Approximately, asked, now));
        assert!(!range("2023-10-20").fits(Prefix::Approximately, asked, now));
    }

    #[test]
    fn a_period_that_has_not_ended_reaches_into_every_future() {
        let open = DateRange::between(Some(range("2024-03-10")), None);
        assert!(open.fits(Prefix::GreaterOrEqual, range("2030"), 0));
        assert!(!open.fits(Prefix::Equal, range("2024"), 0));
    }
}
