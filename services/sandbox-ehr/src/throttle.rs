//! Throttling: how many requests an EHR lets through, counted per FHIR base by the sandbox's own clock, so
//! that a test moves to the next minute or day instead of waiting for it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::dress;
use crate::places::Place;
use crate::profile::{Cause, ErrorBody, Limit, Profile, Told, Window};
use crate::request_log::Kind;

const MICROS: i64 = 1_000_000;
const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
/// How long the text of a concurrency limit tells to wait, seconds.
const CONCURRENCY_WAIT: i64 = 2;

/// What was counted at all places.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    counters: Mutex<HashMap<(Place, usize), Counter>>,
}

/// What one limit has counted.
#[derive(Debug, Default)]
struct Counter {
    /// When requests of a rolling window came, microseconds since 1970.
    recent: VecDeque<i64>,
    /// The minute or day that is counted, and how many there were.
    period: (i64, u32),
    /// How many are being answered.
    running: Arc<AtomicU32>,
}

/// A request that was let through. Held until it is answered.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    permits: Vec<Permit>,
    rate: Option<Rate>,
}

/// A place among those answered at once; given back when dropped.
#[derive(Debug)]
struct Permit(Arc<AtomicU32>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the rate headers say.
#[derive(Debug, Clone, Copy)]
struct Rate {
    limit: u32,
    remaining: u32,
    reset_seconds: i64,
}

/// A request that was not let through.
#[derive(Debug)]
pub(crate) struct TooMany {
    limit: Limit,
    wait_seconds: i64,
    now: Timestamp,
}

impl Throttle {
    /// Counts a request, or refuses it.
    pub(crate) fn admit(
        &self,
        profile: &Profile,
        place: &Place,
        kind: Kind,
        now: &Timestamp,
    ) -> Result<Admitted, TooMany> {
        let mut admitted = Admitted::default();
        for (index, limit) in profile.limits.iter().enumerate() {
            if !(kind == Kind::Fhir || kind == Kind::Oauth && limit.counts_auth) {
                continue;
            }
            let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            let counter = counters.entry((place.clone(), index)).or_default();
            let (used, wait_seconds) = counter.count(limit, now.as_microsecond());
            if used > limit.count {
                return Err(TooMany { limit: *limit, wait_seconds, now: *now });
            }
            if limit.window == Window::Concurrent {
                counter.running.fetch_add(1, Ordering::AcqRel);
                admitted.permits.push(Permit(Arc::clone(&counter.running)));
            }
            if limit.told == Told::RateHeaders {
                let remaining = limit.count.saturating_sub(used);
                admitted.rate = Some(Rate { limit: limit.count, remaining, reset_seconds: wait_seconds });
            }
        }
        Ok(admitted)
    }
}

impl Counter {
    /// Counts one more: how many there are now, and in how many seconds there is room again. A refused
    /// request does not count.
    fn count(&mut self, limit: &Limit, now_micros: i64) -> (u32, i64) {
        match limit.window {
            Window::Rolling(seconds) => {
                let since = now_micros - seconds * MICROS;
                while self.recent.front().is_some_and(|at| *at <= since) {
                    self.recent.pop_front();
                }
                let used = u32::try_from(self.recent.len()).unwrap_or(u32::MAX).saturating_add(1);
                if used <= limit.count {
                    self.recent.push_back(now_micros);
                }
                let oldest = self.recent.front().copied().unwrap_or(now_micros);
                (used, ((oldest - since) / MICROS).max(1))
            }
            Window::Minute => self.count_in(MINUTE, limit.count, now_micros),
            Window::Day => self.count_in(DAY, limit.count, now_micros),
            Window::Concurrent => (self.running.load(Ordering::Acquire).saturating_add(1), CONCURRENCY_WAIT),
        }
    }

    fn count_in(&mut self, seconds: i64, most: u32, now_micros: i64) -> (u32, i64) {
        let now = now_micros.div_euclid(MICROS);
        let number = now.div_euclid(seconds);
        if self.period.0 != number {
            self.period = (number, 0);
        }
        let used = self.period.1.saturating_add(1);
        if used <= most {
            self.period.1 = used;
        }
        (used, seconds - now.rem_euclid(seconds))
    }
}

impl Admitted {
    /// Puts what the client may know of its rate into an answer.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let Some(rate) = self.rate else { return };
        rate_headers(headers, rate);
    }
}

