//! The edge for browsers: `/fhir/{launch}/…` and `/api/{launch}/…`. Thin: opens the session, reads the request, answers.

mod answer;
mod api;
mod fhir;
mod open;
pub mod openapi;
mod write;

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get},
};

pub(crate) use api::read_source;
pub(crate) use open::not_opened;

use crate::Gateway;

/// The routes of this service.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/fhir/{launch}", any(fhir::call))
        .route("/fhir/{launch}/", any(fhir::call))
        .route("/fhir/{launch}/{*rest}", any(fhir::call))
        .route("/api/{launch}/v1/openapi.json", get(openapi::document))
        .route("/api/{launch}/v1/chart/{section}", get(api::chart))
        .route("/api/{launch}/v1/source/{type}/{id}", get(api::source))
        .route("/api/{launch}/{*rest}", any(api::nothing_here))
        .with_state(gateway)
}
