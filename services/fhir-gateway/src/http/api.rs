//! `/api/{launch}/v1/…`: the normalised chart, and the source behind a value.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{Method as HttpMethod, request::Parts},
    response::Response,
};
use sallyport_clinical::Section;
use sallyport_fhir::{Interaction, Method, RawRequest};
use sallyport_model::Code;
use sallyport_resilience::Priority;

use super::{
    answer,
    fhir::FEATURE_HEADER,
    open::{self, Refused},
};
use crate::{
    Gateway,
    domain::{call, chart, context, release::Released, session::Session},
    error::Refusal,
};

/// One section of the normalised chart.
#[utoipa::path(
    get,
    path = "/api/{launch}/v1/chart/{section}",
    tag = "chart",
    params(
        ("launch" = String, Path, description = "The launch handle: 32 hex digits, as in the page's own address"),
        ("section" = Section, Path, description = "Which section"),
        ("X-Sallyport-Feature" = Option<String>, Header, description = "The feature the calls run under; otherwise the first that carries the section"),
        ("X-Sallyport-Activity" = Option<String>, Header, description = "`person` when somebody did this, not a timer: it keeps the session alive"),
    ),
    responses(
        (status = 200, description = "The section; what could not be read is listed in `problems`", body = sallyport_clinical::ChartSection),
        (status = "4XX", description = "An OperationOutcome with a stable code", content_type = "application/fhir+json"),
        (status = "5XX", description = "An OperationOutcome with a stable code", content_type = "application/fhir+json"),
    ),
)]
pub(crate) async fn chart(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let request_id = open::request_id(&parts.extensions);
    match Box::pin(chart_json(&gateway, &parts)).await {
        Ok(json) => answer::json(json, request_id),
        Err((refusal, request_id)) => answer::refused(&refusal, request_id),
    }
}

/// The resource behind a value, exactly as the EHR sent it.
#[utoipa::path(
    get,
    path = "/api/{launch}/v1/source/{type}/{id}",
    tag = "chart",
    params(
        ("launch" = String, Path, description = "The launch handle"),
        ("type" = String, Path, description = "A FHIR resource type"),
        ("id" = String, Path, description = "The logical id at the EHR"),
    ),
    responses(
        (status = 200, description = "The FHIR resource", content_type = "application/fhir+json"),
        (status = "4XX", description = "An OperationOutcome with a stable code", content_type = "application/fhir+json"),
        (status = "5XX", description = "An OperationOutcome with a stable code", content_type = "application/fhir+json"),
    ),
)]
pub(crate) async fn source(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let request_id = open::request_id(&parts.extensions);
    match Box::pin(source_resource(&gateway, &parts)).await {
        Ok(released) => answer::released(released, request_id),
        Err((refusal, request_id)) => answer::refused(&refusal, request_id),
    }
}

/// Anything else below `/api/{launch}`.
pub(crate) async fn nothing_here(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let request_id = open::request_id(&parts.extensions);
    let (launch, _) = split(&parts);
    let refusal = match open::open(&gateway, launch, &parts.method, &parts.headers, request_id).await {
        Ok(_) if parts.method != HttpMethod::GET => Refusal::new(Code::MethodNotAllowed),
        Ok(_) => Refusal::new(Code::NotFound),
        Err((refusal, _)) => refusal,
    };
    answer::refused(&refusal, request_id)
}

async fn chart_json(gateway: &Gateway, parts: &Parts) -> Result<Vec<u8>, Refused> {
    let request_id = open::request_id(&parts.extensions);
    let (launch, rest) = split(parts);
    let session = open::open(gateway, launch, &parts.method, &parts.headers, request_id).await?;
    let section = rest.strip_prefix("v1/chart/").and_then(|name| name.parse::<Section>().ok());
    let section = section.ok_or((Refusal::new(Code::NotFound), request_id))?;
    let feature = named_feature(parts).map_err(|refusal| (refusal, request_id))?;
    let section = chart::section(gateway, &session, section, feature, request_id)
        .await
        .map_err(|refusal| (refusal, request_id))?;
    serde_json::to_vec(&section).map_err(|_never| (Refusal::new(Code::Internal), request_id))
}

async fn source_resource(gateway: &Gateway, parts: &Parts) -> Result<Released, Refused> {
    let request_id = open::request_id(&parts.extensions);
    let (launch, rest) = split(parts);
    let session = open::open(gateway, launch, &parts.method, &parts.headers, request_id).await?;
    let reference = rest.strip_prefix("v1/source/").unwrap_or_default();
    let feature = named_feature(parts).map_err(|refusal| (refusal, request_id))?;
    read_source(gateway, &session, reference, feature, request_id)
        .await
        .map_err(|refusal| (refusal, request_id))
}

/// Reads `Type/id` for "where does this value come from", under the named feature or the first that covers the type.
pub(crate) async fn read_source(
    gateway: &Gateway,
    session: &Arc<Session>,
    reference: &str,
    feature: Option<&str>,
    request_id: sallyport_model::RequestId,
) -> Result<Released, Refusal> {
    let prepared = source_interaction(gateway, session, reference, feature);
    let (interaction, feature) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return Err(call::refuse(gateway, session.into(), request_id, refusal).await),
    };
    let request = call::Request {
        holder: session.into(),
        feature: Some(&feature),
        interaction,
        if_none_match: None,
        request_id,
        priority: Priority::Interactive,
        deadline: gateway.deadline(),
        mapping: None,
    };
    call::run(gateway, request).await
}

fn source_interaction(
    gateway: &Gateway,
    session: &Session,
    reference: &str,
    named: Option<&str>,
) -> Result<(Interaction, String), Refusal> {
    let entry = context::entry(&gateway.registry, session)?;
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let path = format!("/{reference}");
    let request = RawRequest { method: Method::Get, path: &path, query: None, form: None };
    let interaction = Interaction::parse(&request, place.max_id_length)?;
    let Interaction::Read { resource_type, .. } = &interaction else {
        return Err(Refusal::because(Code::InteractionDenied, "a source is one resource"));
    };
    let feature = match named {
        Some(named) => named.to_owned(),
        None => context::feature_for_read(&entry, session, *resource_type)?.id.as_str().to_owned(),
    };
    Ok((interaction, feature))
}

fn named_feature(parts: &Parts) -> Result<Option<&str>, Refusal> {
    let value = parts.headers.get(FEATURE_HEADER);
    value.map(|value| value.to_str().map_err(|_bytes| Refusal::new(Code::FeatureUnknown))).transpose()
}

/// Handle and rest of a raw path below `/api/`.
fn split(parts: &Parts) -> (&str, &str) {
    let below = parts.uri.path().strip_prefix("/api/").unwrap_or_default();
    below.split_once('/').unwrap_or((below, ""))
}
