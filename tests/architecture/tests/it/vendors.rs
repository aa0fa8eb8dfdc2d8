//! Nobody outside the profiles asks which vendor it is: how a product behaves is said by its profile alone.

use std::collections::BTreeSet;

use crate::workspace::{FILES, nobody, production};

/// Ids that are ordinary words elsewhere: they count only where a vendor is compared.
const ORDINARY: [&str; 3] = ["generic", "sandbox", "google"];

/// Where a vendor's name or id stands in the code.
const VENDOR: [&str; 6] =
    ["vendor.as_str()", ".vendor", "vendor_id", "profile.id", "profile.name", "vendor ="];

/// How one is asked for.
const QUESTIONS: [&str; 7] =
    ["==", "!=", "match ", "matches!(", "starts_with(", "ends_with(", "eq_ignore_ascii_case("];

/// The profiles themselves; the sandbox EHR, which has a name for each product that it imitates; and an incident's scope,
/// where an operator names a vendor and nothing behaves otherwise for it.
const MAY: [&str; 3] =
    ["crates/vendors/", "services/sandbox-ehr/", "services/launch-auth/src/domain/incident/scope.rs"];

/// The ids of all products, from their modules.
fn ids() -> BTreeSet<String> {
    let modules = FILES.iter().filter(|f| f.path.starts_with("crates/vendors/src/products/"));
    let heads = modules.flat_map(|f| f.text.split("Profile::standard(\"").skip(1));
    heads.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect()
}

/// Whether a line asks which vendor it is: it compares a vendor, or has a product's id as a text.
fn asks(line: &str, ids: &BTreeSet<String>) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let compares = VENDOR.iter().any(|v| code.contains(v)) && QUESTIONS.iter().any(|q| code.contains(q));
    let mut names = ids.iter().filter(|id| !ORDINARY.contains(&id.as_str()));
    compares || names.any(|id| code.contains(&format!("\"{id}\"")))
}

/// The code of a file before its tests.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

#[test]
fn nobody_outside_the_profiles_asks_which_vendor_it_is() {
    let ids = ids();
    let mut wrong = Vec::new();
    for file in production().filter(|f| !MAY.iter().any(|may| f.path.starts_with(may))) {
        if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
            continue;
        }
        for (number, line) in before_tests(&file.text).lines().enumerate() {
            if asks(line, &ids) {
                wrong.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    nobody("ask the profile how it behaves, not who it is", wrong);
}

#[test]
fn a_planted_question_is_found() {
    let ids = ids();
    assert!(ids.len() >= 16 && ids.contains("epic") && ids.contains("nextgen"), "{ids:?}");
    for planted in [
        "if endpoint.vendor.as_str() == \"sandbox\" {",
        "    let is_epic = vendor == \"epic\";",
        "match profile.id {",
        "if matches!(place.profile.name, \"Epic\") {",
        "        \"oracle\" => 570,",
        "if entry.endpoint.vendor != other.vendor {",
        "vendor_id.starts_with(\"athena\")",
    ] {
        assert!(asks(planted, &ids), "{planted}");
    }
    for fine in [
        "vendor.id = entry.endpoint.vendor.as_str(),",
        "vendor: part.vendor,",
        "// as in: if vendor == \"epic\"",
        "environment = \"sandbox\"",
        "if *profile.oauth.pkce == Pkce::Required {",
        "let profile = entry.endpoint.behaviour.now(now)?;",
    ] {
        assert!(!asks(fine, &ids), "{fine}");
    }
}
