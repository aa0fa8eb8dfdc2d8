//! The management page (`management_endpoint`): which apps hold access at this organisation, and a button
//! to withdraw it.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use maud::html;

use super::params::Params;
use crate::grants::GrantView;
use crate::pages;
use crate::places::Place;
use crate::state::AppState;

pub(super) async fn page(State(state): State<AppState>, Extension(place): Extension<Place>) -> Response {
    let here = |grant: &GrantView| grant.profile == place.profile && grant.tenant == place.tenant;
    let is_live = |grant: &GrantView| grant.live_access_tokens + grant.live_refresh_tokens > 0;
    let all = state.grants().list(state.clock().now_seconds());
    let live: Vec<&GrantView> = all.iter().filter(|grant| here(grant) && is_live(grant)).collect();
    let app = |id: &str| state.clients().get(id).map(|client| client.name.clone()).unwrap_or_default();
    let user = |id: Option<&str>| {
        id.and_then(|id| state.clinicians().get(id))
            .map(|clinician| clinician.name.clone())
            .unwrap_or_default()
    };
    let patient = |id: Option<&str>| {
        id.and_then(|id| state.records_at(&place).patient(id)).map(|patient| patient.name).unwrap_or_default()
    };
    let content = html! {
        @if live.is_empty() {
            p.empty { "No app holds access. Launch one from the EHR to see it here." }
        } @else {
            table {
                thead { tr { th { "App" } th { "User" } th { "Patient" } th { "May" } th { span.hidden { "Action" } } } }
                tbody {
                    @for grant in live {
                        tr {
                            td { (app(&grant.client_id)) }
                            td { (user(grant.user.as_deref())) }
                            td { bdi { (patient(grant.patient.as_deref())) } }
                            td { code { (grant.scopes.join(" ")) } }
                            td {
                                form method="post" action="manage" {
                                    button type="submit" name="grant" value=(grant.grant) { "Withdraw" }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    pages::dialog(&state, StatusCode::OK, "Apps with access", &content)
}

pub(super) async fn withdraw(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::from_form(&headers, &body).unwrap_or_default();
    if let Some(wanted) = params.first("grant").and_then(|text| text.parse::<u64>().ok()) {
        state.grants().revoke_where(|id, grant| id == wanted && grant.place == place);
    }
    Redirect::to(&state.endpoints(&place).manage()).into_response()
}
