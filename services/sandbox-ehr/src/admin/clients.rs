//! Registered apps: `GET` lists them (without secrets), `POST` registers or replaces one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::{Refused, read};
use crate::config::Client;
use crate::state::AppState;

pub(super) async fn list(State(state): State<AppState>) -> Json<Value> {
    let view = |client: &Client| {
        json!({
            "client_id": client.client_id,
            "name": client.name,
            "launch_url": client.launch_url,
            "redirect_uris": client.redirect_uris,
            "token_endpoint_auth_method": client.auth.method(),
            "scopes": client.scopes,
        })
    };
    Json(state.clients().all().iter().map(|client| view(client)).collect())
}

pub(super) async fn register(State(state): State<AppState>, body: Bytes) -> Result<StatusCode, Refused> {
    let client: Client = read(&body)?;
    let is_url = |text: &String| Url::parse(text).is_ok();
    if client.client_id.is_empty() {
        return Err(Refused::bad("client_id must not be empty"));
    }
    if !is_url(&client.launch_url) || !client.redirect_uris.iter().all(is_url) {
        return Err(Refused::bad("launch_url and redirect_uris must be absolute URLs"));
    }
    state.clients().register(client);
    Ok(StatusCode::CREATED)
}
