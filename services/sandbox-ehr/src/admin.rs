//! Control of the sandbox for tests and demonstrations: `/_admin/…`, JSON in and out, no authentication
//! (the sandbox listens on the loopback interface unless told otherwise). Never logged, never faulty.

use axum::Router;
use axum::routing::{get, post};
use axum::{Json, response::IntoResponse, response::Response};
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::state::AppState;

mod clients;
mod control;
mod faults;
mod launches;
mod people;
mod requests;

/// Routes below `/_admin`.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/requests", get(requests::query).delete(requests::clear))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/clients", get(clients::list).post(clients::register))
        .route("/launches", post(launches::create))
        .route("/grants", get(control::grants))
        .route("/secrets", get(control::secrets))
        .route("/revoke", post(control::revoke))
        .route("/suspend", post(control::suspend))
        .route("/resume", post(control::resume))
        .route("/profiles", get(people::profiles))
        .route("/clock", post(control::advance_clock))
        .route("/keys", post(control::rotate_keys))
        .route("/clinicians", get(people::clinicians))
        .route("/patients", get(people::patients))
        .route("/patients/{id}/encounters", get(people::encounters))
}

/// A refusal of an admin call.
struct Refused(StatusCode, String);

impl Refused {
    fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": "refused", "message": self.1}))).into_response()
    }
}

/// Reads a JSON body whatever its content type says.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad(format!("the body does not fit: {error}")))
}
