//! Who may import whom, where outside libraries live, and what no file may contain (docs/ARCHITECTURE.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const L0: [&str; 5] = ["model", "smart", "fhir", "clinical", "vendors"];
const L1: [&str; 3] = ["registry", "resilience", "telemetry"];
const SERVICES: [&str; 7] =
    ["launch-auth", "token-vault", "fhir-gateway", "job-worker", "audit", "web", "sandbox-ehr"];

/// What does I/O, and so never stands in level 0.
const IO: [&str; 6] = ["tokio", "sqlx", "tonic", "hyper", "axum", "hyper-util"];

/// Outside libraries with one home. sqlx is also used by the `store` files of services, checked below.
const HOMES: [(&str, &[&str]); 9] = [
    ("hyper-rustls", &["egress"]),
    ("prometheus", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry-otlp", &["telemetry"]),
    ("tracing-opentelemetry", &["telemetry"]),
    ("lapin", &["queue"]),
    ("redis", &["kv"]),
    ("vaultrs", &["keyring"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn short(name: &str) -> &str {
    name.strip_prefix("sallyport-").unwrap_or(name)
}

/// Direct, non-dev dependencies by short package name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let mut all = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = short(package["name"].as_str().expect("name")).to_owned();
        let deps = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|d| d["kind"].as_str() != Some("dev"))
            .map(|d| d["name"].as_str().expect("name").to_owned())
            .collect();
        all.insert(name, deps);
    }
    assert!(all.len() > 20, "the workspace was read");
    all
}

fn ours(deps: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    deps.iter().filter_map(|d| d.strip_prefix("sallyport-"))
}

fn sources(ending: &str) -> Vec<(PathBuf, String)> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().expect("git runs");
    let listed = String::from_utf8(output.stdout).expect("paths are text");
    listed
        .lines()
        .filter(|p| p.ends_with(ending))
        .filter_map(|p| std::fs::read_to_string(root().join(p)).ok().map(|text| (PathBuf::from(p), text)))
        .collect()
}

#[test]
fn level_zero_imports_only_level_zero_and_does_no_io() {
    let all = dependencies();
    for name in L0 {
        for dep in ours(&all[name]) {
            assert!(L0.contains(&dep), "{name} (level 0) imports {dep}");
        }
        for io in IO {
            assert!(!all[name].contains(io), "{name} (level 0) imports {io}");
        }
    }
}

#[test]
fn level_one_imports_no_level_two() {
    let all = dependencies();
    for name in L1 {
        for dep in ours(&all[name]) {
            assert!(L0.contains(&dep) || L1.contains(&dep), "{name} (level 1) imports {dep}");
        }
    }
}

#[test]
fn no_crate_imports_a_service_and_no_service_another() {
    for (name, deps) in dependencies() {
        if name == "sallyport" || name == "test-e2e" {
            continue;
        }
        for dep in ours(&deps) {
            assert!(!SERVICES.contains(&dep), "{name} imports the service {dep}");
        }
    }
}

#[test]
fn the_sandbox_ehr_shares_no_code_with_the_client() {
    assert_eq!(ours(&dependencies()["sandbox-ehr"]).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_test_kit_is_never_shipped() {
    for (name, deps) in dependencies() {
        assert!(!deps.contains("sallyport-testkit"), "{name} ships the test kit");
    }
}

#[test]
fn an_outside_library_has_one_home() {
    let all = dependencies();
    for (library, homes) in HOMES {
        for (name, deps) in &all {
            let is_home = homes.contains(&name.as_str());
            assert!(!deps.contains(library) || is_home, "{library} lives in {homes:?}, not in {name}");
        }
    }
}

#[test]
fn statements_stand_in_store_files() {
    for (path, text) in sources(".rs") {
        let path = path.to_string_lossy().into_owned();
        let in_service_source = path.starts_with("services/") && path.contains("/src/");
        let is_store = path.contains("/store.rs") || path.contains("/store/") || path.ends_with("/lib.rs");
        if in_service_source && !is_store {
            assert!(
                !text.contains("sqlx::query"),
                "{path} talks to the database; that belongs into a store file"
            );
        }
    }
}

#[test]
fn nobody_outside_the_profiles_asks_which_vendor_it_is() {
    for (path, text) in sources(".rs") {
        let path = path.to_string_lossy().into_owned();
        if path.starts_with("crates/vendors/") || path.contains("tests/") || path.contains("sandbox-ehr") {
            continue;
        }
        for question in ["if vendor ==", "match vendor", "vendor.as_str() ==", "vendor_id =="] {
            assert!(
                !text.contains(question),
                "{path} branches on the vendor; ask its profile how it behaves"
            );
        }
    }
}

#[test]
fn no_source_file_is_longer_than_four_hundred_lines() {
    let long: Vec<String> = sources(".rs")
        .into_iter()
        .filter(|(path, text)| path.to_string_lossy().contains("/src/") && text.lines().count() > 400)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    for (path, text) in sources(".rs") {
        if path.ends_with("rules.rs") {
            continue;
        }
        for word in ["todo!(", "unimplemented!(", "#[ignore", "FIXME", "XXX", "dbg!("] {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn every_workspace_member_inherits_the_lints() {
    for (path, text) in sources("Cargo.toml") {
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        if manifest.contains_key("package") {
            assert!(manifest.contains_key("lints"), "{} has no lints", path.display());
        }
    }
}
