//! How long a call may take: what its caller said, never more than what is left of the call that it serves.

use std::{future::Future, time::Duration};

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

/// How long a call may take when its caller named no deadline.
pub(crate) const DEFAULT: Duration = Duration::from_secs(30);

/// With less left than this, no call is made: its answer would come too late.
const LEAST: Duration = Duration::from_millis(50);

/// Where gRPC carries the time that is left.
const HEADER: &str = "grpc-timeout";

tokio::task_local! {
    static ENDS: Instant;
}

/// Runs a served call; the calls it makes in turn end when it does.
pub(crate) fn within<F: Future>(limit: Duration, call: F) -> impl Future<Output = F::Output> {
    ENDS.scope(Instant::now() + limit, call)
}

/// What the caller left for this call.
pub(crate) fn asked(headers: &HeaderMap) -> Duration {
    read(headers).unwrap_or(DEFAULT)
}

/// Writes down what is left for a call that is about to be made. `None` when that is too little to make it.
pub(crate) fn stamp(headers: &mut HeaderMap) -> Option<Duration> {
    let asked = asked(headers);
    let left = ENDS.try_with(|ends| ends.saturating_duration_since(Instant::now())).unwrap_or(asked);
    let limit = asked.min(left);
    if limit < LEAST {
        return None;
    }
    headers.insert(HEADER, write(limit)?);
    Some(limit)
}

/// At most eight digits and a unit (gRPC over HTTP/2).
fn write(limit: Duration) -> Option<HeaderValue> {
    let text = match limit.as_millis() {
        millis @ 0..=99_999_999 => format!("{millis}m"),
        _ => format!("{}S", limit.as_secs().min(99_999_999)),
    };
    HeaderValue::try_from(text).ok()
}

fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(value.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(value.saturating_mul(60))),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_static(text))])
    }

    #[test]
    fn a_call_without_a_deadline_gets_the_default() {
        let mut headers = HeaderMap::new();
        assert_eq!(stamp(&mut headers), Some(DEFAULT));
        assert_eq!(asked(&headers), DEFAULT);
    }

    #[test]
    fn a_written_deadline_is_read_back() {
        for limit in [Duration::from_millis(50), Duration::from_secs(29), Duration::from_secs(200_000)] {
            let headers = HeaderMap::from_iter([(HEADER.parse().unwrap(), write(limit).unwrap())]);
            assert_eq!(read(&headers), Some(limit));
        }
    }

    #[tokio::test]
    async fn a_nested_call_gets_what_is_left_of_the_one_it_serves() {
        within(Duration::from_secs(20), async {
            let limit = stamp(&mut with("25S")).unwrap();
            assert!(limit <= Duration::from_secs(20) && limit > Duration::ZERO);
            assert_eq!(stamp(&mut with("1S")), Some(Duration::from_secs(1)), "a shorter wish stands");
        })
        .await;
    }

    #[tokio::test]
    async fn with_too_little_left_no_call_is_made() {
        within(LEAST - Duration::from_millis(1), async {
            assert_eq!(stamp(&mut HeaderMap::new()), None);
        })
        .await;
        assert_eq!(stamp(&mut with("49m")), None);
    }
}
