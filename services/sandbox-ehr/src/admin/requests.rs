//! The request log: `GET /_admin/requests?since=&path=&kind=`, `DELETE` clears it.

use axum::Json;
use axum::extract::{Query, State};
use http::StatusCode;
use serde_json::{Value, json};

use crate::request_log::Filter;
use crate::state::AppState;

pub(super) async fn query(State(state): State<AppState>, Query(filter): Query<Filter>) -> Json<Value> {
    Json(json!({"last_seq": state.log().last_seq(), "requests": state.log().query(&filter)}))
}

pub(super) async fn clear(State(state): State<AppState>) -> StatusCode {
    state.log().clear();
    StatusCode::NO_CONTENT
}
