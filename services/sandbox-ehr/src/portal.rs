//! The EHR a person sees: sign in as a clinician, find a patient, look at encounters, open apps in a
//! frame, in a tab or on their own. Server-rendered, no script.

use axum::Router;
use axum::routing::{get, post};

use crate::pages;
use crate::state::AppState;

mod chart;
mod home;
mod launch;
pub(crate) use launch::launch_address;
pub(crate) mod search;

/// Routes of the EHR's pages.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(home::home))
        .route("/portal/launch", post(launch::launch))
        .route(pages::STYLE_PATH, get(pages::style))
}
