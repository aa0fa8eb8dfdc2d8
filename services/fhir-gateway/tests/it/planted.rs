//! Each planted bug turns a named test red: run in a process of its own, because a switch is set for a whole process.

use std::process::Command;

/// The switch, and the test that has to notice.
const SWITCHES: &[(&str, &str)] = &[
    ("audit-after-release", "audit::nothing_is_released_when_the_intent_is_not_durable"),
    ("audit-dropped", "audit::a_call_leaves_an_intent_and_an_outcome_that_say_all"),
    ("foreign-patient-out", "denials::an_answer_with_another_patient_is_withheld_whole_and_recorded"),
    ("foreign-patient-in", "denials::a_request_for_another_patient_is_refused_before_it_is_sent"),
    ("scope-unchecked", "denials::what_was_not_granted_is_refused_before_it_is_sent"),
    (
        "context-missing-patient-is-any",
        "denials::without_a_patient_in_context_nothing_of_a_patient_is_answered",
    ),
    ("cookie-of-any-launch", "denials::a_session_opens_only_with_its_own_cookie_and_handle"),
    ("policy-unknown-label-permits", "denials::a_security_label_that_no_rule_names_withholds_the_resource"),
    ("empty-scope-is-all", "denials::an_empty_grant_permits_nothing"),
    ("token-in-browser", "reads::no_answer_ever_holds_the_token"),
    ("next-link-followed-anywhere", "paging::a_next_link_to_another_host_is_never_followed"),
];

fn passes(test: &str, switch: Option<&str>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact"]).env_remove("SALLYPORT_PLANTED");
    if let Some(switch) = switch {
        command.env("SALLYPORT_PLANTED", switch);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test} is a test: {text}");
    output.status.success()
}

#[test]
fn every_planted_bug_of_the_gateway_turns_its_test_red() {
    for (switch, test) in SWITCHES {
        assert!(
            sallyport_model::planted::ALL.iter().any(|(name, _)| name == switch),
            "{switch} is on the list"
        );
        assert!(passes(test, None), "{test} is green without {switch}");
        assert!(!passes(test, Some(switch)), "{test} stays green with {switch}");
        println!("{switch}: {test} went red");
    }
}
