//! Levels: 0 imports only level 0 and does no I/O, 1 imports 0, 2 imports what is below and its like, services import
//! crates and never each other.

use crate::workspace::{MEMBERS, nobody, ours, production};

const L0: [&str; 7] = ["audit-proof", "model", "smart", "fhir", "clinical", "vendors", "care-gaps"];
const L1: [&str; 3] = ["registry", "resilience", "telemetry"];
const L2: [&str; 9] = ["db", "queue", "kv", "keyring", "egress", "proto", "rpc", "audit-client", "data-keys"];

/// For tests alone, on no level.
const TEST_KIT: &str = "testkit";

/// Libraries that talk to the outside or run tasks.
const IO: [&str; 16] = [
    "axum",
    "dashmap",
    "hyper",
    "hyper-rustls",
    "hyper-util",
    "lapin",
    "opentelemetry",
    "redis",
    "reqwest",
    "rustls",
    "sqlx",
    "tokio",
    "tokio-rustls",
    "tonic",
    "tower",
    "tracing",
];

/// The same, from the standard library.
const STD_IO: [&str; 8] = [
    "std::env::",
    "std::fs",
    "std::io::std",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::thread",
    "Instant::now",
];

fn level(name: &str) -> Option<u8> {
    let levels: [(u8, &[&str]); 3] = [(0, &L0), (1, &L1), (2, &L2)];
    levels.iter().find(|(_, names)| names.contains(&name)).map(|(level, _)| *level)
}

#[test]
fn every_crate_has_a_level() {
    let crates =
        MEMBERS.iter().filter(|(_, m)| m.folder.starts_with("crates/")).map(|(name, _)| name.clone());
    let lost = crates.filter(|name| name != TEST_KIT && level(name).is_none());
    nobody("crates without a level (say where they belong in this file)", lost);
    let gone = L0.iter().chain(&L1).chain(&L2).filter(|name| !MEMBERS.contains_key(**name));
    nobody("levels of crates that do not exist", gone.map(ToString::to_string));
}

#[test]
fn a_crate_imports_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for (name, member) in MEMBERS.iter() {
        let Some(own) = level(name) else { continue };
        for dependency in ours(&member.built_in) {
            let is_fine = match (own, level(dependency)) {
                (_, None) => false,
                (1, Some(below)) => below == 0,
                (own, Some(below)) => below <= own,
            };
            if !is_fine {
                wrong.push(format!("{name} (level {own}) imports {dependency}"));
            }
        }
    }
    nobody("imports that point up", wrong);
}

#[test]
fn level_zero_does_no_io() {
    let mut wrong = Vec::new();
    for name in L0 {
        let member = &MEMBERS[name];
        wrong.extend(IO.iter().filter(|io| member.built_in.contains(**io)).map(|io| format!("{name}: {io}")));
        for file in production().filter(|f| f.path.starts_with(&format!("{}/", member.folder))) {
            wrong.extend(
                STD_IO.iter().filter(|io| file.text.contains(**io)).map(|io| format!("{}: {io}", file.path)),
            );
        }
    }
    nobody("level 0 decides and parses, others talk", wrong);
}

#[test]
fn services_are_imported_by_the_binary_and_by_what_runs_it_whole_alone() {
    const RUN_IT_WHOLE: [&str; 4] = ["sallyport", "test-contract", "test-e2e", "bench"];
    let mut wrong = Vec::new();
    for (name, member) in MEMBERS.iter().filter(|(name, _)| !RUN_IT_WHOLE.contains(&name.as_str())) {
        let all: std::collections::BTreeSet<String> =
            member.built_in.union(&member.for_tests).cloned().collect();
        for dependency in ours(&all) {
            if MEMBERS.get(dependency).is_some_and(|m| m.is_service()) && dependency != name {
                wrong.push(format!("{name} imports the service {dependency}"));
            }
        }
    }
    nobody("services know each other by their contracts only", wrong);
}

#[test]
fn the_sandbox_ehr_shares_no_code_with_the_client() {
    let shared = ours(&MEMBERS["sandbox-ehr"].built_in).map(ToOwned::to_owned);
    nobody("a mistake made on both sides would not be seen", shared);
}

#[test]
fn what_verifies_the_audit_log_depends_on_nothing_else_of_ours() {
    let member = &MEMBERS["audit-proof"];
    let shared = ours(&member.built_in).chain(ours(&member.for_tests)).map(ToOwned::to_owned);
    nobody("an auditor would have to trust these too", shared);
}

#[test]
fn the_test_kit_is_never_shipped() {
    let shipped = MEMBERS.iter().filter(|(name, m)| !m.is_tests() && name.as_str() != TEST_KIT);
    let wrong = shipped.filter(|(_, m)| m.built_in.contains("sallyport-testkit"));
    nobody("the test kit is built into", wrong.map(|(name, _)| name.clone()));
}
