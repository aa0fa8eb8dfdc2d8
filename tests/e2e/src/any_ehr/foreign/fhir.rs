//! The FHIR server: one patient with two problems. Without a good token, 401 in plain text.

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::{ENCOUNTER, PATIENT, Server, Told, parameters};

const FHIR_JSON: &str = "application/fhir+json;charset=UTF-8";

pub(super) fn answer(server: &Server, path: &str, query: &str, headers: &HeaderMap) -> Told {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let is_known = token.is_some_and(|token| server.memory().tokens.iter().any(|known| known == token));
    if !is_known || server.habits().refuses_tokens {
        let plain = [(header::CONTENT_TYPE, "text/plain")];
        return Told::new("fhir", path, (StatusCode::UNAUTHORIZED, plain, "Unauthorized"));
    }
    let asked = parameters(query.as_bytes());
    let mut segments = path.trim_start_matches('/').split('/');
    let (kind, id) = (segments.next().unwrap_or_default(), segments.next());
    let found: Vec<Value> = match kind {
        "Patient" => vec![patient()],
        "Condition" => vec![
            condition("c-1", "38341003", "Hypertensive disorder"),
            condition("c-2", "44054006", "Type 2 diabetes mellitus"),
        ],
        "Encounter" => vec![encounter()],
        _ => Vec::new(),
    };
    let (status, body) = match id {
        Some(id) => match found.into_iter().find(|r| r.get("id").and_then(Value::as_str) == Some(id)) {
            Some(resource) => (StatusCode::OK, resource),
            None => (
                StatusCode::NOT_FOUND,
                json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": "not-found" }] }),
            ),
        },
        None => {
            (StatusCode::OK, searchset(server, path, query, found, asked.get("patient").map(String::as_str)))
        }
    };
    Told::new("fhir", path, (status, [(header::CONTENT_TYPE, FHIR_JSON)], body.to_string()))
}

fn searchset(server: &Server, path: &str, query: &str, found: Vec<Value>, patient: Option<&str>) -> Value {
    let is_theirs = patient.is_none_or(|p| p == PATIENT || p == format!("Patient/{PATIENT}"));
    let entries: Vec<Value> =
        found.into_iter().filter(|_| is_theirs).map(|resource| entry(server, &resource)).collect();
    json!({
        "resourceType": "Bundle",
        "id": "b-1",
        "type": "searchset",
        "total": entries.len(),
        "link": [{ "relation": "self", "url": format!("{}{path}?{query}", server.base) }],
        "entry": entries,
    })
}

fn entry(server: &Server, resource: &Value) -> Value {
    let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let full_url = format!("{}/{}/{}", server.base, text("resourceType"), text("id"));
    json!({ "fullUrl": full_url, "resource": resource, "search": { "mode": "match" } })
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": PATIENT,
        "meta": { "versionId": "1", "lastUpdated": "2021-04-06T03:11:41.361-04:00" },
        "name": [{ "use": "official", "family": "Adams", "given": ["Daniel", "X."] }],
        "gender": "male",
        "birthDate": "1925-12-23",
        "active": true,
    })
}

fn encounter() -> Value {
    json!({
        "resourceType": "Encounter",
        "id": ENCOUNTER,
        "status": "in-progress",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
        "subject": { "reference": format!("Patient/{PATIENT}") },
    })
}

fn condition(id: &str, code: &str, text: &str) -> Value {
    json!({
        "resourceType": "Condition",
        "id": id,
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] },
        "verificationStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed" }] },
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "problem-list-item" }] }],
        "code": { "coding": [{ "system": "http://snomed.info/sct", "code": code, "display": text }], "text": text },
        "subject": { "reference": format!("Patient/{PATIENT}") },
        "onsetDateTime": "2011-05-01",
    })
}
