//! The description of `/api/{launch}/v1`, generated from the code that serves it.

use axum::{http::header, response::IntoResponse};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sallyport chart API",
        version = "1.0.0",
        description = "The normalised chart of one launch. Authenticated by the launch's own cookie; same origin only. Every refusal is an OperationOutcome whose details carry a stable code of the system urn:sallyport:code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(super::api::chart, super::api::source),
    tags((name = "chart", description = "The normalised chart")),
)]
struct Document;

/// The document as JSON text, as it is served and as it stands in `docs/openapi.json`.
pub fn text() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `GET /api/{launch}/v1/openapi.json`: holds no data, so it needs no session.
pub(crate) async fn document() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text())
}
