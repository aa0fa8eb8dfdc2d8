//! Fault rules: `POST {"match": {"kind", "path_prefix", "method"}, "fault": "503", "times": 2}`, `GET`
//! lists them with the catalogue of names, `DELETE` removes all.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Refused, read};
use crate::faults::{Rule, catalogue};
use crate::state::AppState;

pub(super) async fn list(State(state): State<AppState>) -> Json<Value> {
    Json(json!({"rules": state.faults().list(), "catalogue": catalogue()}))
}

pub(super) async fn add(State(state): State<AppState>, body: Bytes) -> Result<StatusCode, Refused> {
    let rule: Rule = read(&body)?;
    if rule.times == Some(0) {
        return Err(Refused::bad("times must be at least 1: leave it out for a rule that stays"));
    }
    state.faults().add(rule);
    Ok(StatusCode::CREATED)
}

pub(super) async fn clear(State(state): State<AppState>) -> Json<Value> {
    Json(json!({"removed": state.faults().clear()}))
}
