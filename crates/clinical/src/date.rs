//! Dates as FHIR has them: to the year, month, day or instant, never made more precise than they were sent.

use serde::{Deserialize, Serialize};

/// How precise a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Not in FHIR's form: only the text.
    Text,
    /// The year.
    Year,
    /// Year and month.
    Month,
    /// The day.
    Day,
    /// A moment with its offset from UTC.
    Instant,
}

/// A date as sent, with its precision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Date {
    /// As sent.
    pub original: String,
    /// How precise it is.
    pub precision: Precision,
}

/// A moment, a stretch of time, or what was said about one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct When {
    /// The moment, or the start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start: Option<Date>,
    /// The end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<Date>,
    /// In words, when that is all there is ("aged 12 years", "childhood").
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
}

impl When {
    /// For sorting: microseconds since the epoch of the start, else of the end.
    pub fn instant(&self) -> Option<i64> {
        self.start.as_ref().or(self.end.as_ref()).and_then(Date::instant)
    }
}

/// The parts of a date that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// Year, 1 to 9999.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: Option<u8>,
    /// Day of the month.
    pub day: Option<u8>,
    /// Seconds since midnight, local.
    pub second_of_day: Option<u32>,
    /// Whether seconds were sent.
    pub has_seconds: bool,
    /// Microseconds within the second.
    pub micros: u32,
    /// Offset from UTC in minutes; `None` when none was sent.
    pub offset_minutes: Option<i32>,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// Takes a date as sent.
    pub fn new(original: String) -> Self {
        let precision = match parse(&original) {
            Some(Parts { second_of_day: Some(_), .. }) => Precision::Instant,
            Some(Parts { day: Some(_), .. }) => Precision::Day,
            Some(Parts { month: Some(_), .. }) => Precision::Month,
            Some(_) => Precision::Year,
            None => Precision::Text,
        };
        Self { original, precision }
    }

    /// The parts that were sent; `None` when it is not in FHIR's form.
    pub fn parts(&self) -> Option<Parts> {
        parse(&self.original)
    }

    /// The earliest moment it can mean, microseconds since the epoch, for sorting and for time axes.
    pub fn instant(&self) -> Option<i64> {
        let parts = self.parts()?;
        let days = days_from_epoch(parts.year, parts.month.unwrap_or(1), parts.day.unwrap_or(1));
        let local = days * 86_400 + i64::from(parts.second_of_day.unwrap_or(0));
        let utc = local - i64::from(parts.offset_minutes.unwrap_or(0)) * 60;
        Some(utc * 1_000_000 + i64::from(parts.micros))
    }

    /// The day part for a clinician: `14-Jul-1945`, `Jul-1945`, `1945`, or the text as sent (NHS CUI date display).
    pub fn day_text(&self) -> String {
        let Some(parts) = self.parts() else { return self.original.clone() };
        let month = parts.month.and_then(|m| MONTHS.get(usize::from(m).checked_sub(1)?));
        match (month, parts.day) {
            (Some(month), Some(day)) => format!("{day:02}-{month}-{:04}", parts.year),
            (Some(month), None) => format!("{month}-{:04}", parts.year),
            (None, _) => format!("{:04}", parts.year),
        }
    }

    /// Day and time as they were where it was recorded: `14-Jul-1945 14:02`.
    pub fn full_text(&self) -> String {
        let day = self.day_text();
        match self.parts().and_then(|p| p.second_of_day) {
            Some(second) => format!("{day} {:02}:{:02}", second / 3600, second / 60 % 60),
            None => day,
        }
    }

    /// The offset as a zone, `UTC` or `UTC+01:00`; `None` when no time was sent.
    pub fn zone_text(&self) -> Option<String> {
        match self.parts()?.offset_minutes? {
            0 => Some("UTC".to_owned()),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                Some(format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60))
            }
        }
    }

    /// Age on `on` in the unit the NHS CUI guidance shows: `81 y`, months under two years, weeks under 13, days under 4.
    ///
    /// `None` in the future, or when the date says too little. A date to the year or month gives "about".
    pub fn age_text(&self, on: &Parts) -> Option<String> {
        let born = self.parts()?;
        let on_day = days_from_epoch(on.year, on.month?, on.day?);
        let (Some(month), Some(day)) = (born.month, born.day) else {
            let years = on.year - born.year - i32::from(born.month.is_some_and(|m| Some(m) > on.month));
            return (years >= 0).then(|| format!("about {years} y"));
        };
        let days = on_day - days_from_epoch(born.year, month, day);
        if days < 0 {
            return None;
        }
        let before_month_day = on.day < Some(day);
        let months = (on.year - born.year) * 12 + i32::from(on.month?)
            - i32::from(month)
            - i32::from(before_month_day);
        Some(match (days, months) {
            (0..28, _) => format!("{days} d"),
            (28..91, _) => format!("{} w", days / 7),
            (_, ..24) => format!("{months} m"),
            _ => format!("{} y", months / 12),
        })
    }
}

/// Days since 1 January 1970 in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`).
pub fn days_from_epoch(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The civil day and time in UTC of a moment in microseconds since the epoch.
pub fn utc_parts(micros: i64) -> Parts {
    let seconds = micros.div_euclid(1_000_000);
    let shifted = seconds.div_euclid(86_400) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Parts {
        year: i32::try_from(year).unwrap_or(i32::MAX),
        month: u8::try_from(month).ok(),
        day: u8::try_from(day).ok(),
        second_of_day: u32::try_from(seconds.rem_euclid(86_400)).ok(),
        has_seconds: true,
        micros: u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0),
        offset_minutes: Some(0),
    }
}

