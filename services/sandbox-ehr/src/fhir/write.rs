//! Create and update (FHIR R4 §3.1.0.8, §3.1.0.4): scopes, versions, conditions, and what each product refuses.

mod content;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, ETAG, IF_MATCH, LOCATION},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{
    Context,
    access::Access,
    dialect, negotiate,
    outcome::Failure,
    query::{Handling, Query},
    scope::Interaction,
};
use crate::{
    data::{Record, Records, chart_number, patients_of},
    places::Place,
    profile::{ConditionalCreate, UnknownParameter, WriteAnswer, WriteRules},
    state::AppState,
};

/// The longest resource that is taken.
pub(super) const LIMIT: usize = 1024 * 1024;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// `POST [type]`, with `If-None-Exist` where the product keeps it.
pub(super) fn create(
    state: &AppState,
    place: &Place,
    context: &Context,
    kind: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    let rules = rules(context, kind, |rules| rules.creates)?;
    let access =
        Access::of(&context.token, &context.base, kind, Interaction::Create).ok_or(Failure::NO_SCOPE)?;
    let mut members = resource(context, rules, kind, headers, body)?;
    members.remove("id");
    let patients = admitted(context, &access, kind, "", &members)?;
    let condition = match headers.get(IF_NONE_EXIST) {
        Some(value) if rules.conditional_create == ConditionalCreate::Kept => {
            Some(condition(context, kind, value)?)
        }
        _ => None,
    };
    state.write_at(place, |records| {
        if let Some(condition) = &condition {
            let patient = patients.first().map(String::as_str);
            match matching(context, records, kind, condition, patient).as_slice() {
                [] => {}
                [one] => {
                    let body = one.current().cloned().ok_or(Failure::UNPROCESSABLE)?;
                    return Ok(answer(context, rules, StatusCode::OK, kind, &body));
                }
                _ => return Err(Failure::SEVERAL_MATCH),
            }
        }
        let id = new_id(records, patients.first().map(String::as_str));
        let body = store(context, records, kind, &id, members)?;
        Ok(answer(context, rules, StatusCode::CREATED, kind, &body))
    })
}

/// `PUT [type]/[id]` on what is there: nothing is created by an update.
pub(super) fn update(
    state: &AppState,
    place: &Place,
    context: &Context,
    (kind, id): (&str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    let rules = rules(context, kind, |rules| rules.updates)?;
    let allowed = |interaction| Access::of(&context.token, &context.base, kind, interaction);
    let access = allowed(Interaction::Update).ok_or(Failure::NO_SCOPE)?;
    if rules.update_needs_read && allowed(Interaction::Read).is_none() {
        return Err(Failure::NO_SCOPE);
    }
    let stored = dialect::id_in(context.profile, kind, id).ok_or(Failure::UNKNOWN_RESOURCE)?;
    let mut members = resource(context, rules, kind, headers, body)?;
    if members.get("id").and_then(Value::as_str) != Some(id) {
        return Err(Failure::NOT_A_RESOURCE);
    }
    members.insert("id".to_owned(), json!(stored));
    admitted(context, &access, kind, &stored, &members)?;
    let expected = headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).map(version_of);
    if expected.is_none() && rules.needs_if_match {
        return Err(Failure::NO_MATCH_HEADER);
    }
    state.write_at(place, |records| {
        let record = records.record(kind, &stored).ok_or(Failure::UNKNOWN_RESOURCE)?;
        let current = record.current().ok_or(Failure::UNKNOWN_RESOURCE)?;
        if !access.allows(record, current) {
            return Err(Failure::OTHER_PATIENT);
        }
        let version = current.pointer("/meta/versionId").and_then(Value::as_str).unwrap_or_default();
        if expected.is_some_and(|expected| expected != version) {
            return Err(Failure::stale(rules.stale_status));
        }
        let body = store(context, records, kind, &stored, members)?;
        Ok(answer(context, rules, StatusCode::OK, kind, &body))
    })
}

fn rules<'c>(
    context: &'c Context,
    kind: &str,
    listed: fn(&WriteRules) -> &'static [&'static str],
) -> Result<&'c WriteRules, Failure> {
    context.profile.writes.as_ref().filter(|rules| listed(rules).contains(&kind)).ok_or(Failure::NOT_WRITABLE)
}

