//! Token revocation (RFC 7009): 200 whether or not the token was known; a refresh token takes every token
//! of its grant along.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::client_auth;
use super::error::OauthError;
use super::params::Params;
use crate::places::Place;
use crate::state::AppState;

pub(super) async fn revoke(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&state, &place, &headers, &body)
        .await
        .map_or_else(OauthError::into_response, IntoResponse::into_response)
}

async fn respond(
    state: &AppState,
    place: &Place,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<StatusCode, OauthError> {
    let not_a_form = || OauthError::invalid_request("the body must be application/x-www-form-urlencoded");
    let params = Params::from_form(headers, body).ok_or_else(not_a_form)?;
    let client = client_auth::authenticate(state, place, headers, &params).await?;
    let token = params.one("token")?.ok_or_else(|| OauthError::invalid_request("token is missing"))?;
    match state.grants().revoke_token(token, &client.client_id, place) {
        // RFC 7009 §2.1: a token of another client is refused and stays as it is.
        Some(false) => Err(OauthError::unauthorized_client("the token was issued to another client")),
        Some(true) | None => Ok(StatusCode::OK),
    }
}
