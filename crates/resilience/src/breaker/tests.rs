use super::*;
use proptest::prelude::*;

const SECOND: Micros = 1_000_000;

const POLICY: Policy = Policy {
    consecutive_failures: 3,
    failure_percent: 50,
    minimum_calls: 10,
    window: Duration::from_secs(10),
    open_for: Duration::from_secs(5),
    open_at_most: Duration::from_secs(15),
    probe_timeout: Duration::from_secs(30),
};

fn allowed(breaker: &mut Breaker, now: Micros) -> Permit {
    match breaker.admit(now) {
        Admission::Allowed(permit) => permit,
        refused @ Admission::Refused { .. } => panic!("{refused:?}"),
    }
}

fn call(breaker: &mut Breaker, outcome: Outcome, now: Micros) -> Option<TripReason> {
    let permit = allowed(breaker, now);
    breaker.report(permit, outcome, now)
}

fn open_at_zero() -> Breaker {
    let mut breaker = Breaker::new(POLICY);
    assert_eq!(call(&mut breaker, Outcome::Failure, 0), None);
    assert_eq!(call(&mut breaker, Outcome::Failure, 0), None);
    assert_eq!(call(&mut breaker, Outcome::Failure, 0), Some(TripReason::ConsecutiveFailures));
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_starts_again() {
    let mut breaker = Breaker::new(POLICY);
    for outcome in [Outcome::Failure, Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Failure]
    {
        assert_eq!(call(&mut breaker, outcome, 0), None);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(call(&mut breaker, Outcome::Failure, 0), Some(TripReason::ConsecutiveFailures));
}

#[test]
fn half_of_enough_calls_failing_opens_it() {
    let mut breaker = Breaker::new(POLICY);
    let outcomes = [Outcome::Failure, Outcome::Success].into_iter().cycle();
    for outcome in outcomes.take(9) {
        assert_eq!(call(&mut breaker, outcome, 0), None, "too few calls to say");
    }
    assert_eq!(call(&mut breaker, Outcome::Failure, 0), Some(TripReason::FailureRate));
}

#[test]
fn failures_that_fell_out_of_the_window_do_not_count() {
    let mut breaker = Breaker::new(Policy { consecutive_failures: 0, ..POLICY });
    for _ in 0..9 {
        call(&mut breaker, Outcome::Failure, 0);
    }
    for _ in 0..9 {
        assert_eq!(call(&mut breaker, Outcome::Success, 11 * SECOND), None);
    }
    assert_eq!(call(&mut breaker, Outcome::Failure, 11 * SECOND), None, "one of ten");
}

#[test]
fn an_open_breaker_refuses_and_says_for_how_long() {
    let mut breaker = open_at_zero();
    let refused =
        Admission::Refused { retry_after: Duration::from_secs(2), reason: TripReason::ConsecutiveFailures };
    assert_eq!(breaker.admit(3 * SECOND), refused);
}

#[test]
fn exactly_one_probe_goes_and_its_success_closes() {
    let mut breaker = open_at_zero();
    let probe = allowed(&mut breaker, 5 * SECOND);
    assert!(probe.is_probe());
    assert!(matches!(breaker.admit(5 * SECOND), Admission::Refused { .. }));
    assert_eq!(breaker.report(probe, Outcome::Success, 6 * SECOND), None);
    assert_eq!(breaker.state(), State::Closed);
    assert!(!allowed(&mut breaker, 6 * SECOND).is_probe());
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_its_cap() {
    let mut breaker = open_at_zero();
    let mut now = 5 * SECOND;
    for pause in [10, 15, 15] {
        assert_eq!(call(&mut breaker, Outcome::Failure, now), Some(TripReason::ProbeFailed));
        let until = now + pause * SECOND;
        assert_eq!(breaker.state(), State::Open { until, reason: TripReason::ProbeFailed });
        now = until;
    }
}

#[test]
fn a_probe_given_up_leaves_its_place_to_the_next_call() {
    let mut breaker = open_at_zero();
    assert_eq!(call(&mut breaker, Outcome::Abandoned, 5 * SECOND), None);
    assert!(allowed(&mut breaker, 5 * SECOND).is_probe());
}

#[test]
fn a_lost_probe_is_replaced_and_its_late_word_is_ignored() {
    let mut breaker = open_at_zero();
    let lost = allowed(&mut breaker, 5 * SECOND);
    let second = allowed(&mut breaker, 35 * SECOND);
    assert_eq!(breaker.report(lost, Outcome::Success, 35 * SECOND), None);
    assert!(matches!(breaker.state(), State::HalfOpen { .. }), "the late probe closed it");
    assert_eq!(breaker.report(second, Outcome::Failure, 36 * SECOND), Some(TripReason::ProbeFailed));
}

#[test]
fn an_answer_from_before_it_opened_changes_nothing() {
    let mut breaker = Breaker::new(POLICY);
    let slow = allowed(&mut breaker, 0);
    for _ in 0..3 {
        call(&mut breaker, Outcome::Failure, 0);
    }
    let before = breaker.state();
    assert_eq!(breaker.report(slow, Outcome::Success, SECOND), None);
    assert_eq!(breaker.state(), before);
}

#[test]
fn what_an_operator_opened_only_an_operator_closes() {
    let mut breaker = Breaker::new(POLICY);
    breaker.force_open();
    let refused = Admission::Refused { retry_after: Duration::MAX, reason: TripReason::Forced };
    assert_eq!(breaker.admit(Micros::MAX), refused);
    breaker.close();
    assert!(!allowed(&mut breaker, 0).is_probe());
}

proptest! {
    /// Whatever happens in whatever order, there is never more than one live probe, a call is refused only while the
    /// breaker is not closed, and a refusal names a time after which asking again is answered differently.
    #[test]
    fn at_most_one_probe_is_alive(
        steps in proptest::collection::vec((0_i64..4_000_000, 0_u8..4), 1..400),
    ) {
        let mut breaker = Breaker::new(POLICY);
        let mut running: Vec<(Permit, Micros)> = Vec::new();
        let mut now = 0;
        for (step, action) in steps {
            now += step;
            if action == 0 {
                match breaker.admit(now) {
                    Admission::Allowed(permit) => running.push((permit, now)),
                    Admission::Refused { retry_after, .. } => {
                        prop_assert!(breaker.state() != State::Closed);
                        prop_assert!(!retry_after.is_zero() && retry_after <= POLICY.probe_timeout);
                    }
                }
            } else if let Some((permit, _)) = running.pop() {
                let outcome = match action {
                    1 => Outcome::Success,
                    2 => Outcome::Failure,
                    _ => Outcome::Abandoned,
                };
                breaker.report(permit, outcome, now);
            }
            let timeout = i64::try_from(POLICY.probe_timeout.as_micros()).unwrap();
            let alive = running
                .iter()
                .filter(|(p, since)| p.is_probe && p.generation == breaker.generation && now < since + timeout)
                .count();
            prop_assert!(alive <= 1, "{alive} probes");
        }
    }
}

#[test]
fn an_opening_elsewhere_is_followed_but_not_over_an_operator() {
    let mut breaker = Breaker::new(POLICY);
    breaker.follow(5 * SECOND);
    assert!(matches!(breaker.admit(SECOND), Admission::Refused { reason: TripReason::Elsewhere, .. }));
    let probe = allowed(&mut breaker, 5 * SECOND);
    assert!(probe.is_probe());
    assert_eq!(breaker.report(probe, Outcome::Success, 5 * SECOND), None);
    assert_eq!(breaker.state(), State::Closed);
    breaker.force_open();
    breaker.follow(5 * SECOND);
    assert!(matches!(breaker.admit(9 * SECOND), Admission::Refused { reason: TripReason::Forced, .. }));
}
