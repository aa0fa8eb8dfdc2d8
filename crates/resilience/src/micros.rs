//! Arithmetic between instants in microseconds and durations. Everything saturates: a clock that jumps, or an absurd
//! setting, must not panic.

use std::time::Duration;

use sallyport_model::Micros;

pub(crate) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

pub(crate) fn after(now: Micros, by: Duration) -> Micros {
    now.saturating_add(micros(by))
}

/// From `now` until `then`; zero when that is past.
pub(crate) fn until(then: Micros, now: Micros) -> Duration {
    Duration::from_micros(u64::try_from(then.saturating_sub(now)).unwrap_or(0))
}
