//! Each planted bug turns the test red that guards against it.

const SWITCHES: &[(&str, &str)] = &[
    (
        "refresh-not-single-flight",
        "single_flight::a_hundred_calls_over_two_vaults_make_one_refresh_of_a_slow_endpoint",
    ),
    ("refresh-retried-when-uncertain", "uncertain::a_connection_that_broke_leaves_the_grant_uncertain"),
    ("data-key-outlives-its-proof", "key_outage::cached_keys_serve_for_five_minutes_and_then_nothing_does"),
    (
        "data-key-never-proven-again",
        "key_outage::an_outage_just_before_a_proof_ends_is_felt_four_minutes_later_at_the_earliest",
    ),
    ("data-key-survives-a-no", "key_outage::a_key_that_does_not_open_any_more_ends_within_a_minute_of_use"),
    ("nonce-unchecked", "identity::the_nonce_must_be_the_one_that_was_sent"),
    ("token-in-error", "secrecy::refusals_hold_no_token"),
    ("token-in-log", "secrecy::logs_and_spans_hold_no_token"),
    ("token-in-span", "secrecy::logs_and_spans_hold_no_token"),
    ("token-in-metric", "secrecy::metrics_hold_no_token_and_no_fingerprint_of_one"),
    ("token-in-panic", "secrecy::no_panic_carries_a_token"),
];

#[test]
fn each_switch_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(SWITCHES);
}
