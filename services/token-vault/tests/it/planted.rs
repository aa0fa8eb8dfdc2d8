//! Each planted bug of this service turns the test red that guards against it. Switches are a matter of the whole
//! process, so each runs in a process of its own: this binary again, with one test.

use std::process::{Command, Stdio};

const SWITCHES: &[(&str, &str)] = &[
    (
        "refresh-not-single-flight",
        "single_flight::a_hundred_calls_over_two_vaults_make_one_refresh_of_a_slow_endpoint",
    ),
    ("refresh-retried-when-uncertain", "uncertain::a_connection_that_broke_leaves_the_grant_uncertain"),
    ("nonce-unchecked", "identity::the_nonce_must_be_the_one_that_was_sent"),
    ("token-in-error", "secrecy::refusals_hold_no_token"),
    ("token-in-log", "secrecy::logs_and_spans_hold_no_token"),
    ("token-in-span", "secrecy::logs_and_spans_hold_no_token"),
    ("token-in-metric", "secrecy::metrics_hold_no_token_and_no_fingerprint_of_one"),
    ("token-in-panic", "secrecy::no_panic_carries_a_token"),
];

fn passes(test: &str, switch: Option<&str>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test])
        .env_remove("SALLYPORT_PLANTED")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(switch) = switch {
        command.env("SALLYPORT_PLANTED", switch);
    }
    command.status().unwrap().success()
}

#[test]
fn each_switch_turns_its_test_red() {
    for (switch, test) in SWITCHES {
        assert!(passes(test, None), "{test} is red without a switch");
        assert!(!passes(test, Some(switch)), "{switch} is not noticed by {test}");
    }
}
