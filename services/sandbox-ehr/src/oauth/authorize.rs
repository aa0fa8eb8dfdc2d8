//! The authorization endpoint, GET and POST (SMART 2.2 §"Obtain authorization code"). The app and its
//! redirect URI are checked first and answered with a page, never a redirect; everything after that is
//! told to the app.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

use super::answer::{self, AnswerError};
use super::flows::{Flow, ResponseMode, ReturnTo, Step};
use super::params::{Params, Repeated};
use super::scopes::{Scope, grantable};
use crate::config::Client;
use crate::faults::FaultPoint;
use crate::launches::Launch;
use crate::pages;
use crate::places::Place;
use crate::profile::{AudienceCheck, Pkce, Profile, RedirectCheck};
use crate::state::AppState;

pub(super) async fn get(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    authorize(&state, &place, &point, &params)
}

pub(super) async fn post(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match Params::from_form(&headers, &body) {
        Some(params) => authorize(&state, &place, &point, &params),
        None => {
            let what = "The app sent its authorization request in a form this server does not read.";
            pages::refusal(&state, "Not a form", what, "It must be application/x-www-form-urlencoded.")
        }
    }
}

fn authorize(state: &AppState, place: &Place, point: &FaultPoint, params: &Params) -> Response {
    let (client, redirect_uri) = match client_and_redirect(state, state.profile(place), params) {
        Ok(known) => known,
        Err(what) => {
            let what_to_do = "Nothing was sent to the app. Ask for its registration to be checked.";
            return pages::refusal(state, "This app cannot be opened", what, what_to_do);
        }
    };
    let mode = match params.one("response_mode") {
        Ok(Some("form_post")) => ResponseMode::FormPost,
        _ => ResponseMode::Query,
    };
    let echo = params.one("state").ok().flatten().map(str::to_owned);
    let return_to = ReturnTo { redirect_uri, mode, state: echo };
    let flow = match check(state, place, &client, params, return_to.clone()) {
        Ok(flow) => flow,
        Err(error) => return answer::with_error(state, point, place, return_to, error),
    };
    let is_silent = params.first("prompt") == Some("none");
    if is_silent && flow.next_step(state.profile(place)) != Step::Answer {
        let error = AnswerError {
            code: "interaction_required",
            description: "prompt=none was asked for but a person has to act",
        };
        return answer::with_error(state, point, place, return_to, error);
    }
    answer::proceed(state, point, flow)
}

/// RFC 6749 §3.1.2.4 and RFC 9700 §2.1: exact comparison (or as exact as the product is), and no redirect
/// when it fails.
fn client_and_redirect(
    state: &AppState,
    profile: &Profile,
    params: &Params,
) -> Result<(Arc<Client>, String), &'static str> {
    let repeated = |_: Repeated| "The app sent client_id or redirect_uri more than once.";
    let client_id = params.one("client_id").map_err(repeated)?.ok_or("The app did not say who it is.")?;
    let client = state.clients().get(client_id).ok_or("The app is not registered here.")?;
    let asked =
        params.one("redirect_uri").map_err(repeated)?.ok_or("The app did not say where to return to.")?;
    let compared = match profile.redirect {
        RedirectCheck::Exact => asked,
        RedirectCheck::ExactWithFreeQuery => asked.split_once('?').map_or(asked, |(path, _query)| path),
    };
    if !client.redirect_uris.iter().any(|uri| uri == asked || uri == compared) {
        return Err("The app wants to return to an address that is not registered.");
    }
    let redirect_uri = asked.to_owned();
    Ok((client, redirect_uri))
}

fn invalid(description: &'static str) -> AnswerError {
    AnswerError { code: "invalid_request", description }
}

impl From<Repeated> for AnswerError {
    fn from(_: Repeated) -> Self {
        invalid("a parameter was sent more than once")
    }
}

