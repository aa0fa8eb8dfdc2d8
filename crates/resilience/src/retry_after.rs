//! How long a server asks us to wait: seconds, a date, an absolute Unix time, or words in a text.

use std::time::Duration;

use sallyport_model::Micros;

/// Unix times in seconds are at least this (2001-09-09); smaller numbers are spans.
const SMALLEST_UNIX_TIME: u64 = 1_000_000_000;

/// Reads a `Retry-After` header's value (RFC 9110 §10.2.3), or an absolute Unix time as some products send; never
/// longer than `cap`. A time in the past is no wait.
pub fn header(value: &str, now: Micros, cap: Duration) -> Option<Duration> {
    let value = value.trim();
    if let Ok(number) = value.parse::<u64>() {
        let wait = if number >= SMALLEST_UNIX_TIME {
            until(i64::try_from(number).ok()?, now)
        } else {
            Duration::from_secs(number)
        };
        return Some(wait.min(cap));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(until(date.timestamp().as_second(), now).min(cap))
}

/// Finds a wait in an error text such as "Try in another 844 seconds".
pub fn text(diagnostics: &str, cap: Duration) -> Option<Duration> {
    let words: Vec<&str> =
        diagnostics.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let number: u64 = number.parse().ok()?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "second" | "seconds" | "sec" | "secs" | "s" => 1,
            "minute" | "minutes" | "min" | "mins" => 60,
            "hour" | "hours" => 3_600,
            _ => return None,
        };
        Some(Duration::from_secs(number.saturating_mul(factor)).min(cap))
    })
}

fn until(unix_seconds: i64, now: Micros) -> Duration {
    let micros = unix_seconds.saturating_mul(1_000_000).saturating_sub(now);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: Duration = Duration::from_secs(3_600);

    #[test]
    fn every_form_is_understood() {
        assert_eq!(header("120", 0, CAP), Some(Duration::from_secs(120)));
        let before = 946_684_799_000_000 - 60_000_000;
        assert_eq!(header("Fri, 31 Dec 1999 23:59:59 GMT", before, CAP), Some(Duration::from_secs(60)));
        assert_eq!(header("1700000030", 1_700_000_000_000_000, CAP), Some(Duration::from_secs(30)));
        let athena = "User Rate Limit Exceeded, Try in another 844 seconds";
        assert_eq!(text(athena, CAP), Some(Duration::from_secs(844)));
        assert_eq!(header("soon", 0, CAP), None);
    }

    #[test]
    fn five_hours_are_capped_and_the_past_is_no_wait() {
        assert_eq!(header("18000", 0, CAP), Some(CAP));
        assert_eq!(header("Fri, 31 Dec 1999 23:59:59 GMT", 1_700_000_000_000_000, CAP), Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_wait_exceeds_the_cap(value in ".{0,60}", now in any::<i64>()) {
            if let Some(wait) = header(&value, now, CAP) { prop_assert!(wait <= CAP); }
            if let Some(wait) = text(&value, CAP) { prop_assert!(wait <= CAP); }
        }
    }
}
