//! The committed pages fit their sources, as far as can be said without a test run.

use std::path::Path;

use sallyport_test_pages::{conformance, keep, root};

#[test]
fn the_conformance_page_is_the_one_of_the_table() {
    let table = conformance::table::Table::read().unwrap();
    keep("CONFORMANCE.md", &conformance::page::render(&table), true).unwrap();
}

/// Whether a Rust file below the folder holds the function.
fn holds(folder: &Path, function: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return holds(&path, function);
        }
        path.extension().is_some_and(|e| e == "rs")
            && std::fs::read_to_string(&path).is_ok_and(|text| text.contains(&format!("fn {function}(")))
    })
}

#[test]
fn every_named_test_is_in_its_package() {
    let table = conformance::table::Table::read().unwrap();
    let mut lost = Vec::new();
    for test in table.rows().flat_map(|row| &row.tests) {
        let package = test.split("::").next().unwrap_or_default();
        let name = package.strip_prefix("sallyport-").unwrap_or(package);
        let folders = match name.strip_prefix("test-") {
            Some(suite) => [root().join("tests").join(suite), root().join("none")],
            None => [root().join("crates").join(name), root().join("services").join(name)],
        };
        let function = test.rsplit("::").next().unwrap_or_default();
        if !folders.iter().any(|folder| holds(folder, function)) {
            lost.push(test);
        }
    }
    assert!(lost.is_empty(), "named and not there: {lost:#?}");
}
