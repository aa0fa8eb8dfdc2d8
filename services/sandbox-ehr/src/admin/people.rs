//! Who is in the EHR, for programs that launch without looking at the portal.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::data::Records;
use crate::places::Place;
use crate::profile::Profile;
use crate::state::AppState;

pub(super) async fn clinicians(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.clinicians().all()))
}

/// Whose patients are meant: those of the portal's EHR where nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    profile: Option<String>,
}

fn records(state: &AppState, of: Of) -> Arc<Records> {
    let profile = of.profile.unwrap_or_else(|| state.config().profile.clone());
    state.records_at(&Place { profile, tenant: String::new() })
}

pub(super) async fn patients(State(state): State<AppState>, Query(of): Query<Of>) -> Json<Value> {
    Json(json!(records(&state, of).patients()))
}

pub(super) async fn encounters(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(of): Query<Of>,
) -> Json<Value> {
    Json(json!(records(&state, of).encounters(&id)))
}

/// The products that can be imitated, by the first segment of their FHIR base.
pub(super) async fn profiles() -> Json<Value> {
    let entry = |profile: &&Profile| json!({"name": profile.name, "title": profile.title});
    Json(Profile::all().iter().map(entry).collect())
}
