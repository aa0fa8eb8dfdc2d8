//! The FHIR R4 server of the sandbox: read, version read, search and CapabilityStatement.
//!
//! This module is the HTTP edge: it takes requests apart, asks for the token, and lets `read.rs`,
//! `search.rs` and `capability.rs` answer. What a bearer may see is decided in `access.rs` alone.

mod access;
mod capability;
mod date_range;
mod fault;
mod matching;
mod negotiate;
mod outcome;
mod page;
mod paging;
mod params;
mod query;
mod read;
mod scope;
mod search;

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State, rejection::BytesRejection},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::{HeaderMap, header::CONTENT_TYPE, request::Parts};
use serde::Deserialize;
use url::form_urlencoded;

use self::{outcome::Failure, paging::Cursors, query::Handling, search::Search};
use crate::{
    data::Records,
    faults::FhirFault,
    places::{Endpoints, Place},
    state::{AppState, TokenInfo},
};

/// A search form longer than this is no search.
const FORM_LIMIT: usize = 64 * 1024;

/// The FHIR server's routes, to be nested under the FHIR base of every place.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(next_page_at_root))
        .route("/metadata", get(metadata))
        .route("/{kind}", get(search_by_get))
        .route("/{kind}/_search", post(search_by_post))
        .route("/{kind}/{id}", get(read_current))
        .route("/{kind}/{id}/_history/{version}", get(read_version))
        .route("/{kind}/{id}/{part}", get(search_compartment))
        // A route and not only a fallback: those of nested routers give way to the outer one's.
        .route("/{kind}/{id}/{part}/{*rest}", any(async || Failure::NO_SUCH_ADDRESS))
        .fallback(async || Failure::NO_SUCH_ADDRESS)
        .method_not_allowed_fallback(async || Failure::METHOD)
        .layer(Extension(Arc::new(Cursors::default())))
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(middleware::from_fn(negotiate::answer))
}

/// What every authorised interaction needs.
pub(crate) struct Context {
    records: Arc<Records>,
    base: String,
    token: TokenInfo,
    fault: Option<FhirFault>,
    now_seconds: i64,
}

/// The parts of a path below the FHIR base.
#[derive(Debug, Deserialize)]
struct Target {
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    part: String,
}

type Params = Vec<(String, String)>;

/// The bearer's token is asked for before anything else is looked at.
impl FromRequestParts<AppState> for Context {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let token = state.authorise(&parts.headers).map_err(IntoResponse::into_response)?;
        let place =
            parts.extensions.get::<Place>().ok_or_else(|| Failure::NO_SUCH_ADDRESS.into_response())?;
        Ok(Self {
            records: Arc::clone(&state.records),
            base: state.endpoints(place).fhir_base,
            token,
            fault: parts.extensions.get::<FhirFault>().copied(),
            now_seconds: state.clock().now_seconds(),
        })
    }
}

async fn metadata(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
) -> Response {
    let endpoints: Endpoints = state.endpoints(&place);
    capability::statement(&state.records, &endpoints, state.profile(&place).capabilities, &headers)
}

async fn read_current(context: Context, Path(target): Path<Target>, headers: HeaderMap) -> Response {
    read::answer(&context, &target.kind, &target.id, None, &headers)
}

async fn read_version(context: Context, Path(target): Path<Target>, headers: HeaderMap) -> Response {
    read::answer(&context, &target.kind, &target.id, Some(&target.version), &headers)
}

async fn search_by_get(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    found(&context, &cursors, &target.kind, decode(query.unwrap_or_default().as_bytes()), &headers)
}

/// `POST [type]/_search`: parameters of the address and of the form count alike.
async fn search_by_post(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return Failure::TOO_LONG.into_response() };
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = "application/x-www-form-urlencoded";
    if !body.is_empty()
        && !kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(form))
    {
        return Failure::NOT_A_FORM.into_response();
    }
    let mut params = decode(query.unwrap_or_default().as_bytes());
    params.extend(decode(&body));
    found(&context, &cursors, &target.kind, params, &headers)
}

/// `GET Patient/[id]/[type]`: a search within the patient's compartment.
async fn search_compartment(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let within = params::find(&target.part, "patient").is_some();
    if target.kind != "Patient" || !within || !crate::data::is_id(&target.id) {
        return Failure::NO_SUCH_ADDRESS.into_response();
    }
    let mut params = decode(query.unwrap_or_default().as_bytes());
    params.push(("patient".to_owned(), format!("Patient/{}", target.id)));
    found(&context, &cursors, &target.part, params, &headers)
}

/// Some clients follow `[base]?_getpages=…`, as large servers give it out.
async fn next_page_at_root(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = decode(query.unwrap_or_default().as_bytes());
    match params.into_iter().find(|(name, _)| name == paging::PARAMETER) {
        Some((_, cursor)) => {
            page::following(&context, &cursors, &cursor).unwrap_or_else(IntoResponse::into_response)
        }
        None => Failure::NO_SUCH_ADDRESS.into_response(),
    }
}

fn found(context: &Context, cursors: &Cursors, kind: &str, params: Params, headers: &HeaderMap) -> Response {
    if let Some((_, cursor)) = params.iter().find(|(name, _)| name == paging::PARAMETER) {
        return page::following(context, cursors, cursor).unwrap_or_else(IntoResponse::into_response);
    }
    Search::of(context, kind, params, Handling::of(headers))
        .and_then(|search| page::first(context, cursors, search))
        .unwrap_or_else(IntoResponse::into_response)
}

fn decode(query: &[u8]) -> Params {
    form_urlencoded::parse(query).into_owned().collect()
}

#[cfg(test)]
mod tests;
