//! Levers: see and revoke grants, move the clock, rotate the signing key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, read};
use crate::grants::Grant;
use crate::state::AppState;

/// Every code and token issued, in clear: what a leak scan of an app under test looks for.
pub(super) async fn secrets(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.grants().secrets()))
}

pub(super) async fn grants(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.grants().list(state.clock().now_seconds())))
}

/// Which grants to revoke: those that match every member given. Naming nothing revokes nothing, `all` does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    grant: Option<u64>,
    client_id: Option<String>,
    user: Option<String>,
    patient: Option<String>,
    launch: Option<String>,
    #[serde(default)]
    all: bool,
}

impl Selection {
    fn is_empty(&self) -> bool {
        let named = [&self.client_id, &self.user, &self.patient, &self.launch];
        !self.all && self.grant.is_none() && named.iter().all(|member| member.is_none())
    }

    fn matches(&self, id: u64, grant: &Grant) -> bool {
        let fits = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        self.grant.is_none_or(|wanted| wanted == id)
            && self.client_id.as_ref().is_none_or(|wanted| *wanted == grant.client_id)
            && fits(&self.user, &grant.user)
            && fits(&self.patient, &grant.patient)
            && fits(&self.launch, &grant.launch)
    }
}

pub(super) async fn revoke(State(state): State<AppState>, body: Bytes) -> Result<Json<Value>, Refused> {
    let selection: Selection = read(&body)?;
    if selection.is_empty() {
        return Err(Refused::bad("say what to revoke: grant, client_id, user, patient, launch or all"));
    }
    let revoked = state.grants().revoke_where(|id, grant| selection.matches(id, grant));
    Ok(Json(json!({"revoked": revoked})))
}

/// Refreshing is refused as if the grant were revoked, until it is resumed.
pub(super) async fn suspend(State(state): State<AppState>, body: Bytes) -> Result<Json<Value>, Refused> {
    set_suspended(&state, &body, true)
}

pub(super) async fn resume(State(state): State<AppState>, body: Bytes) -> Result<Json<Value>, Refused> {
    set_suspended(&state, &body, false)
}

fn set_suspended(state: &AppState, body: &[u8], suspend: bool) -> Result<Json<Value>, Refused> {
    let selection: Selection = read(body)?;
    if selection.is_empty() {
        return Err(Refused::bad("say which: grant, client_id, user, patient, launch or all"));
    }
    let changed = state.grants().suspend_where(suspend, |id, grant| selection.matches(id, grant));
    Ok(Json(json!({"changed": changed})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

pub(super) async fn advance_clock(
    State(state): State<AppState>,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let advance: Advance = read(&body)?;
    let offset = state.clock().advance(advance.advance_seconds);
    Ok(Json(json!({"offset_seconds": offset, "now": state.clock().now().to_string()})))
}

pub(super) async fn rotate_keys(State(state): State<AppState>) -> Result<Json<Value>, Refused> {
    let rotated = state.keys().rotate();
    let kid = rotated.map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({"kid": kid})))
}
