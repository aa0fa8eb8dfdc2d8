//! The generic cell rate algorithm: a limiter whose whole state is one instant.
//!
//! In nanoseconds, so that thousands of permits a second keep their exact spacing. Every adapter follows this.

use std::time::Duration;

use sallyport_model::Micros;

use crate::Rate;

/// When the limiter is full again, in nanoseconds since the epoch (the "theoretical arrival time").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival(i128);

impl Arrival {
    /// From then on there is nothing to remember.
    pub(crate) fn full_again(self) -> Micros {
        Micros::try_from(self.0.div_euclid(1_000) + 1).unwrap_or(Micros::MAX)
    }
}

/// Takes `count` permits together, or says after how long they could be there.
pub(crate) fn take(
    arrival: Option<Arrival>,
    now: Micros,
    rate: Rate,
    count: u32,
) -> Result<Arrival, Duration> {
    let per = i128::try_from(rate.per.as_nanos()).unwrap_or(i128::MAX);
    if rate.permits == 0 || count > rate.burst {
        return Err(Duration::MAX);
    }
    // Rounded up: never more than the rate.
    let step = (per + i128::from(rate.permits) - 1) / i128::from(rate.permits);
    let now = i128::from(now) * 1_000;
    let next =
        arrival.map_or(now, |arrival| arrival.0.max(now)).saturating_add(step.saturating_mul(count.into()));
    let early = next.saturating_sub(now).saturating_sub(step.saturating_mul(rate.burst.into()));
    if early <= 0 {
        return Ok(Arrival(next));
    }
    Err(u64::try_from(early).map_or(Duration::MAX, Duration::from_nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(permits: u32, seconds: u64, burst: u32) -> Rate {
        Rate { permits, per: Duration::from_secs(seconds), burst }
    }

    /// Takes one permit every `every` microseconds over `seconds` and counts those that were there.
    fn taken(rate: Rate, every: Micros, seconds: i64) -> u64 {
        let (mut arrival, mut count, mut now) = (None, 0, 0);
        while now < seconds * 1_000_000 {
            if let Ok(next) = take(arrival, now, rate, 1) {
                arrival = Some(next);
                count += 1;
            }
            now += every;
        }
        count
    }

    #[test]
    fn over_time_exactly_burst_and_rate_pass() {
        assert_eq!(taken(rate(10, 1, 5), 1_000, 10), 5 + 99);
        assert_eq!(taken(rate(3, 1, 1), 100, 10), 30);
        assert_eq!(taken(rate(7, 60, 7), 50_000, 60), 7 + 6);
    }

    #[test]
    fn more_than_a_million_a_second_are_still_limited() {
        let fast = rate(3_000_000, 1, 1);
        let first = take(None, 0, fast, 1).unwrap();
        assert_eq!(take(Some(first), 0, fast, 1), Err(Duration::from_nanos(334)));
    }

    #[test]
    fn waiting_as_told_is_enough_and_less_is_not() {
        let ten = rate(10, 1, 5);
        let drained = take(None, 0, ten, 5).unwrap();
        assert_eq!(take(Some(drained), 0, ten, 3), Err(Duration::from_millis(300)));
        assert!(take(Some(drained), 299_999, ten, 3).is_err());
        assert!(take(Some(drained), 300_000, ten, 3).is_ok());
    }

    #[test]
    fn what_can_never_be_is_refused_for_ever() {
        assert_eq!(take(None, 0, rate(0, 1, 5), 1), Err(Duration::MAX));
        assert_eq!(take(None, 0, rate(10, 1, 5), 6), Err(Duration::MAX));
        assert_eq!(take(None, 0, rate(10, 1, 0), 1), Err(Duration::MAX));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let endless = Rate { permits: 1, per: Duration::MAX, burst: u32::MAX };
        let arrival = take(None, Micros::MAX, endless, u32::MAX).unwrap();
        assert_eq!(arrival.full_again(), Micros::MAX);
        assert_eq!(take(Some(arrival), Micros::MIN, endless, 1), Err(Duration::MAX));
    }
}
