//! Days of the calendar, stretches of them, and steps between them.

use std::fmt;

use sallyport_clinical::date::{days_from_epoch, utc_parts};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY_MICROS: i64 = 86_400_000_000;

/// One day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// Before every day of a record.
    pub const FIRST: Self = Self(-719_162);
    /// After every day of a record.
    pub const LAST: Self = Self(2_932_896);

    /// That day; `None` when the calendar has none such.
    pub fn of(year: i32, month: u8, day: u8) -> Option<Self> {
        let is_day = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day);
        is_day.then(|| Self(days_from_epoch(year, month, day)))
    }

    /// `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str, length: usize| {
            (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<u16>().ok())?
        };
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        let none_left = parts.next().is_none();
        none_left.then(|| Self::of(year.into(), u8::try_from(month).ok()?, u8::try_from(day).ok()?))?
    }

    /// The day on which a moment (microseconds since the epoch) falls where clocks are `minutes` ahead of UTC.
    pub fn at(micros: i64, minutes: i32) -> Self {
        Self(micros.saturating_add(i64::from(minutes) * 60_000_000).div_euclid(DAY_MICROS)).within()
    }

    fn within(self) -> Self {
        self.clamp(Self::FIRST, Self::LAST)
    }

    /// Year, month, day.
    pub fn parts(self) -> (i32, u8, u8) {
        let parts = utc_parts(self.0 * DAY_MICROS);
        (parts.year, parts.month.unwrap_or(1), parts.day.unwrap_or(1))
    }

    /// So many days later, or earlier.
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days)).within()
    }

    /// So many months later, or earlier; in a shorter month, its last day.
    pub fn plus_months(self, months: i32) -> Self {
        let (year, month, day) = self.parts();
        let all = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(months);
        let (Ok(year), Ok(month)) = (i32::try_from(all.div_euclid(12)), u8::try_from(all.rem_euclid(12) + 1))
        else {
            return if months < 0 { Self::FIRST } else { Self::LAST };
        };
        if year < 1 {
            return Self::FIRST;
        }
        Self::of(year, month, day.min(month_days(year, month))).unwrap_or(Self::LAST)
    }

    /// A day half-way to a later one.
    pub(crate) fn middle(self, later: Self) -> Self {
        Self(self.0 + (later.0 - self.0) / 2)
    }

    /// As a clinician reads it: `14-Jul-1945` (NHS CUI date display).
    pub fn text(self) -> String {
        let (year, month, day) = self.parts();
        format!("{day:02}-{}-{year:04}", MONTHS.get(usize::from(month) - 1).unwrap_or(&""))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a day"))
    }
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The first.
    pub first: Day,
    /// The last.
    pub last: Day,
}

impl Days {
    /// One day.
    pub fn only(day: Day) -> Self {
        Self { first: day, last: day }
    }

    /// Whether it is a single day.
    pub fn is_one_day(self) -> bool {
        self.first == self.last
    }

    /// Whether all of it lies in `other`.
    pub fn is_within(self, other: Self) -> bool {
        other.first <= self.first && self.last <= other.last
    }

    /// Whether any of it lies in `other`.
    pub fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// A step back or forth in the calendar: `P9Y`, `P1Y3M`, `P30D` (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    months: i32,
    days: i32,
}

