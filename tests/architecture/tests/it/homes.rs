//! An outside library has one home: the crate that knows its traps.

use crate::workspace::{MEMBERS, nobody, production};

/// Library and who may build it in. Tests may use any of them to look from outside.
const HOMES: [(&str, &[&str]); 18] = [
    ("croner", &["registry"]),
    ("hyper-rustls", &["egress"]),
    ("webpki-roots", &["egress"]),
    ("reqwest", &[]),
    ("prometheus", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
    ("tracing-opentelemetry", &["telemetry"]),
    ("jsonwebtoken", &["smart", "sandbox-ehr"]),
    ("lapin", &["queue"]),
    ("redis", &["kv"]),
    ("vaultrs", &["keyring"]),
    ("tokio-rustls", &["rpc", "testkit"]),
    ("rustls-webpki", &["rpc"]),
    ("rcgen", &["rpc", "testkit"]),
    ("protox", &["proto"]),
    ("tonic-prost-build", &["proto"]),
];

#[test]
fn an_outside_library_has_one_home() {
    let mut wrong = Vec::new();
    for (name, member) in MEMBERS.iter().filter(|(_, m)| !m.is_tests()) {
        for (library, homes) in HOMES {
            if member.built_in.contains(library) && !homes.contains(&name.as_str()) {
                wrong.push(format!("{library} is built into {name}; its home is {homes:?}"));
            }
        }
    }
    nobody("libraries away from home", wrong);
}

#[test]
fn sqlx_is_built_into_db_data_keys_and_services_alone() {
    let with = MEMBERS.iter().filter(|(_, m)| m.built_in.contains("sqlx"));
    let wrong = with.filter(|(name, m)| !["db", "data-keys"].contains(&name.as_str()) && !m.is_service());
    nobody(
        "sqlx lives in db, the table of data keys and the services' stores",
        wrong.map(|(name, _)| name.clone()),
    );
}

#[test]
fn statements_stand_in_store_files() {
    let files = production().filter(|f| f.path.starts_with("services/"));
    let outside = files.filter(|f| !f.path.contains("/src/store.rs") && !f.path.contains("/src/store/"));
    let wrong = outside.filter(|f| ["sqlx::", "on_tx!", "on_pool!"].iter().any(|word| f.text.contains(word)));
    nobody("these talk to the database; that belongs into a store file", wrong.map(|f| f.path.clone()));
}

#[test]
fn both_databases_have_the_same_migrations() {
    let migrations = |dialect: &str| {
        let marker = format!("/migrations/{dialect}/");
        let in_services = crate::workspace::FILES.iter().filter(|f| f.path.starts_with("services/"));
        let found = in_services.filter(|f| f.path.contains(&marker)).map(|f| f.path.replace(&marker, "/…/"));
        found.collect::<std::collections::BTreeSet<_>>()
    };
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert!(!sqlite.is_empty(), "no migrations were found");
    nobody("migrations without their twin", sqlite.symmetric_difference(&postgres).cloned());
}
