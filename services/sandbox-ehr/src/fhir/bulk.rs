//! Bulk export of a group (<https://hl7.org/fhir/uv/bulkdata/export.html>): kick-off, status, files, deletion, each
//! as odd as the product. The one group is `all`, everybody.

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CONTENT_LOCATION, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;

use super::{Context, Params, access::Access, dialect, outcome::Failure, scope::Interaction};
use crate::{
    exports::{Export, NotStarted},
    places::Place,
    profile::{BulkFiles, BulkRules},
    state::AppState,
};

/// The operation as it stands in an address.
pub(crate) const OPERATION: &str = "$export";
/// The one group.
const GROUP: &str = "all";
const NDJSON: HeaderValue = HeaderValue::from_static("application/fhir+ndjson");

fn rules(context: &Context) -> Result<&'static BulkRules, Failure> {
    context.profile.bulk.as_ref().ok_or(Failure::NO_SUCH_ADDRESS)
}

/// `GET Group/[id]/$export`.
pub(crate) fn kick_off(
    state: &AppState,
    context: &Context,
    place: &Place,
    group: &str,
    params: &Params,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let rules = rules(context)?;
    let prefers = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    if !prefers.into_iter().any(|wish| wish.contains("respond-async")) {
        return Err(Failure::NOT_ASYNC);
    }
    let may = |kind: &str| Access::of(&context.token, &context.base, kind, Interaction::Read).is_some();
    if rules.needs_group_scope && !may("Group") {
        return Err(Failure::NO_SCOPE);
    }
    if dialect::id_in(context.profile, "Group", group).as_deref().unwrap_or(group) != GROUP {
        return Err(Failure::UNKNOWN_RESOURCE);
    }
    let (mut kinds, mut since) = (Vec::new(), None);
    for (name, value) in params {
        match name.as_str() {
            "_type" if kinds.is_empty() || rules.repeats_type => {
                kinds.extend(value.split(',').map(str::to_owned));
            }
            "_since" if rules.knows_since => since = Some(value.clone()),
            "_outputFormat" => {}
            _ => return Err(Failure::UNKNOWN_PARAMETER),
        }
    }
    let all = context.records.kinds().map(str::to_owned);
    let wanted =
        all.filter(|kind| (kinds.is_empty() || kinds.contains(kind)) && may(kind) && kind != "Binary");
    let export = Export {
        place: place.clone(),
        client: context.token.client_id.clone(),
        group: group.to_owned(),
        kinds: wanted.collect(),
        since,
        request: format!("{}/Group/{group}/{OPERATION}", context.base),
        started_at: context.now_seconds,
    };
    let name = state.exports().start(rules, export).map_err(|reason| match reason {
        NotStarted::TooSoon => Failure::EXPORTED_RECENTLY,
        NotStarted::Busy => Failure::EXPORT_RUNNING,
    })?;
    let mut response = StatusCode::ACCEPTED.into_response();
    put(&mut response, CONTENT_LOCATION, &format!("{}/bulk/{name}", context.base));
    Ok(response)
}

/// `GET [base]/bulk/[name]`: not yet, or the manifest.
pub(crate) async fn status(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Path(name): Path<Name>,
) -> Response {
    manifest(&state, &context, &place, &name.name).unwrap_or_else(IntoResponse::into_response)
}

fn manifest(state: &AppState, context: &Context, place: &Place, name: &str) -> Result<Response, Failure> {
    let rules = rules(context)?;
    let export = own(state, context, place, name)?;
    if context.now_seconds < export.started_at + rules.ready_seconds {
        let mut response = StatusCode::ACCEPTED.into_response();
        put(&mut response, RETRY_AFTER, &rules.retry_after_seconds.to_string());
        put(&mut response, HeaderName::from_static("x-progress"), "in progress");
        return Ok(response);
    }
    let output: Vec<_> = export
        .kinds
        .iter()
        .map(|kind| json!({"type": kind, "url": format!("{}/bulk/{name}/{kind}", context.base)}))
        .collect();
    let body = json!({
        "transactionTime": crate::data::CHART_INSTANT,
        "request": export.request,
        "requiresAccessToken": true,
        "output": output,
        "error": [],
    });
    Ok(axum::Json(body).into_response())
}

fn own(state: &AppState, context: &Context, place: &Place, name: &str) -> Result<Export, Failure> {
    let found = state.exports().get(name, place);
    found.filter(|export| export.client == context.token.client_id).ok_or(Failure::UNKNOWN_RESOURCE)
}

/// `GET [base]/bulk/[name]/[type]`: the file, or the way to it.
pub(crate) async fn file(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Path(Name { name, kind }): Path<Name>,
) -> Response {
    let export = match own(&state, &context, &place, &name) {
        Ok(export) => export,
        Err(failure) => return failure.into_response(),
    };
    match context.profile.bulk.map(|rules| rules.files) {
        Some(BulkFiles::Presigned) => {
            let root = state.endpoints(&place).root;
            Redirect::temporary(&format!("{root}/bulk-files/{name}/{kind}")).into_response()
        }
        _ => lines(&state, &place, &export, &kind),
    }
}

/// `GET [root]/bulk-files/[name]/[type]`: the address is the right, and a token beside it is one too many.
pub(crate) async fn signed_file(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Path(Name { name, kind }): Path<Name>,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(AUTHORIZATION) {
        return (StatusCode::BAD_REQUEST, "only one auth mechanism allowed").into_response();
    }
    match state.exports().get(&name, &place) {
        Some(export) => lines(&state, &place, &export, &kind),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

/// `DELETE [base]/bulk/[name]`.
pub(crate) async fn remove(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Path(name): Path<Name>,
) -> Response {
    let Some(rules) = context.profile.bulk else { return Failure::NO_SUCH_ADDRESS.into_response() };
    if state.exports().remove(&name.name, &place, &context.token.client_id) {
        StatusCode::from_u16(rules.delete_status).unwrap_or(StatusCode::ACCEPTED).into_response()
    } else {
        Failure::UNKNOWN_RESOURCE.into_response()
    }
}

/// The parts of an export's address.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Name {
    name: String,
    #[serde(default)]
    kind: String,
}

/// Every resource of a type, one a line, as the product writes it.
fn lines(state: &AppState, place: &Place, export: &Export, kind: &str) -> Response {
    if !export.kinds.iter().any(|listed| listed == kind) {
        return Failure::UNKNOWN_RESOURCE.into_response();
    }
    let writer = Context::for_export(state, place);
    let mut text = String::new();
    for body in writer.records.all(kind).filter_map(|record| record.current()) {
        let changed = body.pointer("/meta/lastUpdated").and_then(serde_json::Value::as_str);
        if export.since.as_deref().is_some_and(|since| changed.is_some_and(|at| at < since)) {
            continue;
        }
        let line = dialect::served(&writer, body).to_string();
        let times = if text.is_empty() && writer.profile.bulk.is_some_and(|rules| rules.repeats_rows) {
            2
        } else {
            1
        };
        for _ in 0..times {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, NDJSON);
    response
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
