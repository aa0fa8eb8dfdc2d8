//! Who is in the EHR, for programs that launch without looking at the portal.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::state::AppState;

pub(super) async fn clinicians(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.clinicians().all()))
}

pub(super) async fn patients(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.records.patients()))
}

pub(super) async fn encounters(State(state): State<AppState>, Path(id): Path<String>) -> Json<Value> {
    Json(json!(state.records.encounters(&id)))
}
