//! The FHIR R4 server of the sandbox: read, version read, search, create, update and CapabilityStatement.
//!
//! This module is the HTTP edge: it takes requests apart, asks for the token, and lets `read.rs`,
//! `search.rs` and `capability.rs` answer. What a bearer may see is decided in `access.rs` alone.

mod access;
pub(crate) mod bulk;
mod capability;
mod date_range;
pub(crate) mod dialect;
mod fault;
mod link;
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
mod write;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State, rejection::BytesRejection},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post, put},
};
use http::{HeaderMap, header::CONTENT_TYPE, request::Parts};
use serde::Deserialize;
use url::form_urlencoded;

use self::{link::Wanted, outcome::Failure, paging::Cursors, query::Handling, search::Search};
use crate::{
    data::Records,
    faults::{FhirFault, FhirFaults},
    places::{Endpoints, Place},
    profile::Profile,
    state::{AppState, TokenInfo},
};

/// A search form longer than this is no search.
const FORM_LIMIT: usize = 64 * 1024;

/// The FHIR server's routes, to be nested under the FHIR base of every place.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(next_page_at_root))
        .route("/metadata", get(metadata))
        .route("/bulk/{name}", get(bulk::status).delete(bulk::remove))
        .route("/bulk/{name}/{kind}", get(bulk::file))
        .route("/{kind}", get(search_by_get).merge(post(create).layer(DefaultBodyLimit::max(write::LIMIT))))
        .route("/{kind}/_search", post(search_by_post))
        .route(
            "/{kind}/{id}",
            get(read_current).merge(put(update).layer(DefaultBodyLimit::max(write::LIMIT))),
        )
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
    /// How the product behaves.
    profile: &'static Profile,
    /// Where the tenant stands in the configuration, from 0.
    tenant: usize,
    token: TokenInfo,
    faults: Vec<FhirFault>,
    now_seconds: i64,
}

impl Context {
    /// For writing what an export holds: whoever gets it was asked for rights before.
    fn for_export(state: &AppState, place: &Place) -> Self {
        let token = TokenInfo {
            scopes: Vec::new(),
            patient: None,
            encounter: None,
            user: None,
            client_id: String::new(),
        };
        Self::new(state, place, token, Vec::new())
    }

    fn new(state: &AppState, place: &Place, token: TokenInfo, faults: Vec<FhirFault>) -> Self {
        Self {
            records: state.records_at(place),
            base: state.endpoints(place).fhir_base,
            profile: state.profile(place),
            tenant: state.config().tenant_number(&place.tenant),
            token,
            faults,
            now_seconds: state.clock().now_seconds(),
        }
    }

    /// Whether a fault was asked for.
    fn has(&self, fault: FhirFault) -> bool {
        self.faults.contains(&fault)
    }
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
        let faults = parts.extensions.get::<FhirFaults>().map(|FhirFaults(all)| all.clone());
        Ok(Self::new(state, place, token, faults.unwrap_or_default()))
    }
}

async fn metadata(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
) -> Response {
    let endpoints: Endpoints = state.endpoints(&place);
    let tenant = state.config().tenant_number(&place.tenant);
    capability::statement(&state.records, &endpoints, state.profile(&place), tenant, &headers)
}

async fn read_current(context: Context, Path(target): Path<Target>, headers: HeaderMap) -> Response {
    if target.kind == dialect::DOCUMENT {
        return dialect::raw(&context, &target.id).unwrap_or_else(IntoResponse::into_response);
    }
    read::answer(&context, &target.kind, &target.id, None, &headers)
}

async fn read_version(context: Context, Path(target): Path<Target>, headers: HeaderMap) -> Response {
    read::answer(&context, &target.kind, &target.id, Some(&target.version), &headers)
}

async fn create(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Path(target): Path<Target>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return Failure::RESOURCE_TOO_LONG.into_response() };
    write::create(&state, &place, &context, &target.kind, &headers, &body)
        .unwrap_or_else(IntoResponse::into_response)
}

async fn update(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Path(target): Path<Target>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else { return Failure::RESOURCE_TOO_LONG.into_response() };
    write::update(&state, &place, &context, (&target.kind, &target.id), &headers, &body)
        .unwrap_or_else(IntoResponse::into_response)
}

async fn search_by_get(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    found(&context, &cursors, &target.kind, decode(query.unwrap_or_default().as_bytes()), &headers).await
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
    found(&context, &cursors, &target.kind, params, &headers).await
}

/// `GET Patient/[id]/[type]`: a search within the patient's compartment; `GET Group/[id]/$export`.
async fn search_compartment(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    Path(target): Path<Target>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if target.kind == "Group" && target.part == bulk::OPERATION {
        let params = decode(query.unwrap_or_default().as_bytes());
        return bulk::kick_off(&state, &context, &place, &target.id, &params, &headers)
            .unwrap_or_else(IntoResponse::into_response);
    }
    let within = params::find(&target.part, "patient").is_some();
    if target.kind != "Patient" || !within || dialect::id_in(context.profile, "Patient", &target.id).is_none()
    {
        return Failure::NO_SUCH_ADDRESS.into_response();
    }
    let mut params = decode(query.unwrap_or_default().as_bytes());
    params.push(("patient".to_owned(), format!("Patient/{}", target.id)));
    found(&context, &cursors, &target.part, params, &headers).await
}

/// Some clients follow `[base]?_getpages=…`, as large servers give it out.
async fn next_page_at_root(
    context: Context,
    Extension(cursors): Extension<Arc<Cursors>>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut params = decode(query.unwrap_or_default().as_bytes());
    match link::wanted(&context.profile.search, &mut params) {
        Wanted::Kept(cursor) => {
            page::following(&context, &cursors, &cursor).unwrap_or_else(IntoResponse::into_response)
        }
        Wanted::First | Wanted::Number(_) => Failure::NO_SUCH_ADDRESS.into_response(),
    }
}

async fn found(
    context: &Context,
    cursors: &Cursors,
    kind: &str,
    mut params: Params,
    headers: &HeaderMap,
) -> Response {
    let rules = &context.profile.search;
    if rules.page_millis > 0 {
        tokio::time::sleep(Duration::from_millis(rules.page_millis)).await;
    }
    let number = match link::wanted(rules, &mut params) {
        Wanted::Kept(cursor) => {
            return page::following(context, cursors, &cursor).unwrap_or_else(IntoResponse::into_response);
        }
        Wanted::First => 1,
        Wanted::Number(number) => number,
    };
    Search::of(context, kind, params, Handling::of(rules.unknown, kind, headers))
        .and_then(|search| page::of_search(context, cursors, search, number))
        .unwrap_or_else(IntoResponse::into_response)
}

fn decode(query: &[u8]) -> Params {
    form_urlencoded::parse(query).into_owned().collect()
}

#[cfg(test)]
mod tests;