fn rate_headers(headers: &mut HeaderMap, rate: Rate) {
    for (name, value) in [
        ("ratelimit-limit", i64::from(rate.limit)),
        ("ratelimit-remaining", i64::from(rate.remaining)),
        ("ratelimit-reset", rate.reset_seconds),
        ("x-ratelimit-limit", i64::from(rate.limit)),
        ("x-ratelimit-remaining", i64::from(rate.remaining)),
        ("x-ratelimit-reset", rate.reset_seconds),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

impl TooMany {
    /// The product's answer.
    pub(crate) fn answer(&self, profile: &Profile) -> Response {
        refusal(self.limit.status, self.limit.told, self.wait_seconds, &self.now, profile)
    }
}

/// An answer to too many requests that tells the wait in one of its ways.
pub(crate) fn refusal(
    status: u16,
    told: Told,
    wait_seconds: i64,
    now: &Timestamp,
    profile: &Profile,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let own = profile.error(Cause::TooMany).map(|row| row.body);
    let plain = ErrorBody::Outcome("throttled", "too many requests");
    let mut answer = if told == Told::Text {
        let text = format!("User Rate Limit Exceeded, Try in another {wait_seconds} seconds");
        dress::outcome(status, "throttled", &text)
    } else {
        dress::answer(status, &own.unwrap_or(plain))
    };
    let headers = answer.headers_mut();
    let at = now.as_second().saturating_add(wait_seconds);
    let retry_after = match told {
        Told::Seconds => Some(wait_seconds.to_string()),
        Told::Unix => Some(at.to_string()),
        Told::Date => Timestamp::from_second(at)
            .ok()
            .and_then(|at| rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()),
        Told::Nothing | Told::Text | Told::RateHeaders => None,
    };
    if let Some(value) = retry_after.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(RETRY_AFTER, value);
    }
    if told == Told::RateHeaders {
        rate_headers(headers, Rate { limit: 0, remaining: 0, reset_seconds: wait_seconds });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tenant: &str) -> Place {
        Place { profile: "strict".to_owned(), tenant: tenant.to_owned() }
    }

    fn limited(window: Window, count: u32) -> Profile {
        let limit = Limit { window, count, counts_auth: false, status: 429, told: Told::Seconds };
        Profile { limits: Box::leak(Box::new([limit])), ..Profile::STRICT }
    }

    fn admits(throttle: &Throttle, profile: &Profile, at: &str) -> bool {
        throttle.admit(profile, &place("a"), Kind::Fhir, &at.parse().unwrap()).is_ok()
    }

    #[test]
    fn a_minute_ends_with_the_wall_clock_and_not_after_sixty_seconds() {
        let (throttle, profile) = (Throttle::default(), limited(Window::Minute, 2));
        let seen = ["T10:00:58Z", "T10:00:59Z", "T10:00:59Z", "T10:01:00Z"]
            .map(|time| admits(&throttle, &profile, &format!("2026-11-02{time}")));
        assert_eq!(seen, [true, true, false, true]);
    }

    #[test]
    fn a_rolling_window_moves_with_the_requests() {
        let (throttle, profile) = (Throttle::default(), limited(Window::Rolling(10), 2));
        let seen = ["T10:00:00Z", "T10:00:08Z", "T10:00:09Z", "T10:00:10Z", "T10:00:11Z", "T10:00:18Z"]
            .map(|time| admits(&throttle, &profile, &format!("2026-11-02{time}")));
        assert_eq!(seen, [true, true, false, true, false, true]);
    }

    #[test]
    fn a_day_ends_at_midnight_in_greenwich() {
        let (throttle, profile) = (Throttle::default(), limited(Window::Day, 1));
        let seen = ["2026-11-02T00:00:01Z", "2026-11-02T23:59:59Z", "2026-11-03T00:00:00Z"]
            .map(|time| admits(&throttle, &profile, time));
        assert_eq!(seen, [true, false, true]);
    }

    #[test]
    fn a_place_among_those_answered_at_once_is_given_back() {
        let (throttle, profile) = (Throttle::default(), limited(Window::Concurrent, 1));
        let now: Timestamp = "2026-11-02T00:00:01Z".parse().unwrap();
        let first = throttle.admit(&profile, &place("a"), Kind::Fhir, &now).unwrap();
        assert!(throttle.admit(&profile, &place("a"), Kind::Fhir, &now).is_err());
        assert!(throttle.admit(&profile, &place("b"), Kind::Fhir, &now).is_ok(), "counted per base");
        drop(first);
        assert!(throttle.admit(&profile, &place("a"), Kind::Fhir, &now).is_ok());
    }
}
