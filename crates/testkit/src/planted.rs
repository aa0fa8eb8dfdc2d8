//! Shows that a planted bug (`sallyport_model::planted`) turns the test red that guards against it.
//!
//! A switch is a matter of the whole process, so each test runs in a process of its own: the running test binary again,
//! with that one test, which sets what `SALLYPORT_PLANTED` names.

use std::process::Command;

/// Names the switch that a test's own process turns on.
pub const VARIABLE: &str = "SALLYPORT_PLANTED";

/// Runs each test of this binary twice, as it is and with its planted bug: pairs of switch and test.
///
/// # Panics
/// When a test is not there, is red by itself, or stays green with its bug.
pub fn each_turns_its_test_red(switches: &[(&str, &str)]) {
    for (switch, test) in switches {
        assert!(passes(test, None), "{test} is red without a switch");
        assert!(!passes(test, Some(switch)), "{switch} is not noticed by {test}");
    }
}

fn passes(test: &str, switch: Option<&str>) -> bool {
    let binary = std::env::current_exe().expect("a running test has a path");
    let mut command = Command::new(binary);
    // A test that is meant to fail gives no account of itself: docs/ASSURANCE.md would tell of a failure.
    command.args([test, "--exact"]).env_remove(VARIABLE).env_remove(crate::assurance::FOLDER);
    if let Some(switch) = switch {
        command.env(VARIABLE, switch);
    }
    let output = command.output().expect("the test binary can be run again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test} is not a test of this binary: {text}");
    output.status.success()
}
