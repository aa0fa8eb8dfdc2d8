//! What came back from an EHR, made into one of three things: an answer, a refusal that says why, or a failure.
//!
//! The profile says what an error means: a 403 for a missing parameter is no question of rights. Nothing of an error's
//! words is kept; codes and addresses are (`sallyport_vendors::errors`).

use std::time::Duration;

use sallyport_egress::{Bytes, EgressError, HeaderMap, HeaderValue, Response, header};
use sallyport_fhir::outcome::EhrSaid;
use sallyport_model::{Code, Micros, Secret};
use sallyport_resilience::{Outcome, Priority, retry_after};
use sallyport_vendors::{
    Profile,
    errors::{self, Cause, Normal},
    limits::Wait,
};

use super::{
    admit::{Admitted, Expected},
    upstream::{Answer, Sent},
};
use crate::error::Refusal;

/// What one exchange with an EHR came to.
pub(crate) struct Exchange {
    pub(crate) result: Result<Answer, Refusal>,
    /// What it says about the EHR's health.
    pub(crate) health: Outcome,
    /// For how long the EHR wants no calls.
    pub(crate) pause: Option<Duration>,
    /// The same call may do better at once: the connection broke before there was an answer.
    pub(crate) may_pass: bool,
}

/// Reads what came back.
pub(crate) fn read(
    answered: Result<Response, EgressError>,
    admitted: &Admitted,
    sent: &Sent<'_>,
    token: Option<&Secret<String>>,
    now: Micros,
) -> Exchange {
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => return broken(error),
    };
    leak(&mut response.headers, token);
    let status = response.status.as_u16();
    match status {
        200 | 202 | 204 if matches!(admitted.expected, Expected::Export(_)) => {
            good(Answer { status, headers: response.headers, body: response.body })
        }
        200 => good(Answer { status, headers: response.headers, body: response.body }),
        304 if sent.if_none_match.is_some() => {
            good(Answer { status, headers: response.headers, body: Bytes::new() })
        }
        200..=299 | 304 => Exchange {
            result: Err(Refusal {
                what: Some("the status does not fit the call"),
                ..Refusal::upstream(Code::UpstreamInvalid, status)
            }),
            health: Outcome::Success,
            pause: None,
            may_pass: false,
        },
        _ => refused(&response, admitted, sent.priority, now),
    }
}

fn good(answer: Answer) -> Exchange {
    Exchange { result: Ok(answer), health: Outcome::Success, pause: None, may_pass: false }
}

fn broken(error: EgressError) -> Exchange {
    let health = match error {
        EgressError::Timeout | EgressError::Unreachable | EgressError::Interrupted | EgressError::Invalid => {
            Outcome::Failure
        }
        EgressError::NotPinned
        | EgressError::AddressRefused
        | EgressError::TooLarge
        | EgressError::Redirect(_) => Outcome::Success,
    };
    let may_pass = matches!(error, EgressError::Unreachable | EgressError::Interrupted);
    Exchange { result: Err(error.into()), health, pause: None, may_pass }
}

fn refused(response: &Response, admitted: &Admitted, priority: Priority, now: Micros) -> Exchange {
    let profile = admitted.profile.as_ref();
    let status = response.status.as_u16();
    let header = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
    let normal = profile.errors.normal(errors::Answer {
        status,
        body: &response.body,
        searched: admitted.searched(),
        header: &header,
    });
    let cap = match priority {
        Priority::Interactive => Duration::from_secs(*profile.limits.wait_cap_seconds),
        // A job has the time, and calls before it would be calls that the EHR asked not to be made.
        Priority::Background => LONGEST_WAIT,
    };
    let wait = wait(profile, &normal, header, now, cap);
    let code = match normal.cause {
        // A later page is asked for by a link of the EHR's own: not to know it is to have forgotten the search.
        Cause::Gone | Cause::NotFound | Cause::NotOffered if admitted.is_later_page() => {
            Code::UpstreamPageExpired
        }
        _ => normal.code,
    };
    let needed = match (code, admitted.searched()) {
        (Code::ParameterMissing, Some(searched)) => {
            profile.search.rule(searched).map(|rule| rule.needs.clone()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let health = match status {
        // What this product says when the request itself is at fault proves nothing about its health.
        500 | 504 if *profile.limits.fatal_as_5xx => Outcome::Abandoned,
        500 | 502..=504 => Outcome::Failure,
        _ => Outcome::Success,
    };
    let is_busy = normal.cause == Cause::Throttled;
    let ehr = said(profile, normal);
    Exchange {
        result: Err(Refusal {
            needed,
            retry_after: wait.map(seconds_up),
            ehr: ehr.map(Box::new),
            ..Refusal::upstream(code, status)
        }),
        health,
        // "Too many" of an export is about exports: other calls go on.
        pause: wait.filter(|_| is_busy && !matches!(admitted.expected, Expected::Export(_))),
        may_pass: status == 502,
    }
}

/// What of an error may be told.
fn said(profile: &Profile, normal: Normal) -> Option<EhrSaid> {
    let Normal { vendor_code, error_uri, correlation_id, .. } = normal;
    let system = profile.errors.code_system.as_deref().filter(|_| vendor_code.is_some());
    let said = EhrSaid {
        system: system.map(str::to_owned),
        code: vendor_code,
        error_uri,
        reference: correlation_id,
    };
    (said != EhrSaid::default()).then_some(said)
}

/// Longest wait that is believed of any EHR.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// How long to wait, in whatever form it is told and never longer than `cap`.
fn wait<'a>(
    profile: &Profile,
    normal: &'a Normal,
    header: impl Fn(&str) -> Option<&'a str>,
    now: Micros,
    cap: Duration,
) -> Option<Duration> {
    let is_busy = normal.cause == Cause::Throttled;
    let words = Some(normal.words.expose().as_str()).filter(|words| is_busy && !words.is_empty());
    match profile.limits.told(header, words, now)? {
        Wait::Value(value) => retry_after::parse(value, now, cap),
        Wait::Text(text) => retry_after::parse_text(text, cap),
        // By the clock alone, so only where there is something to wait for.
        Wait::Exactly(wait) => is_busy.then_some(wait.min(cap)),
    }
}

fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The EHR's own id of a request.
pub(crate) fn correlation_id(profile: &Profile, headers: &HeaderMap) -> Option<String> {
    profile.errors.correlation_id(|name| headers.get(name).and_then(|value| value.to_str().ok()))
}

/// The planted defects in which the token leaves with an answer. Nothing in a release.
fn leak(headers: &mut HeaderMap, token: Option<&Secret<String>>) {
    let Some(token) = token else { return };
    if sallyport_model::planted!("token-in-browser")
        && let Ok(leak) = HeaderValue::try_from(format!("W/\"{}\"", token.expose()))
    {
        headers.insert(header::ETAG, leak);
    }
    // The EHR's own id of the request is kept in the audit record.
    if sallyport_model::planted!("token-in-database")
        && let Ok(leak) = HeaderValue::try_from(token.expose().as_str())
    {
        headers.insert("x-request-id", leak);
    }
}
