//! The consent page: what the app asks for in words, each right with a box to untick, and one click to
//! agree to all of it.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::answer::{self, AnswerError, flow_is_over, proceed};
use super::flows::{Flow, Step};
use super::login::PageQuery;
use super::params::Params;
use super::scopes::Scope;
use crate::faults::FaultPoint;
use crate::pages;
use crate::places::Place;
use crate::portal::search::written_date;
use crate::state::AppState;

pub(super) async fn page(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Query(query): Query<PageQuery>,
) -> Response {
    let flow = state.flows().get(&query.flow, &place, state.clock().now_seconds());
    let Some(flow) = flow.filter(|flow| flow.next_step(state.profile(&place)) == Step::Consent) else {
        return flow_is_over(&state);
    };
    pages::dialog(&state, StatusCode::OK, "Allow access?", &form(&state, &query.flow, &flow))
}

fn form(state: &AppState, key: &str, flow: &Flow) -> Markup {
    let app = state.clients().get(&flow.client_id).map(|client| client.name.clone()).unwrap_or_default();
    let user = flow.user.as_deref().and_then(|id| state.clinicians().get(id));
    let patient = flow.patient.as_deref().and_then(|id| state.records_at(&flow.place).patient(id));
    let (optional, fixed): (Vec<&Scope>, Vec<&Scope>) =
        flow.scopes.iter().partition(|scope| scope.is_optional());
    html! {
        p { strong { (app) } " asks for access as " strong { (user.map_or("", |user| user.name.as_str())) } "." }
        @if let Some(patient) = patient {
            p.patient { strong { bdi { (patient.name) } } span.detail { (written_date(&patient.birth_date)) " · MRN " (patient.mrn) } }
        }
        form method="post" action="consent" {
            input type="hidden" name="flow" value=(key);
            fieldset {
                legend { "It may" }
                @for scope in optional {
                    label.scope {
                        input type="checkbox" name="scope" value=(scope) checked;
                        span { (scope.in_words()) }
                        code { (scope) }
                    }
                }
                @for scope in fixed {
                    p.scope.fixed { span aria-hidden="true" { "✓" } span { (scope.in_words()) } code { (scope) } }
                }
            }
            div.actions {
                button.primary type="submit" name="decision" value="approve" { "Allow" }
                button type="submit" name="decision" value="deny" { "Do not allow" }
            }
        }
    }
}

pub(super) async fn decide(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::from_form(&headers, &body).unwrap_or_default();
    let key = params.first("flow").unwrap_or_default();
    let now = state.clock().now_seconds();
    let waiting = state.flows().get(key, &place, now);
    if waiting.is_none_or(|flow| flow.next_step(state.profile(&place)) != Step::Consent) {
        return flow_is_over(&state);
    }
    let Some(mut flow) = state.flows().take(key, &place, now) else { return flow_is_over(&state) };
    if params.first("decision") != Some("approve") {
        let error = AnswerError { code: "access_denied", description: "the person did not allow access" };
        return answer::with_error(&state, &point, &place, flow.return_to, error);
    }
    let kept: Vec<&str> = params.all("scope").collect();
    flow.scopes.retain(|scope| !scope.is_optional() || kept.contains(&scope.to_string().as_str()));
    flow.is_agreed = true;
    proceed(&state, &point, flow)
}