fn check(
    state: &AppState,
    place: &Place,
    client: &Client,
    params: &Params,
    return_to: ReturnTo,
) -> Result<Flow, AnswerError> {
    match params.one("response_type")? {
        Some("code") => {}
        None => return Err(invalid("response_type is missing")),
        Some(_) => {
            return Err(AnswerError {
                code: "unsupported_response_type",
                description: "response_type must be code",
            });
        }
    }
    if !matches!(params.one("response_mode")?, None | Some("query" | "form_post")) {
        return Err(invalid("response_mode must be query or form_post"));
    }
    params.one("state")?.ok_or(invalid("state is required"))?;
    check_audience(state, place, params)?;
    let profile = state.profile(place);
    let challenge = code_challenge(params, profile.pkce)?;
    let asked = params.one("scope")?.ok_or(invalid("scope is required"))?;
    if profile.max_scope_bytes.is_some_and(|most| asked.len() > most) {
        return Err(AnswerError { code: "invalid_scope", description: "too many scopes were requested" });
    }
    let scopes = grantable(asked, &client.scopes, profile);
    if scopes.is_empty() {
        let description = "none of the requested scopes can be granted to this app";
        return Err(AnswerError { code: "invalid_scope", description });
    }
    let launch = launch(state, place, client, params, &scopes)?;
    let context = launch.as_ref().map(|(_, launch)| launch);
    Ok(Flow {
        place: place.clone(),
        client_id: client.client_id.clone(),
        return_to,
        nonce: params.one("nonce")?.map(str::to_owned),
        challenge,
        user: context.map(|launch| launch.clinician.clone()),
        patient: context.and_then(|launch| launch.patient.clone()),
        encounter: context.and_then(|launch| launch.encounter.clone()),
        is_encounter_settled: context.is_some(),
        is_agreed: false,
        scopes,
        launch,
    })
}

/// SMART 2.2: `aud` names the FHIR server the token is for, so that a look-alike cannot collect tokens.
fn check_audience(state: &AppState, place: &Place, params: &Params) -> Result<(), AnswerError> {
    let check = state.profile(place).audience;
    let Some(aud) = params.one("aud")? else {
        return match check {
            AudienceCheck::Forbidden => Ok(()),
            AudienceCheck::Exact | AudienceCheck::SlashTolerant => {
                Err(invalid("aud is required: send the FHIR base URL"))
            }
        };
    };
    let base = state.endpoints(place).fhir_base;
    let is_same = match check {
        AudienceCheck::Forbidden => return Err(invalid("aud is not a parameter of this server")),
        AudienceCheck::Exact => aud == base,
        AudienceCheck::SlashTolerant => aud.strip_suffix('/').unwrap_or(aud) == base,
    };
    if is_same { Ok(()) } else { Err(invalid("aud is not the FHIR base URL of this server")) }
}

/// RFC 7636 with S256 only; an absent method would mean `plain` and is refused like it.
fn code_challenge(params: &Params, pkce: Pkce) -> Result<Option<String>, AnswerError> {
    let challenge = match (params.one("code_challenge")?, pkce) {
        (_, Pkce::Ignored) | (None, Pkce::Optional) => return Ok(None),
        (None, Pkce::Required) => return Err(invalid("code_challenge is required (PKCE)")),
        (Some(challenge), Pkce::Required | Pkce::Optional) => challenge,
    };
    if params.one("code_challenge_method")? != Some("S256") {
        return Err(invalid("code_challenge_method must be S256"));
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if challenge.len() != 43 || !challenge.bytes().all(is_base64url) {
        return Err(invalid("code_challenge is not the base64url form of a SHA-256"));
    }
    Ok(Some(challenge.to_owned()))
}

/// The launch parameter and the launch scope belong together (SMART 2.2 "Launch context").
fn launch(
    state: &AppState,
    place: &Place,
    client: &Client,
    params: &Params,
    scopes: &[Scope],
) -> Result<Option<(String, Launch)>, AnswerError> {
    let has_scope = scopes.contains(&Scope::Plain("launch"));
    let Some(value) = params.one("launch")? else {
        return if has_scope { Err(invalid("scope launch needs the launch parameter")) } else { Ok(None) };
    };
    if !has_scope {
        return Err(invalid("the launch parameter needs scope launch"));
    }
    let now = state.clock().now_seconds();
    let shown = state.launches().present(value, &client.client_id, place, state.profile(place), now);
    let launch = shown.map_err(|refused| invalid(refused.told()))?;
    Ok(Some((value.to_owned(), launch)))
}
