use super::*;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

/// 2026-03-01T12:00:00Z, a Sunday.
const NOW: Micros = 1_772_366_400_000_000;

fn seconds(value: &str) -> Option<u64> {
    parse(value, NOW, HOUR).map(|d| d.as_secs())
}

#[test]
fn seconds_are_read_with_and_without_a_fraction() {
    assert_eq!(seconds("120"), Some(120));
    assert_eq!(seconds(" 0 "), Some(0));
    assert_eq!(parse("1.5", NOW, HOUR), Some(Duration::from_millis(1500)));
}

#[test]
fn the_three_http_date_forms_are_read() {
    assert_eq!(seconds("Sun, 01 Mar 2026 12:02:00 GMT"), Some(120));
    assert_eq!(seconds("Sunday, 01-Mar-26 12:02:00 GMT"), Some(120));
    assert_eq!(seconds("Sun Mar  1 12:02:00 2026"), Some(120));
}

#[test]
fn unix_times_are_read_in_seconds_and_in_milliseconds() {
    assert_eq!(seconds("1772366430"), Some(30));
    assert_eq!(seconds("1772366430000"), Some(30));
}

#[test]
fn a_time_that_is_past_means_now() {
    assert_eq!(seconds("Sun, 01 Mar 2026 11:00:00 GMT"), Some(0));
    assert_eq!(seconds("1772366000"), Some(0));
}

#[test]
fn what_is_too_long_is_capped() {
    assert_eq!(seconds("86400"), Some(3600));
    assert_eq!(seconds("Mon, 01 Mar 2100 12:00:00 GMT"), Some(3600));
    assert_eq!(seconds("99999999999999999999999999999999"), Some(3600));
    assert_eq!(parse_text("retry in 999999999999999999999 hours", HOUR), Some(HOUR));
}

#[test]
fn what_is_neither_is_nothing() {
    for value in
        ["", "soon", "-5", "+5", "1e3", "inf", "NaN", "0x10", ".5", "1.2.3", "Sun, 31 Feb 2026 12:00:00 GMT"]
    {
        assert_eq!(seconds(value), None, "{value}");
    }
    assert_eq!(seconds(&"1".repeat(65)), None);
}

#[test]
fn sentences_are_read_by_their_first_time() {
    let cap = Duration::from_secs(1_000_000);
    assert_eq!(parse_text("Try in another 844 seconds.", cap), Some(Duration::from_secs(844)));
    assert_eq!(parse_text("Error 429: wait 5 minutes", cap), Some(Duration::from_secs(300)));
    assert_eq!(parse_text("retry after 250ms", cap), Some(Duration::from_millis(250)));
    assert_eq!(parse_text("limit is 100 requests, resets in 1.5 s", cap), Some(Duration::from_millis(1500)));
}

#[test]
fn sentences_without_a_time_are_nothing() {
    for text in ["", "slow down", "429", "100 requests", "5 sandwiches", "٣ seconds"] {
        assert_eq!(parse_text(text, HOUR), None, "{text}");
    }
}

#[test]
fn only_the_start_of_a_long_text_is_read() {
    let text = format!("{}é 10 seconds", "x".repeat(MAX_TEXT_BYTES - 1));
    assert_eq!(parse_text(&text, HOUR), None);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_or_exceed_the_cap(value in ".{0,80}", now: i64, cap in 0_u64..10_000) {
        let cap = Duration::from_secs(cap);
        prop_assert!(parse(&value, now, cap).is_none_or(|wait| wait <= cap));
        prop_assert!(parse_text(&value, cap).is_none_or(|wait| wait <= cap));
    }

    #[test]
    fn every_number_of_seconds_below_the_cap_comes_back_as_it_was(n in 0_u64..3_600) {
        prop_assert_eq!(parse(&n.to_string(), NOW, HOUR), Some(Duration::from_secs(n)));
        prop_assert_eq!(parse_text(&format!("in {n} seconds"), HOUR), Some(Duration::from_secs(n)));
    }

    #[test]
    fn every_date_that_is_printed_is_read(ahead in 0_i64..3_600) {
        let then = Timestamp::from_microsecond(NOW).unwrap() + jiff::SignedDuration::from_secs(ahead);
        let text = then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        prop_assert_eq!(seconds(&text), u64::try_from(ahead).ok());
    }
}
