//! What a launch asks for: the union of its features' scopes and the launch words, in one dialect (SCOPE-06).

use crate::discovery::{Smart, Source};
use sallyport_model::scope::{Dialect, ScopeSet};

/// Which words come beside the features' scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// EHR launch (`launch`) or standalone (`launch/patient`).
    pub is_ehr_launch: bool,
    /// `online_access`: the profile gives a refresh token for it.
    pub online_access: bool,
    /// `profile`: the EHR lists it, so the id_token may say what the person is called (OIDC Core §5.4).
    pub profile: bool,
}

/// Words that only this module decides on. `offline_access` is never asked for a person's launch: background work has
/// an authorisation of its own.
const DECIDED_HERE: [&str; 4] = ["launch", "launch/patient", "online_access", "offline_access"];

/// The `scope` of the request: `openid fhirUser` to learn who signed in (SMART 2.2 §Scopes for requesting identity
/// data), the launch word, and what the features need.
pub fn requested_scope(features: &ScopeSet, asked: Asked, dialect: Dialect) -> String {
    let mut set = ScopeSet::default();
    for scope in features.resources() {
        set.add(scope.clone());
    }
    for word in features.others().filter(|w| !DECIDED_HERE.contains(w)) {
        set.add_word(word);
    }
    set.add_word("openid");
    set.add_word("fhirUser");
    set.add_word(if asked.is_ehr_launch { "launch" } else { "launch/patient" });
    if asked.online_access {
        set.add_word("online_access");
    }
    if asked.profile {
        set.add_word("profile");
    }
    set.print(dialect)
}

/// The dialect for an EHR: what its registration says, else what the EHR announces, else v2.
pub fn choose_dialect(registered: Option<Dialect>, smart: &Smart) -> Dialect {
    if let Some(dialect) = registered {
        return dialect;
    }
    match (smart.offers("permission-v2"), smart.offers("permission-v1")) {
        (true, _) => Dialect::V2,
        (false, true) => Dialect::V1,
        // SMART 1 has nothing else, and its CapabilityStatement has no word for it.
        (false, false) if smart.source == Source::CapabilityStatement => Dialect::V1,
        (false, false) => announced_by_scopes(&smart.scopes).unwrap_or(Dialect::V2),
    }
}

/// Servers before SMART 2.0 announce no permission capability, but list scopes such as `patient/*.read`.
fn announced_by_scopes(scopes: &[String]) -> Option<Dialect> {
    let permissions =
        || scopes.iter().filter(|s| s.contains('/')).filter_map(|s| s.rsplit_once('.')).map(|(_, p)| p);
    if permissions().any(|p| matches!(p, "rs" | "cruds" | "cud" | "r" | "s")) {
        Some(Dialect::V2)
    } else if permissions().any(|p| matches!(p, "read" | "write" | "*")) {
        Some(Dialect::V1)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smart(capabilities: &[&str], scopes: &[&str]) -> Smart {
        let document = serde_json::json!({ "capabilities": capabilities, "scopes_supported": scopes });
        Smart::parse("https://ehr.example.org", document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_ehr_launch_asks_for_launch_identity_and_the_features_scopes() {
        let features =
            ScopeSet::parse("patient/Condition.rs patient/Patient.r offline_access launch/patient");
        let ehr = Asked { is_ehr_launch: true, online_access: true, profile: true };
        assert_eq!(
            requested_scope(&features, ehr, Dialect::V2),
            "fhirUser launch online_access openid patient/Condition.rs patient/Patient.r profile"
        );
        let standalone = Asked { is_ehr_launch: false, online_access: false, profile: false };
        assert_eq!(
            requested_scope(&features, standalone, Dialect::V1),
            "fhirUser launch/patient openid patient/Condition.read patient/Patient.read"
        );
    }

    /// SMART 2.2 §Scopes for requesting context data: beside the resource scopes, in lower case, one role each.
    #[test]
    fn a_context_that_a_feature_needs_is_asked_for_by_a_scope_of_its_own() {
        let needed = "launch/encounter launch/diagnosticreport \
                      launch/list?role=https://example.org/med-list-at-home \
                      launch/list?role=https://example.org/med-list-at-hospital patient/List.rs";
        let features = ScopeSet::parse(needed);
        for is_ehr_launch in [true, false] {
            let asked = Asked { is_ehr_launch, online_access: false, profile: false };
            let scope = requested_scope(&features, asked, Dialect::V2);
            let words: Vec<&str> = scope.split(' ').collect();
            for word in needed.split_whitespace() {
                assert!(words.contains(&word), "{word} in {scope}");
            }
            assert_eq!(
                words.contains(&"launch/patient"),
                !is_ehr_launch,
                "the patient is asked for: {scope}"
            );
        }
    }

    #[test]
    fn the_dialect_follows_registration_then_capability_then_listed_scopes() {
        assert_eq!(choose_dialect(Some(Dialect::V1), &smart(&["permission-v2"], &[])), Dialect::V1);
        assert_eq!(choose_dialect(None, &smart(&["permission-v1", "permission-v2"], &[])), Dialect::V2);
        assert_eq!(choose_dialect(None, &smart(&["permission-v1"], &[])), Dialect::V1);
        assert_eq!(choose_dialect(None, &smart(&[], &["openid", "patient/*.read"])), Dialect::V1);
        assert_eq!(choose_dialect(None, &smart(&[], &["patient/*.*", "user/*.rs"])), Dialect::V2);
        assert_eq!(choose_dialect(None, &smart(&[], &["launch"])), Dialect::V2);
        let old = |capabilities| Smart { source: Source::CapabilityStatement, ..smart(capabilities, &[]) };
        assert_eq!(choose_dialect(None, &old(&[])), Dialect::V1);
        assert_eq!(choose_dialect(None, &old(&["permission-v2"])), Dialect::V2);
    }
}
