//! One look at an endpoint: its discovery document, its statement, its keys, and what its answers showed since the last
//! time. Three calls without a token, and where the endpoint's file says how, a chart's calls at its test patients on a grant
//! of its own. What changed is classed and kept.

use std::sync::Arc;

use sallyport_egress::{Bytes, HeaderMap, HeaderValue, Method, Pins, Request, Url, header};
use sallyport_fhir::{Limits, statement};
use sallyport_model::{Code, Micros};
use sallyport_registry::{Endpoint, Tenant};
use sallyport_resilience::{Outcome, Priority};
use sallyport_smart::discovery::{Smart, metadata_url, well_known_url};

use super::{
    classify::classify,
    diff::diff,
    looking,
    observed::Sample,
    snapshot::{Area, Snapshot, of_keys, of_smart, of_statement},
    standing::mismatches,
    touch::Touch,
};
use crate::{Gateway, domain::place::Place, error::Refusal};

/// What a probe found.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) at: Micros,
    /// Areas that could not be read, and why.
    pub(crate) unread: Vec<(Area, Code)>,
    /// Nobody has looked before.
    pub(crate) is_first: bool,
}

/// Looks, compares, keeps.
pub(crate) async fn probe(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
) -> Result<Probed, Refusal> {
    let place = gateway.places.of(&tenant.id, &endpoint.id).ok_or(Code::NotFound)?;
    let lost = |_error: sallyport_db::Error| Refusal::new(Code::DependencyDown);
    let at = gateway.clock.now();
    let sampled = Box::pin(looking::sample(gateway, tenant, endpoint)).await;
    super::flush(gateway).await;
    let (read, mut unread) = look(gateway, place, endpoint).await;
    if let Some(Err(code)) = sampled {
        unread.push((Area::Shapes, code));
    }
    let rows = gateway.database.observations(&tenant.id, &endpoint.id).await.map_err(lost)?;
    let mut sample = Sample::default();
    for (_, body) in &rows {
        if let Ok(more) = serde_json::from_str(body) {
            sample.merge(more);
        }
    }
    let mut now = read;
    now.0.extend(sample.areas().0);
    let last = gateway.database.last_snapshot(&tenant.id, &endpoint.id).await.map_err(lost)?;
    let last: Option<Snapshot> = last.and_then(|(_, body)| serde_json::from_str(&body).ok());
    let version = gateway.capabilities.fhir_version(place);
    let touch = Touch::of(&gateway.registry, tenant, endpoint, version);
    let mut findings = match &last {
        Some(last) => classify(diff(last, &now), &touch),
        None => Vec::new(),
    };
    // What answers showed holds until the next look: an interaction that is not asked any more is tried again.
    let mut earlier = last.clone().unwrap_or_default();
    earlier.0.remove(&Area::Answers);
    let snapshot = now.or(&earlier);
    findings.extend(mismatches(&snapshot, endpoint, &touch));
    let body = serde_json::to_string(&snapshot).map_err(|_never| Code::Internal)?;
    let seen: Vec<_> = rows.into_iter().map(|(id, _)| id).collect();
    gateway.database.keep_probe(&tenant.id, &endpoint.id, at, &body, &findings, &seen).await.map_err(lost)?;
    gateway.capabilities.learn(place, &snapshot);
    for (area, code) in &unread {
        tracing::warn!(
            tenant.id = tenant.id.as_str(),
            endpoint.id = endpoint.id.as_str(),
            code = code.as_str(),
            reason = area.as_str(),
            "an EHR's description could not be read"
        );
    }
    gateway.metrics.probed(place.tenant.as_str(), place.endpoint.as_str(), at, &findings, unread.is_empty());
    Ok(Probed { at, unread, is_first: last.is_none() })
}

/// What the EHR says of itself.
async fn look(gateway: &Gateway, place: &Arc<Place>, endpoint: &Endpoint) -> (Snapshot, Vec<(Area, Code)>) {
    let (mut snapshot, mut unread) = (Snapshot::default(), Vec::new());
    let mut jwks = None;
    let smart = async {
        let url = well_known_url(endpoint.base()).map_err(|_base| Code::Internal)?;
        let body = fetch(gateway, place, &place.pins, url, "application/json").await?;
        Smart::parse(endpoint.base(), &body).map_err(|_shape| Refusal::new(Code::UpstreamInvalid))
    };
    match smart.await {
        Ok(smart) => {
            snapshot.0.insert(Area::Smart, of_smart(&smart));
            jwks = smart.jwks;
        }
        Err(refusal) => unread.push((Area::Smart, refusal.code)),
    }
    let stated = async {
        let url = metadata_url(endpoint.base()).map_err(|_base| Code::Internal)?;
        let body = fetch(gateway, place, &place.pins, url, "application/fhir+json").await?;
        let limits = Limits { max_bytes: gateway.config.max_answer_bytes, ..Limits::default() };
        statement::read(&body, &limits).map_err(|_shape| Refusal::new(Code::UpstreamInvalid))
    };
    match stated.await {
        Ok(stated) => {
            snapshot.0.insert(Area::Statement, of_statement(&stated));
        }
        Err(refusal) => unread.push((Area::Statement, refusal.code)),
    }
    if let Some(url) = jwks {
        // Only where identity keys may come from: another address is a mismatch, not a place to call.
        let pins =
            Pins::parse(endpoint.jwks_origins.iter().map(|origin| origin.as_str())).unwrap_or_default();
        let keys = fetch(gateway, place, &pins, url, "application/json").await;
        match keys.and_then(|body| of_keys(&body).ok_or(Refusal::new(Code::UpstreamInvalid))) {
            Ok(keys) => {
                snapshot.0.insert(Area::Keys, keys);
            }
            Err(refusal) => unread.push((Area::Keys, refusal.code)),
        }
    }
    (snapshot, unread)
}

/// One document, under the endpoint's limits and breaker like any other call, and after everybody who waits.
async fn fetch(
    gateway: &Gateway,
    place: &Arc<Place>,
    pins: &Pins,
    url: Url,
    accept: &'static str,
) -> Result<Bytes, Refusal> {
    let profile = gateway.registry.endpoint(&place.tenant, &place.endpoint).ok_or(Code::NotFound)?;
    let profile = profile.behaviour.known();
    let sending = gateway.circuits.admit(place, gateway.clock.now(), Priority::Background).await?;
    gateway.quotas.take(place, profile, Priority::Background).await?;
    gateway.metrics.hop("ehr");
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    let request = Request {
        method: Method::GET,
        url,
        headers,
        body: Bytes::new(),
        bearer: None,
        deadline: gateway.deadline(),
        max_body_bytes: gateway.config.max_answer_bytes,
        allow_loopback: place.allow_loopback,
    };
    let answered = gateway.egress.send(pins, request).await;
    let now = gateway.clock.now();
    // A document that is missing says nothing about the EHR's health; an EHR that does not answer does.
    let health = if answered.is_ok() { Outcome::Success } else { Outcome::Abandoned };
    for change in sending.done(health, None, now) {
        gateway.circuits.tell(place, change, now).await;
    }
    let response = answered?;
    match response.status.as_u16() {
        200 => Ok(response.body),
        401 | 403 => Err(Refusal::upstream(Code::UpstreamUnauthorized, response.status.as_u16())),
        status => Err(Refusal::upstream(Code::UpstreamNotOffered, status)),
    }
}
