//! When an upstream says to come back: `Retry-After` and what EHRs send instead of it.
//!
//! RFC 9110 §10.2.3 has seconds or an HTTP date. In the field there are also absolute Unix times, fractions, and
//! sentences in the body. Every answer is capped: an upstream cannot put us to sleep.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use sallyport_model::Micros;

use crate::micros::until;

/// Whole numbers from here on are Unix times, not spans: as seconds this is 31 years, as a time it is 2001.
const UNIX_TIMES_FROM: f64 = 1e9;

/// Unix times from here on are in milliseconds: as seconds this is the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Longer values are not read: no time needs so many characters.
const MAX_VALUE_BYTES: usize = 64;

/// How much of a sentence is read.
const MAX_TEXT_BYTES: usize = 512;

/// Date forms of RFC 9110 §5.6.7, all in GMT; the first is the one to send.
const DATE_FORMS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads a header's value: seconds (with a fraction), a Unix time in seconds or milliseconds, or an HTTP date. A time
/// that is past means "now". `None` when it is none of these; never more than `cap`.
pub fn parse(value: &str, now: Micros, cap: Duration) -> Option<Duration> {
    let value = value.trim();
    if value.is_empty() || value.len() > MAX_VALUE_BYTES {
        return None;
    }
    let wait = match number(value) {
        Some(number) => span_or_time(number, now),
        None => until(date(value)?, now),
    };
    Some(wait.min(cap))
}

/// Reads a sentence such as `Try in another 844 seconds`: the first number that is followed by a unit of time. `None`
/// when there is none; never more than `cap`.
pub fn parse_text(text: &str, cap: Duration) -> Option<Duration> {
    let end = (0..=text.len().min(MAX_TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end))?;
    let text = text.get(..end)?.to_ascii_lowercase();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = rest.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, after) = rest.split_at_checked(end)?;
        let unit = after.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if let (Some(number), Some(seconds)) = (number(digits.trim_end_matches('.')), unit_seconds(unit)) {
            return Some(seconds_to_duration(number * seconds).min(cap));
        }
        rest = after;
    }
    None
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "ms" | "millisecond" | "milliseconds" => Some(0.001),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hour" | "hours" => Some(3600.0),
        _ => None,
    }
}

fn span_or_time(number: f64, now: Micros) -> Duration {
    if number < UNIX_TIMES_FROM {
        return seconds_to_duration(number);
    }
    let seconds = if number < MILLISECONDS_FROM { number } else { number / 1_000.0 };
    let then = seconds_to_duration(seconds);
    until(Micros::try_from(then.as_micros()).unwrap_or(Micros::MAX), now)
}

/// Rounded up to a microsecond, so that nobody comes back too early.
fn seconds_to_duration(seconds: f64) -> Duration {
    let micros = (seconds * 1e6).ceil();
    // `as` saturates, and a negative number cannot be parsed here.
    Duration::from_micros(micros as u64)
}

fn date(value: &str) -> Option<Micros> {
    let civil = DATE_FORMS.iter().find_map(|form| DateTime::strptime(form, value).ok())?;
    let timestamp: Timestamp = Offset::UTC.to_timestamp(civil).ok()?;
    Some(timestamp.as_microsecond())
}

#[cfg(test)]
mod tests;
