//! Points in chart time: a local day and minute, written as FHIR dateTime and instant.

use jiff::{ToSpan, civil::Date};

/// The hospital keeps one offset all year, so that local and UTC texts differ and still sort alike.
const OFFSET_MINUTES: i64 = 300;
const DAY: i64 = 24 * 60;

/// A minute of a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) date: Date,
    minute: i64,
}

impl Moment {
    pub(super) fn at(date: Date, hour: i64, minute: i64) -> Self {
        Self { date, minute: 0 }.plus(hour * 60 + minute)
    }

    pub(super) fn plus(self, minutes: i64) -> Self {
        let all = self.minute + minutes;
        Self { date: days_after(self.date, all.div_euclid(DAY)), minute: all.rem_euclid(DAY) }
    }

    /// `2026-09-14T09:20:00-05:00`
    pub(super) fn local(self) -> String {
        format!("{}T{:02}:{:02}:00-05:00", self.date, self.minute / 60, self.minute % 60)
    }

    /// `2026-09-14T14:20:00Z`
    pub(super) fn instant(self) -> String {
        let utc = self.plus(OFFSET_MINUTES);
        format!("{}T{:02}:{:02}:00Z", utc.date, utc.minute / 60, utc.minute % 60)
    }
}

pub(super) fn days_after(date: Date, days: i64) -> Date {
    date.saturating_add(days.days())
}

/// Years between two days as a real number; negative when `to` is earlier.
pub(super) fn years_between(from: Date, to: Date) -> f64 {
    let days = from.until(to).map_or(0, |span| span.get_days());
    f64::from(days) / 365.25
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn local_and_utc_texts_name_the_same_instant() {
        let moment = Moment::at(date(2026, 3, 31), 20, 5);
        assert_eq!(moment.local(), "2026-03-31T20:05:00-05:00");
        assert_eq!(moment.instant(), "2026-04-01T01:05:00Z");
    }

    #[test]
    fn years_count_leap_days_and_direction() {
        assert!((years_between(date(2000, 1, 1), date(2020, 1, 1)) - 20.0).abs() < 0.01);
        assert!(years_between(date(2020, 1, 1), date(2019, 1, 1)) < -0.99);
    }
}
