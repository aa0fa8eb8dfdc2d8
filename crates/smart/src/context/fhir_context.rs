//! `fhirContext`: the objects of SMART 2.2, and the plain relative references of 2.0, in one shape.

use sallyport_model::ids::is_logical_id;
use serde_json::Value;

/// The longest list that is kept; EHRs send a handful.
const ITEMS_MAX: usize = 50;
const TEXT_MAX: usize = 512;

/// One further resource in context. At least one of reference, canonical and identifier is there.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ContextItem {
    /// Relative, e.g. `ImagingStudy/123`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A canonical URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// A FHIR Identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Value>,
    /// The resource type, recommended beside canonical and identifier.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What it is there for; absent in the message means `launch`.
    pub role: String,
}

impl Eq for ContextItem {}

/// Reads the member; items that break the rules are dropped, because they are hints and nothing is decided by them.
pub(super) fn parse(member: Option<&Value>) -> Vec<ContextItem> {
    let items = member.and_then(Value::as_array).into_iter().flatten();
    items.take(ITEMS_MAX).filter_map(item).collect()
}

fn item(value: &Value) -> Option<ContextItem> {
    let item = match value {
        // SMART 2.0: an array of relative references.
        Value::String(reference) => ContextItem {
            reference: Some(reference.clone()),
            canonical: None,
            identifier: None,
            kind: None,
            role: "launch".to_owned(),
        },
        Value::Object(members) => ContextItem {
            reference: text(members.get("reference")),
            canonical: text(members.get("canonical")),
            identifier: members.get("identifier").filter(|i| i.is_object()).cloned(),
            kind: text(members.get("type")),
            role: match members.get("role") {
                None => "launch".to_owned(),
                // The empty string SHALL NOT be sent as a role.
                some => text(some)?,
            },
        },
        _ => return None,
    };
    let names_something = item.reference.is_some() || item.canonical.is_some() || item.identifier.is_some();
    (names_something && item.reference.as_deref().is_none_or(|r| is_allowed(r, &item.role))).then_some(item)
}

/// A relative reference; the launch's own patient and encounter have members of their own, so those types are allowed
/// only in another role.
fn is_allowed(reference: &str, role: &str) -> bool {
    let Some((kind, id)) = reference.split_once('/') else { return false };
    let is_type = kind.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && kind.bytes().all(|b| b.is_ascii_alphanumeric());
    is_type && is_logical_id(id, 256) && !(matches!(kind, "Patient" | "Encounter") && role == "launch")
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|t| (1..=TEXT_MAX).contains(&t.len())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(value: &Value) -> Value {
        serde_json::to_value(parse(Some(value))).unwrap()
    }

    #[test]
    fn both_shapes_become_the_newer_one() {
        let old = json!(["ImagingStudy/123", "DiagnosticReport/d.1"]);
        assert_eq!(
            normalised(&old),
            json!([{"reference": "ImagingStudy/123", "role": "launch"}, {"reference": "DiagnosticReport/d.1", "role": "launch"}])
        );
        let new = json!([
            {"reference": "Patient/7", "role": "https://example.org/role/mother"},
            {"canonical": "https://example.org/Questionnaire/1", "type": "Questionnaire"},
            {"identifier": {"system": "s", "value": "v"}, "type": "Basic"}
        ]);
        assert_eq!(
            normalised(&new),
            json!([
                {"reference": "Patient/7", "role": "https://example.org/role/mother"},
                {"canonical": "https://example.org/Questionnaire/1", "type": "Questionnaire", "role": "launch"},
                {"identifier": {"system": "s", "value": "v"}, "type": "Basic", "role": "launch"}
            ])
        );
    }

    #[test]
    fn items_that_break_the_rules_are_dropped() {
        let bad = json!([
            "Patient/1", {"reference": "Encounter/1"}, {"reference": "https://other.example/Patient/1"},
            {"reference": "Observation/../x"}, {"role": "launch"}, {"reference": "Observation/1", "role": ""}, 7, null
        ]);
        assert_eq!(normalised(&bad), json!([]));
        assert!(parse(Some(&json!("Observation/1"))).is_empty());
        assert!(parse(None).is_empty());
    }
}
