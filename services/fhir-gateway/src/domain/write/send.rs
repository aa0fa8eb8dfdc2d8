//! One try to write: the token of the person who approved it, one request, and what its answer means.

use sallyport_egress::{
    Bytes, EgressError, HeaderMap, HeaderName, HeaderValue, Method, Request as Sent, Response, Url, header,
};
use sallyport_fhir::write::IDENTIFIER_SYSTEM;
use sallyport_model::{Code, Secret, scope::Verb};
use sallyport_resilience::{Outcome as Health, Priority};
use sallyport_vendors::errors::{self, Cause};

use super::{super::admit::covered, Approved, Request, answer, down, end_turn, sealing::Outcome};
use crate::{
    Gateway,
    error::Refusal,
    store::{End, State, Write},
};

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What an answer says about the record.
enum Verdict {
    /// It is there.
    Done(Outcome),
    /// The EHR says that it is done, but not where.
    DoneSomewhere,
    /// Nothing was written.
    Refused(Refusal),
    /// Nothing was written, because somebody else was faster.
    Stale,
    /// The token was not accepted; nothing was written.
    Token,
    /// Perhaps.
    Unclear(Code),
}

/// Takes the write and sends it. `false` when somebody else took it first; the ledger says how it ended.
pub(super) async fn turn(
    gateway: &Gateway,
    request: &Request<'_>,
    approved: &Approved,
    write: &Write,
) -> Result<bool, Refusal> {
    let by = (request.session.launch, request.session.grant);
    let lease = gateway.config.write_lease_micros();
    // Everything that can fail without the EHR comes before the turn is taken.
    gateway.sessions.check(request.session)?;
    let token =
        gateway.tokens.get(&request.session.tenant, request.session.grant, None, request.deadline).await?;
    let verb = if request.destination.id.is_some() { Verb::Update } else { Verb::Create };
    covered(&approved.access, &token.granted, request.destination.resource_type, verb)?;
    let taken = gateway.database.take_write(write, by, true, lease, gateway.clock.now()).await;
    let Some(epoch) = taken.map_err(|error| down(error.into()))? else { return Ok(false) };
    let mut verdict = once(gateway, request, approved, write, &token.secret).await;
    if matches!(verdict, Verdict::Token) {
        // Refused for its token, nothing was done: one more with a fresh one.
        let fresh = gateway.tokens.get(
            &request.session.tenant,
            request.session.grant,
            Some(&token.secret),
            request.deadline,
        );
        verdict = match fresh.await {
            Ok(fresh) => once(gateway, request, approved, write, &fresh.secret).await,
            Err(code) => Verdict::Refused(code.into()),
        };
    }
    let soon = gateway.clock.now();
    let end = |state, code, result_sealed| End { state, finding: None, code, result_sealed, look_at: soon };
    let end = match verdict {
        Verdict::Done(outcome) => {
            let key = gateway.write_keys.of_row(&write.tenant, write.data_key).await?;
            end(State::Applied, None, Some(key.seal(write.id, "result", &outcome)?))
        }
        Verdict::Refused(refusal) => end(State::Rejected, Some(refusal.code), None),
        Verdict::Token => end(State::Rejected, Some(Code::UpstreamUnauthorized), None),
        Verdict::Stale => end(State::Conflict, Some(Code::WriteConflict), None),
        Verdict::DoneSomewhere => end(State::Unknown, Some(Code::UpstreamInvalid), None),
        Verdict::Unclear(code) => end(State::Unknown, Some(code), None),
    };
    if end.state == State::Unknown {
        tracing::warn!(code = end.code.map_or("", Code::as_str), "the outcome of a write is not known");
    }
    end_turn(gateway, write, epoch, &end).await?;
    Ok(true)
}