impl Step {
    /// Reads `P…`; at most 150 years. `None` when it is no such step.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('P')?;
        let mut step = Self::default();
        let mut units = ["Y", "M", "D"].into_iter();
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, unit) = rest.split_at_checked(digits)?;
            let number: i32 = number.parse().ok().filter(|n| *n <= 60_000)?;
            let unit = unit.get(..1)?;
            units.by_ref().find(|known| *known == unit)?;
            match unit {
                "Y" => step.months += number * 12,
                "M" => step.months += number,
                _ => step.days += number,
            }
            rest = rest.get(digits + 1..)?;
        }
        (step.months <= 1800 && step.days <= 60_000).then_some(step)
    }

    /// The day that far before.
    pub fn before(self, day: Day) -> Day {
        day.plus_months(-self.months).plus_days(-i64::from(self.days))
    }

    /// The day that far after.
    pub fn after(self, day: Day) -> Day {
        day.plus_months(self.months).plus_days(i64::from(self.days))
    }

    /// In words: `9 years`, `1 year 3 months`; empty for none.
    pub fn words(self) -> String {
        let part = |number: i32, unit: &str| match number {
            0 => None,
            1 => Some(format!("1 {unit}")),
            _ => Some(format!("{number} {unit}s")),
        };
        let parts = [part(self.months / 12, "year"), part(self.months % 12, "month"), part(self.days, "day")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// Days of that month.
pub(crate) fn month_days(year: i32, month: u8) -> u8 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn days_read_and_print_and_there_are_no_others() {
        for text in ["0001-01-01", "1969-12-31", "2024-02-29", "9999-12-31"] {
            assert_eq!(day(text).to_string(), text);
        }
        assert_eq!(
            (Day::FIRST.to_string(), Day::LAST.to_string()),
            ("0001-01-01".into(), "9999-12-31".into())
        );
        assert_eq!(day("1945-07-14").text(), "14-Jul-1945");
        for text in [
            "2023-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-01",
            "2026-01",
            "0000-01-01",
            "",
            "2026-01-01-",
        ] {
            assert!(Day::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn months_end_where_the_shorter_month_ends() {
        assert_eq!(day("2024-02-29").plus_months(-12), day("2023-02-28"));
        assert_eq!(day("2026-01-31").plus_months(1), day("2026-02-28"));
        assert_eq!(day("2026-01-01").plus_months(-15), day("2024-10-01"));
        assert_eq!(day("0001-01-01").plus_months(-1), Day::FIRST);
    }

    #[test]
    fn steps_are_iso_8601_and_nothing_else() {
        let from = day("2026-01-01");
        for (text, before, words) in [
            ("P9Y", "2017-01-01", "9 years"),
            ("P1Y3M", "2024-10-01", "1 year 3 months"),
            ("P15M", "2024-10-01", "1 year 3 months"),
            ("P30D", "2025-12-02", "30 days"),
            ("P0Y", "2026-01-01", ""),
        ] {
            let step = Step::parse(text).unwrap();
            assert_eq!((step.before(from), step.words().as_str()), (day(before), words), "{text}");
        }
        for text in [
            "",
            "P",
            "9Y",
            "P9",
            "PY",
            "P3M1Y",
            "P1Y1Y",
            "P-1Y",
            "P200Y",
            "P1W",
            "PT1H",
            "p1y",
            "P99999999999Y",
        ] {
            assert!(Step::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_moment_falls_on_another_day_elsewhere() {
        let micros = 1_767_232_800_000_000; // 2026-01-01T02:00Z
        assert_eq!(Day::at(micros, 0), day("2026-01-01"));
        assert_eq!(Day::at(micros, -300), day("2025-12-31"));
        assert_eq!(Day::at(i64::MAX, 0), Day::LAST);
    }

    proptest! {
        #[test]
        fn every_day_reads_back(offset in 0_i64..3_652_058) {
            let any = Day::FIRST.plus_days(offset);
            prop_assert_eq!(Day::parse(&any.to_string()), Some(any));
            prop_assert_eq!(any.plus_days(1).plus_days(-1), if any == Day::LAST { any.plus_days(-1) } else { any });
        }

        #[test]
        fn a_year_back_and_forth_loses_at_most_the_leap_day(offset in 800_i64..3_600_000) {
            let any = Day::FIRST.plus_days(offset);
            let there_and_back = any.plus_months(-12).plus_months(12);
            prop_assert!(there_and_back == any || there_and_back.plus_days(1) == any);
        }
    }
}
