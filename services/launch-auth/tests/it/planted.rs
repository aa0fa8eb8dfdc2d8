//! Each planted bug of this service turns the test red that guards against it. Switches are a matter of the whole
//! process, so each runs in a process of its own: this binary again, with one test.

use std::process::{Command, Stdio};

const SWITCHES: &[(&str, &str)] = &[
    ("issuer-allowlist-off", "launch::a_refused_launch_contacts_nobody_and_says_why"),
    (
        "state-reusable",
        "repeat::a_repeated_answer_in_the_same_browser_goes_to_the_chart_without_asking_the_ehr",
    ),
    ("state-of-any-browser", "callback::the_state_of_another_browser_is_refused_and_stays_usable_in_its_own"),
    ("callback-issuer-unchecked", "callback::the_issuer_of_the_answer_must_be_the_one_that_was_asked"),
    ("launch-path-reads-more", "discovery::a_launch_reads_nothing_of_the_ehr_but_its_discovery_document"),
    ("empty-scope-is-all", "context::what_cannot_be_used_opens_nothing_and_its_grant_is_revoked"),
    ("cookie-of-any-launch", "session::only_this_launchs_cookie_opens_it"),
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
