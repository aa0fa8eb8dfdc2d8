//! Each planted bug turns the test of its invariant red. Runs with the feature `planted-bugs` alone, one switch at a
//! time, because a switch belongs to the process.
#![cfg(feature = "planted-bugs")]

use std::{future::Future, pin::Pin};

use sallyport_model::planted;
use sallyport_test_e2e::scenario;
use sallyport_testkit::assurance::Report;

type Scenario = fn() -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

fn story() -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>> {
    Box::pin(scenario::one_launch_holds())
}

fn tabs() -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>> {
    Box::pin(scenario::two_tabs_never_mix(60))
}

fn leaks() -> Pin<Box<dyn Future<Output = anyhow::Result<()>>>> {
    Box::pin(async { scenario::no_canary_in_any_sink().await.map(|_searches| ()) })
}

/// Which end-to-end scenario shows which switch. The others are shown by tests of their own service
/// (`planted` in its tests), listed here so that none is forgotten.
const SHOWN_HERE: &[(&str, &str, Scenario)] = &[
    ("issuer-allowlist-off", "story", story),
    ("audit-dropped", "story", story),
    ("foreign-patient-out", "story", story),
    ("foreign-patient-in", "story", story),
    ("scope-unchecked", "story", story),
    ("next-link-followed-anywhere", "story", story),
    ("state-of-any-browser", "story", story),
    ("callback-issuer-unchecked", "story", story),
    ("nonce-unchecked", "story", story),
    ("launch-path-reads-more", "story", story),
    ("token-in-browser", "story", story),
    ("token-in-span", "leaks", leaks),
    ("token-in-log", "leaks", leaks),
    ("token-in-metric", "leaks", leaks),
    ("token-in-database", "leaks", leaks),
    ("patient-in-front-door-log", "leaks", leaks),
    ("cookie-of-any-launch", "tabs", tabs),
];

/// Shown by a test of the service that owns the line.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("audit-after-release", "fhir-gateway"),
    ("clock-skew-ignored", "db"),
    ("job-fencing-ignored", "job-worker"),
    ("job-batch-leased-twice", "job-worker"),
    ("job-checkpoint-apart", "job-worker"),
    ("job-narrower-scope-ignored", "job-worker"),
    ("job-retry-after-ignored", "job-worker"),
    ("token-in-error", "token-vault"),
    ("token-in-panic", "token-vault"),
    ("token-in-queue", "audit-client"),
    ("context-missing-patient-is-any", "fhir-gateway"),
    ("redirect-followed", "egress"),
    ("refresh-not-single-flight", "token-vault"),
    ("refresh-retried-when-uncertain", "token-vault"),
    ("data-key-outlives-its-proof", "token-vault"),
    ("data-key-never-proven-again", "token-vault"),
    ("data-key-survives-a-no", "token-vault"),
    ("reseal-overwrites", "token-vault"),
    ("empty-scope-is-all", "fhir-gateway"),
    ("policy-unknown-label-permits", "fhir-gateway"),
    ("state-reusable", "launch-auth"),
    ("peer-name-unchecked", "rpc"),
    ("client-peer-unchecked", "rpc"),
    ("http-door-open", "rpc"),
    ("undeclared-parameter-sent", "vendors"),
    ("vendor-signs-ignored", "vendors"),
    ("expired-override-used", "registry"),
    ("required-parameter-left-out", "fhir-gateway"),
    ("partial-untold", "fhir-gateway"),
    ("rows-counted-twice", "fhir-gateway"),
    ("page-loop-followed", "fhir-gateway"),
    ("ehr-limit-ignored", "fhir-gateway"),
    ("probe-by-every-replica", "fhir-gateway"),
    ("record-outside-the-log", "audit"),
    ("checkpoint-signed-unchecked", "audit"),
    ("witness-signs-unchecked", "sallyport"),
    ("disclosures-without-open-calls", "audit"),
    ("incident-parts-missed", "launch-auth"),
    ("retry-without-budget", "fhir-gateway"),
    ("care-gap-window-day-off", "care-gaps"),
    ("care-gap-entered-in-error-counted", "care-gaps"),
    ("care-gap-foreign-evidence", "care-gaps"),
    ("care-gaps-of-any-patient", "fhir-gateway"),
    ("token-to-signed-address", "fhir-gateway"),
    ("manifest-followed-anywhere", "fhir-gateway"),
    ("bulk-handle-of-any-run", "fhir-gateway"),
    ("bulk-lines-unchecked", "fhir-gateway"),
    ("run-scope-unchecked", "fhir-gateway"),
    ("look-at-anybody", "fhir-gateway"),
    ("run-outlives-its-lease", "fhir-gateway"),
    ("stream-outlives-its-taker", "fhir-gateway"),
    ("background-pause-cut", "fhir-gateway"),
    ("export-tail-kept", "job-worker"),
    ("step-up-of-anybody", "launch-auth"),
    ("proposal-payload-unbound", "fhir-gateway"),
    ("proposal-edit-dropped", "fhir-gateway"),
    ("proposal-settled-unlooked", "fhir-gateway"),
    ("console-role-unchecked", "rpc"),
    ("console-tenant-unchecked", "launch-auth"),
    ("console-session-immortal", "launch-auth"),
    ("console-patients-unmasked", "audit"),
    ("unmask-unrecorded", "audit"),
    ("review-names-its-patient", "audit"),
    ("console-form-unchecked", "web"),
    ("write-without-key", "fhir-gateway"),
    ("write-payload-unbound", "fhir-gateway"),
    ("write-foreign-subject", "fhir-gateway"),
    ("write-retried-blind", "fhir-gateway"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_bugs_each_turn_their_scenario_red() {
    planted::set(&[]);
    for (name, scenario) in [("story", story as Scenario), ("tabs", tabs), ("leaks", leaks)] {
        scenario().await.unwrap_or_else(|e| panic!("{name} must be green without a planted bug: {e:#}"));
    }
    let report = Report::new("planted bugs").scenario("end to end").unit("switches");
    let mut green = Vec::new();
    for (switch, name, scenario) in SHOWN_HERE {
        planted::set(&[switch]);
        match scenario().await {
            Ok(()) => green.push(*switch),
            Err(error) => println!("{switch}: {name} went red ({})", first_line(&error)),
        }
        planted::set(&[]);
    }
    report.tried(SHOWN_HERE.len() as u64).failed(green.len() as u64).write();
    assert!(green.is_empty(), "these planted bugs were not noticed: {green:?}");
}

fn first_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().find(|l| l.len() > 4).unwrap_or_default().trim().chars().take(120).collect()
}

#[test]
fn every_planted_bug_is_shown_by_some_test() {
    let shown: Vec<&str> =
        SHOWN_HERE.iter().map(|(s, _, _)| *s).chain(SHOWN_ELSEWHERE.iter().map(|(s, _)| *s)).collect();
    for (switch, _) in planted::ALL {
        assert!(shown.contains(switch), "{switch} has no test");
    }
    for switch in shown {
        assert!(planted::ALL.iter().any(|(s, _)| *s == switch), "{switch} does not exist");
    }
}
