//! The EHR's patient picker for standalone launches, and the encounter picker after it where the app asked
//! for `launch/encounter`.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};

use super::answer::{flow_is_over, proceed};
use super::flows::Step;
use super::login::PageQuery;
use super::params::Params;
use crate::data::PatientSummary;
use crate::faults::FaultPoint;
use crate::pages;
use crate::places::Place;
use crate::portal::search::{matching, written_date};
use crate::state::AppState;

/// Rows on one page of the picker; beyond it the person searches.
const MOST_ROWS: usize = 50;
/// The value of the button that chooses no encounter.
const NO_ENCOUNTER: &str = "none";

pub(super) async fn page(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Query(query): Query<PageQuery>,
) -> Response {
    let Some(flow) = state.flows().get(&query.flow, &place, state.clock().now_seconds()) else {
        return flow_is_over(&state);
    };
    match (flow.next_step(state.profile(&place)), &flow.patient) {
        (Step::PickEncounter, Some(patient)) => {
            let content = encounters(&state, &place, &query, patient);
            pages::dialog(&state, StatusCode::OK, "Choose an encounter", &content)
        }
        _ => pages::dialog(&state, StatusCode::OK, "Choose a patient", &patients(&state, &place, &query)),
    }
}

fn patients(state: &AppState, place: &Place, query: &PageQuery) -> Markup {
    let all = state.records_at(place).patients();
    let found: Vec<&PatientSummary> = matching(&all, &query.q).collect();
    html! {
        form.search method="get" action="pick" role="search" {
            input type="hidden" name="flow" value=(query.flow);
            label { "Name, MRN or date of birth " input type="search" name="q" value=(query.q) autofocus; }
            button type="submit" { "Search" }
        }
        @if found.is_empty() {
            p.empty { "No patient matches. Search for a part of the name, the MRN or a date of birth (1980-05-17)." }
        }
        form method="post" action="pick" {
            input type="hidden" name="flow" value=(query.flow);
            ul.choices {
                @for patient in found.iter().take(MOST_ROWS) {
                    li {
                        button type="submit" name="patient" value=(patient.id) {
                            strong { bdi { (patient.name) } }
                            span.detail { (written_date(&patient.birth_date)) " · " (patient.gender) " · MRN " (patient.mrn) }
                        }
                    }
                }
            }
        }
        @if found.len() > MOST_ROWS {
            p.empty { (MOST_ROWS) " of " (found.len()) " shown. Search to narrow the list." }
        }
    }
}

fn encounters(state: &AppState, place: &Place, query: &PageQuery, patient: &str) -> Markup {
    let records = state.records_at(place);
    let name = records.patient(patient).map(|patient| patient.name).unwrap_or_default();
    html! {
        p { "Patient " strong { bdi { (name) } } }
        form method="post" action="pick" {
            input type="hidden" name="flow" value=(query.flow);
            ul.choices {
                @for encounter in records.encounters(patient).iter().take(MOST_ROWS) {
                    li {
                        button type="submit" name="encounter" value=(encounter.id) {
                            strong { (encounter.kind) }
                            span.detail { (written_date(&encounter.start)) }
                        }
                    }
                }
                li { button type="submit" name="encounter" value=(NO_ENCOUNTER) { "No encounter" } }
            }
        }
    }
}

pub(super) async fn choose(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    Extension(point): Extension<FaultPoint>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::from_form(&headers, &body).unwrap_or_default();
    let now = state.clock().now_seconds();
    let key = params.first("flow").unwrap_or_default();
    let Some(mut flow) = state.flows().get(key, &place, now) else { return flow_is_over(&state) };
    let is_known = if let Some(id) = params.first("patient") {
        let known = state.records_at(&place).patient(id).map(|patient| patient.id);
        flow.patient = known.clone().or(flow.patient);
        known.is_some()
    } else if let (Some(id), Some(patient)) = (params.first("encounter"), &flow.patient) {
        let known =
            state.records_at(&place).encounters(patient).into_iter().find(|encounter| encounter.id == id);
        flow.is_encounter_settled = true;
        flow.encounter = known.map(|encounter| encounter.id);
        flow.encounter.is_some() || id == NO_ENCOUNTER
    } else {
        false
    };
    if !is_known {
        let what = "That patient or encounter is not in this EHR.";
        return pages::refusal(&state, "Nothing was chosen", what, "Go back and choose one from the list.");
    }
    if state.flows().take(key, &place, now).is_none() {
        return flow_is_over(&state);
    }
    proceed(&state, &point, flow)
}