/// The resource of a body, with references as they are stored and without what only the server says.
fn resource(
    context: &Context,
    rules: &WriteRules,
    kind: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Map<String, Value>, Failure> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !["application/fhir+json", "application/json"].contains(&essence) {
        return Err(Failure::NOT_FHIR_JSON);
    }
    let mut value: Value = serde_json::from_slice(body).ok().ok_or(Failure::NOT_A_RESOURCE)?;
    dialect::refer_in(context.profile, &context.base, &mut value);
    let Value::Object(mut members) = value else { return Err(Failure::NOT_A_RESOURCE) };
    if members.get("resourceType").and_then(Value::as_str) != Some(kind) {
        return Err(Failure::NOT_A_RESOURCE);
    }
    content::check(context.profile, rules, kind, &members)?;
    for name in rules.dropped_members {
        members.remove(*name);
    }
    if let Some(meta) = members.get_mut("meta").and_then(Value::as_object_mut) {
        meta.retain(|name, _| ["tag", "security", "profile"].contains(&name.as_str()));
    }
    Ok(members)
}

/// The patients that the resource is about, all of whom exist and may be written for.
fn admitted(
    context: &Context,
    access: &Access,
    kind: &str,
    id: &str,
    members: &Map<String, Value>,
) -> Result<Vec<String>, Failure> {
    let patients = patients_of(kind, id, members);
    if patients.is_empty()
        || patients.iter().any(|patient| context.records.record("Patient", patient).is_none())
    {
        return Err(Failure::UNKNOWN_SUBJECT);
    }
    if !access.allows_of(&patients, &Value::Object(members.clone())) {
        return Err(Failure::OTHER_PATIENT);
    }
    Ok(patients)
}

/// `If-None-Exist`: the query of a search, without `?`.
fn condition(context: &Context, kind: &str, value: &HeaderValue) -> Result<Query, Failure> {
    let text = value.to_str().ok().ok_or(Failure::BAD_CONDITION)?;
    let mut params: Vec<_> =
        form_urlencoded::parse(text.trim_start_matches('?').as_bytes()).into_owned().collect();
    dialect::params_in(context.profile, &context.base, kind, &mut params);
    let handling = Handling::of(UnknownParameter::Refused, kind, &HeaderMap::new());
    let query =
        Query::read(kind, &context.base, params, handling).map_err(|_unknown| Failure::BAD_CONDITION)?;
    // No condition at all would match everything.
    if query.clauses.is_empty() { Err(Failure::BAD_CONDITION) } else { Ok(query) }
}

fn matching<'r>(
    context: &Context,
    records: &'r Records,
    kind: &str,
    condition: &Query,
    patient: Option<&str>,
) -> Vec<&'r Record> {
    let now_micros = context.now_seconds.saturating_mul(1_000_000);
    let candidates = match patient {
        Some(patient) => records.of_patient(kind, patient),
        None => records.all(kind),
    };
    let is_match = |record: &&Record| {
        record.current().is_some_and(|body| condition.clauses.iter().all(|c| c.holds(body, now_micros)))
    };
    candidates.filter(is_match).collect()
}

/// An id that tells the patient's number as all generated ones do: some products write ids by it.
fn new_id(records: &Records, patient: Option<&str>) -> String {
    let number =
        patient.and_then(chart_number).map_or_else(|| "x".to_owned(), |number| format!("{number:04}"));
    format!("new-{number}-{:06}", records.len() + 1)
}

fn store(
    context: &Context,
    records: &mut Records,
    kind: &str,
    id: &str,
    mut members: Map<String, Value>,
) -> Result<Value, Failure> {
    members.insert("id".to_owned(), json!(id));
    let meta = members.entry("meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        let now = jiff::Timestamp::from_second(context.now_seconds).ok().ok_or(Failure::UNPROCESSABLE)?;
        meta.insert("lastUpdated".to_owned(), json!(now.to_string()));
    }
    records.insert(Value::Object(members)).ok().ok_or(Failure::NOT_A_RESOURCE)?;
    records.read(kind, id).map(|body| body.as_ref().clone()).ok_or(Failure::UNPROCESSABLE)
}

fn answer(context: &Context, rules: &WriteRules, status: StatusCode, kind: &str, stored: &Value) -> Response {
    let version = stored.pointer("/meta/versionId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = stored.get("id").and_then(Value::as_str).unwrap_or_default();
    let id = dialect::id_out(context.profile, kind, id);
    let mut response = match rules.answer {
        WriteAnswer::Resource => {
            let written = dialect::served(context, stored);
            negotiate::resource(context.profile, written.to_string())
        }
        WriteAnswer::HeadersOnly => {
            let mut response = Body::empty().into_response();
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
    };
    *response.status_mut() = status;
    let location = format!("{}/{kind}/{id}/_history/{version}", context.base);
    for (name, value) in [(LOCATION, location), (ETAG, format!("W/\"{version}\""))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn version_of(tag: &str) -> String {
    tag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests;
