//! Token introspection (RFC 7662 with SMART 2.2's rules): for an authenticated client about its own
//! tokens, or for the bearer of a valid access token about the tokens of the same client.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::error::{OauthError, no_store_json};
use super::params::Params;
use super::{client_auth, context, id_token};
use crate::digest::TokenDigest;
use crate::grants::Active;
use crate::places::Place;
use crate::profile::Introspection;
use crate::state::{AppState, bearer};

pub(super) async fn introspect(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match respond(&state, &place, &headers, &body).await {
        Ok(members) => no_store_json(StatusCode::OK, &Value::Object(members)),
        Err(error) => error.into_response(),
    }
}

async fn respond(
    state: &AppState,
    place: &Place,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Map<String, Value>, OauthError> {
    let not_a_form = || OauthError::invalid_request("the body must be application/x-www-form-urlencoded");
    let params = Params::from_form(headers, body).ok_or_else(not_a_form)?;
    let now = state.clock().now_seconds();
    let asking = match (bearer(headers), state.profile(place).introspection) {
        (None, Introspection::BearerOnly) => {
            return Err(OauthError::invalid_client("an access token of the client is required as bearer"));
        }
        (Some(token), _) => {
            let active = state.grants().check_access(&TokenDigest::of(token), now);
            let active = active.map_err(|denied| OauthError::invalid_client(&denied.to_string()))?;
            active.grant.client_id
        }
        (None, _) => client_auth::authenticate(state, place, headers, &params).await?.client_id.clone(),
    };
    let token = params.one("token")?.ok_or_else(|| OauthError::invalid_request("token is missing"))?;
    let digest = TokenDigest::of(token);
    let access = state.grants().check_access(&digest, now).ok().map(|active| (active, true));
    let found = access.or_else(|| state.grants().check_refresh(&digest, now).map(|active| (active, false)));
    let owned = found.filter(|(active, _)| active.grant.client_id == asking && active.grant.place == *place);
    // RFC 7662 §2.2: nothing is said about a token that is not active or not the asker's.
    let inactive = || Map::from_iter([("active".to_owned(), json!(false))]);
    Ok(owned.map_or_else(inactive, |(active, is_access)| describe(state, &active, is_access)))
}

fn describe(state: &AppState, active: &Active, is_access: bool) -> Map<String, Value> {
    let grant = &active.grant;
    let mut members = context::members(state, grant);
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("active", json!(true));
    put("client_id", json!(grant.client_id));
    put("scope", json!(active.scopes.join(" ")));
    put("exp", json!(active.expires_at));
    put("iat", json!(active.issued_at));
    if is_access {
        put("token_type", json!("Bearer"));
    }
    let has = |name: &str| grant.scopes.iter().any(|scope| scope == name);
    if has("openid") {
        put("iss", json!(state.endpoints(&grant.place).issuer));
        put("sub", json!(id_token::subject(state.profile(&grant.place), grant)));
    }
    if let Some(user) = id_token::fhir_user(state, grant).filter(|_| has("fhirUser")) {
        put("fhirUser", json!(user));
    }
    members
}
