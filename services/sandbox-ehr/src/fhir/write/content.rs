//! What a product refuses of a resource that is to be written.

use serde_json::{Map, Value};

use super::super::{matching::has_code, outcome::Failure};
use crate::profile::{Codings, Profile, WriteRules};

/// Elements that a type cannot do without (FHIR R4, cardinality 1..).
const REQUIRED: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["patient"]),
    ("Communication", &["status"]),
    ("CommunicationRequest", &["status"]),
    ("Condition", &["subject"]),
    ("DocumentReference", &["status", "content"]),
    ("Observation", &["status", "code"]),
    ("Procedure", &["status", "subject"]),
    ("QuestionnaireResponse", &["status"]),
    ("ServiceRequest", &["status", "intent", "subject"]),
    ("Task", &["status", "intent"]),
];

/// Refuses what FHIR or the product does not take.
pub(super) fn check(
    profile: &Profile,
    rules: &WriteRules,
    kind: &str,
    members: &Map<String, Value>,
) -> Result<(), Failure> {
    let required = REQUIRED.iter().find(|(listed, _)| *listed == kind).map_or(&[][..], |(_, names)| *names);
    if required.iter().any(|name| members.get(*name).is_none_or(Value::is_null)) {
        return Err(Failure::REQUIRED_MISSING);
    }
    let is_refused = rules.refused_members.iter().any(|name| members.contains_key(*name))
        || (kind == "Observation" && !is_one_of(rules.observation_categories, members))
        || (kind == "DocumentReference" && !is_written_as(rules.document_types, members))
        || (rules.refuses_mixed_codings
            && members.values().any(|value| is_mixed(own_system(profile), value)));
    if is_refused { Err(Failure::BUSINESS_RULE) } else { Ok(()) }
}

fn is_one_of(categories: &[&str], members: &Map<String, Value>) -> bool {
    categories.is_empty() || categories.iter().any(|code| has_code(members.get("category"), code))
}

fn is_written_as(types: &[&str], members: &Map<String, Value>) -> bool {
    let contents = members.get("content").and_then(Value::as_array).into_iter().flatten();
    let mut named =
        contents.map(|content| content.pointer("/attachment/contentType").and_then(Value::as_str));
    let is_taken = |named: Option<&str>| {
        named.is_some_and(|named| types.contains(&named.split(';').next().unwrap_or_default().trim()))
    };
    types.is_empty() || named.all(is_taken)
}

/// How the product's own code systems begin.
fn own_system(profile: &Profile) -> &str {
    match profile.data.codings {
        Codings::ChosenByUser(pattern) => pattern.split('{').next().unwrap_or(pattern),
        _ => "",
    }
}

/// Whether a concept anywhere within has codes of the product's own system and of another.
fn is_mixed(own: &str, value: &Value) -> bool {
    if own.is_empty() {
        return false;
    }
    match value {
        Value::Array(items) => items.iter().any(|item| is_mixed(own, item)),
        Value::Object(members) => {
            let codings = members.get("coding").and_then(Value::as_array).into_iter().flatten();
            let systems: Vec<bool> = codings
                .filter_map(|coding| coding.get("system").and_then(Value::as_str))
                .map(|system| system.starts_with(own))
                .collect();
            (systems.contains(&true) && systems.contains(&false))
                || members.values().any(|m| is_mixed(own, m))
        }
        _ => false,
    }
}