async fn once(
    gateway: &Gateway,
    request: &Request<'_>,
    approved: &Approved,
    write: &Write,
    token: &Secret<String>,
) -> Verdict {
    let place = &approved.place;
    let path = match &request.destination.id {
        Some(id) => format!("{}/{}", request.destination.resource_type, id.expose()),
        None => request.destination.resource_type.as_str().to_owned(),
    };
    let Ok(url) = Url::parse(&format!("{}/{path}", place.fhir_base)) else {
        return Verdict::Refused(Code::Internal.into());
    };
    let Some(headers) = headers(request, write) else { return Verdict::Refused(Code::Internal.into()) };
    let sending = match gateway.circuits.admit(place, gateway.clock.now(), Priority::Interactive).await {
        Ok(sending) => sending,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    if let Err(refusal) = gateway.quotas.take(place, &approved.profile, Priority::Interactive).await {
        return Verdict::Refused(refusal);
    }
    gateway.metrics.hop("ehr");
    let sent = Sent {
        method: if request.destination.id.is_some() { Method::PUT } else { Method::POST },
        url,
        headers,
        body: Bytes::from(approved.body.clone()),
        bearer: Some(token),
        deadline: request.deadline,
        max_body_bytes: gateway.config.max_answer_bytes,
        allow_loopback: place.allow_loopback,
    };
    let answered = gateway.writer.send(&place.pins, sent).await;
    let now = gateway.clock.now();
    let health = match &answered {
        Ok(response) if response.status.is_server_error() => Health::Failure,
        Ok(_) => Health::Success,
        Err(_) => Health::Failure,
    };
    for change in sending.done(health, None, now) {
        gateway.circuits.tell(place, change, now).await;
    }
    match answered {
        Ok(response) => read(approved, request, &response),
        Err(error) => broken(error),
    }
}

fn broken(error: EgressError) -> Verdict {
    let refusal = Refusal::from(error);
    if error.outcome_is_unknown() { Verdict::Unclear(refusal.code) } else { Verdict::Refused(refusal) }
}

fn read(approved: &Approved, request: &Request<'_>, response: &Response) -> Verdict {
    let status = response.status.as_u16();
    let profile = approved.profile.as_ref();
    if matches!(status, 200 | 201) {
        return match answer::of(approved, request, response) {
            Ok(Some(outcome)) => Verdict::Done(outcome),
            Ok(None) => Verdict::DoneSomewhere,
            Err(code) => Verdict::Unclear(code),
        };
    }
    if matches!(status, 409 | 412) || u32::from(status) == *profile.writes.stale_status {
        return Verdict::Stale;
    }
    let header = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
    let answer = errors::Answer { status, body: &response.body, searched: None, header: &header };
    let normal = profile.errors.normal(answer);
    match (status, normal.cause) {
        (_, Cause::Stale) => Verdict::Stale,
        (401, _) => Verdict::Token,
        // Too late, or in the middle of it: it may have been done.
        (408, _) | (500..=599, _) | (0..=399, _) => Verdict::Unclear(normal.code),
        _ if normal.code == Code::UpstreamUnauthorized => Verdict::Token,
        (400 | 404 | 405 | 410 | 413 | 415 | 422, _) => {
            Verdict::Refused(Refusal::upstream(Code::WriteRefused, status))
        }
        _ => Verdict::Refused(Refusal::upstream(normal.code, status)),
    }
}

/// The headers an EHR gets: these and no others.
fn headers(request: &Request<'_>, write: &Write) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
    match &request.destination.id {
        Some(_) => {
            let tag = format!("W/\"{}\"", write.base_version);
            headers.insert(header::IF_MATCH, HeaderValue::try_from(tag).ok()?);
        }
        None if sallyport_model::planted!("write-without-key") => {}
        None if sallyport_model::planted!("write-retried-blind") => {}
        None => {
            let query = format!("identifier={IDENTIFIER_SYSTEM}|{}", write.dedup_key);
            headers.insert(IF_NONE_EXIST, HeaderValue::try_from(query).ok()?);
        }
    }
    if let Ok(id) = HeaderValue::try_from(request.request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    sallyport_telemetry::propagate::inject(&mut headers);
    Some(headers)
}
