//! One patient in the EHR: the banner, the encounters, and the panel from which apps are opened.

use maud::{Markup, html};
use serde_json::Value;

use super::home::Where;
use super::search::written_date;
use crate::data::{PatientSummary, PractitionerSummary};
use crate::places::Place;
use crate::state::AppState;

/// Encounters and documents listed at most.
const MOST_ROWS: usize = 25;

/// The EHR's own patient banner.
pub(super) fn banner(patient: &PatientSummary) -> Markup {
    html! {
        section.banner aria-label="Patient" {
            strong { bdi { (patient.name) } }
            span { "Born " (written_date(&patient.birth_date)) }
            span { "Gender " (patient.gender) }
            span { "MRN " (patient.mrn) }
        }
    }
}

pub(super) fn content(
    state: &AppState,
    here: &Where,
    place: &Place,
    clinician: &PractitionerSummary,
    patient: &PatientSummary,
) -> Markup {
    let encounters = state.records_at(place).encounters(&patient.id);
    html! {
        div.columns {
            section aria-labelledby="encounters" {
                h2 #encounters { "Encounters" }
                @if encounters.is_empty() { p.empty { "No encounter is recorded." } }
                ul.rows {
                    @for encounter in encounters.iter().take(MOST_ROWS) {
                        @let is_open = encounter.id == here.encounter();
                        li { a href=(here.encounter_link(&encounter.id)) aria-current=[is_open.then_some("true")] {
                            span { (encounter.kind) } span.detail { (written_date(&encounter.start)) }
                        } }
                    }
                }
            }
            section aria-labelledby="apps" {
                h2 #apps { "Apps" }
                (launch_panel(state, here, place, clinician, patient))
            }
        }
    }
}

fn launch_panel(
    state: &AppState,
    here: &Where,
    place: &Place,
    clinician: &PractitionerSummary,
    patient: &PatientSummary,
) -> Markup {
    let clients = state.clients().all();
    if clients.is_empty() {
        return html! { p.empty { "No app is registered with this EHR." } };
    }
    html! {
        form.launch method="post" action="/portal/launch" {
            input type="hidden" name="profile" value=(place.profile);
            input type="hidden" name="tenant" value=(place.tenant);
            input type="hidden" name="clinician" value=(clinician.id);
            input type="hidden" name="patient" value=(patient.id);
            label { "App "
                select name="client_id" {
                    @for client in &clients { option value=(client.client_id) { (client.name) } }
                }
            }
            label { "Encounter "
                select name="encounter" {
                    option value="" { "None" }
                    @for encounter in state.records_at(place).encounters(&patient.id).iter().take(MOST_ROWS) {
                        option value=(encounter.id) selected[encounter.id == here.encounter()] {
                            (written_date(&encounter.start)) " · " (encounter.kind)
                        }
                    }
                }
            }
            div.actions {
                button.primary type="submit" name="mode" value="frame" { "Open in this chart" }
                button type="submit" name="mode" value="tab" formtarget="_blank" { "Open in a new tab" }
                button type="submit" name="mode" value="standalone" formtarget="_blank" { "Open standalone" }
            }
            details {
                summary { "Launch options" }
                label { "Frame width "
                    select name="width" {
                        option value="400" { "400 px" } option value="600" { "600 px" }
                        option value="800" selected { "800 px" }
                    }
                }
                label { "Intent " input type="text" name="intent" placeholder="for example reconcile-medications"; }
                label { "Attach "
                    select name="document" {
                        option value="" { "Nothing" }
                        @for (reference, title) in documents(state, place, &patient.id) { option value=(reference) { (title) } }
                    }
                }
                label.check { input type="checkbox" name="no_banner" value="1"; " The EHR shows the patient banner" }
                label.check { input type="checkbox" name="show_consent" value="1"; " Show the consent page" }
            }
        }
    }
}

/// The patient's documents as (reference, title).
fn documents(state: &AppState, place: &Place, patient: &str) -> Vec<(String, String)> {
    let records = state.records_at(place);
    let bodies = records.of_patient("DocumentReference", patient).filter_map(|record| record.current());
    let title = |body: &Value| {
        let found = ["/description", "/type/text", "/type/coding/0/display"];
        let found = found.iter().find_map(|pointer| body.pointer(pointer)?.as_str());
        let date = written_date(body.pointer("/date").and_then(Value::as_str).unwrap_or_default());
        format!("{} · {date}", found.unwrap_or("Document"))
    };
    let reference = |body: &Value| body.get("id")?.as_str().map(|id| format!("DocumentReference/{id}"));
    bodies.take(MOST_ROWS).filter_map(|body| Some((reference(body)?, title(body)))).collect()
}