/// R4 datatypes §date, §dateTime, §instant; any number of fraction digits (NextGen sends two), offset optional because
/// some servers leave it out.
fn parse(text: &str) -> Option<Parts> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let year = digits(fields.next()?, 4)?;
    let month = fields.next().map(|m| digits(m, 2)).map_or(Some(None), |m| m.map(Some))?;
    let day = fields.next().map(|d| digits(d, 2)).map_or(Some(None), |d| d.map(Some))?;
    let month = month
        .map(|m| u8::try_from(m).ok().filter(|m| (1..=12).contains(m)))
        .map_or(Some(None), |m| m.map(Some))?;
    let year = i32::try_from(year).ok().filter(|y| *y > 0)?;
    let day = match (day, month) {
        (Some(day), Some(month)) => {
            Some(u8::try_from(day).ok().filter(|d| (1..=month_days(year, month)).contains(d))?)
        }
        _ => None,
    };
    if fields.next().is_some() {
        return None;
    }
    let parts = Parts { year, month, day, ..Parts::default() };
    match time {
        None => Some(parts),
        Some(time) if day.is_some() => parse_time(time, parts),
        Some(_) => None,
    }
}

fn parse_time(text: &str, parts: Parts) -> Option<Parts> {
    let zone_at = text.find(['Z', '+', '-']);
    let (clock, zone) = text.split_at(zone_at.unwrap_or(text.len()));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut fields = clock.split(':');
    let hour = digits(fields.next()?, 2).filter(|h| *h < 24)?;
    let minute = digits(fields.next()?, 2).filter(|m| *m < 60)?;
    let seconds = fields.next();
    // 60 is a leap second (RFC 3339 §5.6).
    let second = seconds.map_or(Some(0), |s| digits(s, 2).filter(|s| *s <= 60))?;
    if fields.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = (0..6).fold(0, |micros, at| {
        micros * 10 + fraction.as_bytes().get(at).map_or(0, |digit| u32::from(digit - b'0'))
    });
    let offset_minutes = match zone {
        "" => None,
        "Z" => Some(0),
        _ => {
            let (sign, offset) = (if zone.starts_with('-') { -1 } else { 1 }, zone.get(1..)?);
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = digits(hours, 2)? * 60 + digits(minutes, 2)?;
            Some(sign * i32::try_from(minutes).ok().filter(|m| *m <= 14 * 60)?)
        }
    };
    let second_of_day = Some(hour * 3600 + minute * 60 + second);
    Some(Parts { second_of_day, has_seconds: seconds.is_some(), micros, offset_minutes, ..parts })
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let digit = |number: u32, b: u8| b.is_ascii_digit().then(|| number * 10 + u32::from(b - b'0'));
    if text.len() == length { text.bytes().try_fold(0, digit) } else { None }
}

fn month_days(year: i32, month: u8) -> u8 {
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
    use super::*;

    fn date(text: &str) -> Date {
        Date::new(text.to_owned())
    }

    #[test]
    fn a_date_is_shown_exactly_as_precise_as_it_was_sent() {
        for (sent, precision, day, full) in [
            ("1945", Precision::Year, "1945", "1945"),
            ("1945-07", Precision::Month, "Jul-1945", "Jul-1945"),
            ("1945-07-14", Precision::Day, "14-Jul-1945", "14-Jul-1945"),
            ("2026-03-12T14:02:59.66+00:00", Precision::Instant, "12-Mar-2026", "12-Mar-2026 14:02"),
            ("2026-03-12T14:02Z", Precision::Instant, "12-Mar-2026", "12-Mar-2026 14:02"),
            ("2026-13-12", Precision::Text, "2026-13-12", "2026-13-12"),
            ("2026-02-29", Precision::Text, "2026-02-29", "2026-02-29"),
            ("12/03/2026", Precision::Text, "12/03/2026", "12/03/2026"),
            ("", Precision::Text, "", ""),
        ] {
            let date = date(sent);
            assert_eq!(
                (date.precision, date.day_text().as_str(), date.full_text().as_str()),
                (precision, day, full),
                "{sent}"
            );
        }
    }

    #[test]
    fn moments_compare_across_offsets() {
        let (east, west) = (date("2026-03-12T14:00:00+02:00"), date("2026-03-12T12:00:00Z"));
        assert_eq!(east.instant(), west.instant());
        assert_eq!(date("1970-01-01").instant(), Some(0));
        assert_eq!(date("2000-03-01").instant(), Some(951_868_800_000_000));
        assert_eq!(date("2026-03-12T14:00:00-05:30").zone_text().as_deref(), Some("UTC-05:30"));
    }

    #[test]
    fn ages_use_the_unit_of_the_stage_of_life() {
        let on = utc_parts(date("2026-07-13").instant().unwrap());
        for (born, age) in [
            ("1945-07-14", Some("80 y")),
            ("1945-07-13", Some("81 y")),
            ("2026-07-13", Some("0 d")),
            ("2026-07-01", Some("12 d")),
            ("2026-06-01", Some("6 w")),
            ("2025-07-14", Some("11 m")),
            ("2024-07-13", Some("2 y")),
            ("1945-07", Some("about 81 y")),
            ("1945", Some("about 81 y")),
            ("2026-07-14", None),
            ("unknown", None),
        ] {
            assert_eq!(date(born).age_text(&on).as_deref(), age, "{born}");
        }
    }

    #[test]
    fn utc_parts_undo_instants() {
        for text in
            ["1969-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "1600-01-01T12:34:56Z", "9999-12-31T23:59:59Z"]
        {
            let parts = date(text).parts();
            assert_eq!(Some(utc_parts(date(text).instant().unwrap())), parts, "{text}");
        }
    }
}
