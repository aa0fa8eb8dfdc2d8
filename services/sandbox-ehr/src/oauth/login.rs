//! Sign-in: the person says which clinician they are. No password; this is a sandbox with synthetic people.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use maud::html;
use serde::Deserialize;

use super::answer::{flow_is_over, proceed};
use super::params::Params;
use crate::faults::FaultPoint;
use crate::pages;
use crate::places::Place;
use crate::state::AppState;

/// Which authorization a page belongs to, and what was searched for.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    pub(super) flow: String,
    #[serde(default)]
    pub(super) q: String,
}

pub(super) async fn page(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Query(query): Query<PageQuery>,
) -> Response {
    let Some(flow) = state.flows().get(&query.flow, &place, state.clock().now_seconds()) else {
        return flow_is_over(&state);
    };
    let app = state.clients().get(&flow.client_id).map(|client| client.name.clone()).unwrap_or_default();
    let content = html! {
        p { "To continue to " strong { (app) } ", choose who you are." }
        form method="post" action="login" {
            input type="hidden" name="flow" value=(query.flow);
            ul.choices {
                @for clinician in state.clinicians().all() {
                    li { button type="submit" name="clinician" value=(clinician.id) { (clinician.name) } }
                }
            }
        }
    };
    pages::dialog(&state, StatusCode::OK, "Sign in", &content)
}

pub(super) async fn choose(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::from_form(&headers, &body).unwrap_or_default();
    let chosen = params.first("clinician").and_then(|id| state.clinicians().get(id));
    let Some(clinician) = chosen else {
        return pages::refusal(
            &state,
            "Not signed in",
            "No clinician was chosen.",
            "Go back and choose one.",
        );
    };
    let key = params.first("flow").unwrap_or_default();
    let Some(mut flow) = state.flows().take(key, &place, state.clock().now_seconds()) else {
        return flow_is_over(&state);
    };
    flow.user = Some(clinician.id.clone());
    proceed(&state, &point, flow)
}
