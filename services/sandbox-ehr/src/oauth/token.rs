//! The token endpoint: `authorization_code` and `refresh_token`. Authenticate the client, then let the
//! grant book decide, then say it as SMART wants it said.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::context;
use super::error::{OauthError, no_store_json};
use super::params::Params;
use super::{client_auth, id_token, service_token};
use crate::config::ClientAuth;
use crate::digest::TokenDigest;
use crate::faults::{ExpiresIn, Fault, FaultPoint, IdTokenFault, Stage};
use crate::grants::{CodePresented, Issued, RefreshPresented};
use crate::places::Place;
use crate::profile::{Pkce, Profile, ScopeCase};
use crate::state::AppState;

pub(super) async fn token(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match respond(&state, &place, &point, &headers, &body).await {
        Ok(members) => no_store_json(StatusCode::OK, &Value::Object(members)),
        Err(error) => error.into_response(),
    }
}

async fn respond(
    state: &AppState,
    place: &Place,
    point: &FaultPoint,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Map<String, Value>, OauthError> {
    let not_a_form = || OauthError::invalid_request("the body must be application/x-www-form-urlencoded");
    let params = Params::from_form(headers, body).ok_or_else(not_a_form)?;
    let client = client_auth::authenticate(state, place, headers, &params).await?;
    let grant_type = params.one("grant_type")?;
    let needed = |name: &str| -> Result<&str, OauthError> {
        params.one(name)?.ok_or_else(|| OauthError::invalid_request("a required parameter is missing"))
    };
    let (profile, now) = (state.profile(place), state.clock().now_seconds());
    let (issued, is_first) = match grant_type {
        Some("authorization_code") => {
            let shown = CodePresented {
                code: needed("code")?,
                client_id: &client.client_id,
                place,
                redirect_uri: needed("redirect_uri")?,
                code_verifier: match profile.pkce {
                    Pkce::Required => Some(needed("code_verifier")?),
                    Pkce::Optional | Pkce::Ignored => params.one("code_verifier")?,
                },
                may_refresh: profile.refreshes_public_clients || !matches!(client.auth, ClientAuth::Public),
            };
            (state.grants().redeem(&shown, profile, now), true)
        }
        Some("refresh_token") => {
            check_presence(profile, params.one("active_at")?)?;
            let scope = params.one("scope")?.unwrap_or_default();
            let shown = RefreshPresented {
                token: needed("refresh_token")?,
                client_id: &client.client_id,
                place,
                scopes: scope.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            };
            (state.grants().refresh(&shown, profile, now), false)
        }
        Some("client_credentials") => {
            (Ok(service_token::issue(state, place, &client, params.one("scope")?)?), false)
        }
        Some(_) => return Err(OauthError::unsupported_grant_type()),
        None => return Err(OauthError::invalid_request("grant_type is missing")),
    };
    let issued = issued.map_err(|reason| OauthError::not_issued(reason, profile))?;
    let faults = point.take(state, Stage::Token);
    members(state, &issued, is_first, &faults)
}

fn members(
    state: &AppState,
    issued: &Issued,
    is_first: bool,
    faults: &[Fault],
) -> Result<Map<String, Value>, OauthError> {
    let place = &issued.grant.place;
    let profile = state.profile(place);
    let scopes = granted_scopes(issued, faults);
    if scopes != issued.scopes {
        state.grants().limit_access(&TokenDigest::of(&issued.access_token), &scopes);
    }
    let mut members = Map::new();
    members.insert("access_token".to_owned(), json!(issued.access_token));
    members.insert("token_type".to_owned(), json!(profile.answer.token_type));
    members.insert("scope".to_owned(), json!(told(profile, &scopes)));
    if let Some(state) = issued.grant.state.as_ref().filter(|_| profile.answer.repeats_state && is_first) {
        members.insert("state".to_owned(), json!(state));
    }
    if let Some(seconds) = profile.answer.active_seconds
        && scopes.iter().any(|scope| scope == "online_access")
    {
        members.insert("active_ttl".to_owned(), json!(seconds));
    }
    let wanted = faults.iter().find_map(|fault| match fault {
        Fault::ExpiresIn(which) => Some(*which),
        _ => None,
    });
    match wanted {
        None => members.insert("expires_in".to_owned(), json!(issued.lifetime_seconds)),
        Some(ExpiresIn::Seconds(seconds)) => members.insert("expires_in".to_owned(), json!(seconds)),
        Some(ExpiresIn::Text) => {
            members.insert("expires_in".to_owned(), json!(issued.lifetime_seconds.to_string()))
        }
        Some(ExpiresIn::Missing) => None,
    };
    if let Some(refresh_token) = &issued.refresh_token {
        members.insert("refresh_token".to_owned(), json!(refresh_token));
    }
    let id_token_fault = faults.iter().find_map(|fault| match fault {
        Fault::IdToken(which) => Some(*which),
        _ => None,
    });
    let wants_id_token = is_first && issued.grant.scopes.iter().any(|scope| scope == "openid");
    if wants_id_token && id_token_fault != Some(IdTokenFault::Missing) {
        let signed = id_token::mint(state, issued, id_token_fault);
        let signed =
            signed.map_err(|_key| OauthError::unauthorized_client("the id token could not be signed"))?;
        members.insert("id_token".to_owned(), json!(signed));
    }
    members.extend(context::members(state, &issued.grant));
    if faults.contains(&Fault::PatientMissing) {
        members.remove("patient");
    }
    Ok(members)
}

/// `active_at` says when the person last did something, in seconds since 1970.
fn check_presence(profile: &Profile, active_at: Option<&str>) -> Result<(), OauthError> {
    let is_number = active_at.is_none_or(|at| at.parse::<i64>().is_ok());
    if profile.answer.active_seconds.is_some() && !is_number {
        return Err(OauthError::invalid_request("active_at must be seconds since 1970"));
    }
    Ok(())
}

/// The scopes as the product writes them.
fn told(profile: &Profile, scopes: &[String]) -> String {
    let mut written: Vec<String> = Vec::new();
    for scope in scopes {
        if profile.answer.hides_offline_access && scope == "offline_access" {
            continue;
        }
        if profile.answer.scope_case == ScopeCase::MixedAndTwice
            && let Some((subject, rights)) = scope.split_once('.')
        {
            let (first, rest) = rights.split_at_checked(1).unwrap_or((rights, ""));
            written.push(format!("{subject}.{}{rest}", first.to_ascii_uppercase()));
        }
        written.push(scope.clone());
    }
    written.join(" ")
}

/// The scopes as granted, or as a faulty EHR would have granted them: every second resource scope dropped,
/// or rights added that nobody asked for. The token really has what is said here.
fn granted_scopes(issued: &Issued, faults: &[Fault]) -> Vec<String> {
    let mut scopes = issued.scopes.clone();
    if faults.contains(&Fault::NarrowedScope) {
        let mut is_kept = true;
        scopes.retain(|scope| {
            let is_resource = scope.starts_with("patient/") || scope.starts_with("user/");
            is_kept ^= is_resource;
            !is_resource || is_kept
        });
    }
    if faults.contains(&Fault::ForeignScopes) {
        scopes.extend(["user/*.cruds".to_owned(), "system/*.rs".to_owned()]);
    }
    scopes
}
