//! The portal's page: who signs in, the patient list, and around both the shell that looks like an EHR.

use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::chart;
use super::search::{matching, written_date};
use crate::data::{PatientSummary, PractitionerSummary};
use crate::oauth::organisation;
use crate::pages;
use crate::places::Place;
use crate::profile::Profile;
use crate::state::AppState;

/// What the address of a portal page says; every page can be linked to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Where {
    profile: String,
    tenant: String,
    clinician: String,
    patient: String,
    encounter: String,
    q: String,
}

/// Rows of the patient list; beyond it the person searches.
const MOST_ROWS: usize = 200;

impl Where {
    /// The EHR shown: the one asked for if it exists, else the first.
    pub(super) fn place(&self, state: &AppState) -> Place {
        let named = Profile::named(&self.profile).or_else(|| Profile::named(&state.config().profile));
        let profile = named.unwrap_or(&Profile::STRICT);
        let tenants = &state.config().tenants;
        let tenant = tenants.iter().find(|tenant| **tenant == self.tenant).or_else(|| tenants.first());
        Place { profile: profile.name.to_owned(), tenant: tenant.cloned().unwrap_or_default() }
    }

    /// The same page with another patient and encounter.
    fn link(&self, patient: &str, encounter: &str) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in [
            ("profile", self.profile.as_str()),
            ("tenant", &self.tenant),
            ("clinician", &self.clinician),
            ("patient", patient),
            ("encounter", encounter),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/?{}", query.finish())
    }

    /// The page of one patient.
    pub(super) fn of_patient(place: &Place, clinician: &str, patient: &str, encounter: &str) -> Self {
        Self {
            profile: place.profile.clone(),
            tenant: place.tenant.clone(),
            clinician: clinician.to_owned(),
            patient: patient.to_owned(),
            encounter: encounter.to_owned(),
            q: String::new(),
        }
    }

    pub(super) fn chart_link(&self) -> String {
        self.link(&self.patient, &self.encounter)
    }

    pub(super) fn encounter(&self) -> &str {
        &self.encounter
    }

    pub(super) fn encounter_link(&self, encounter: &str) -> String {
        self.link(&self.patient, encounter)
    }
}

pub(super) async fn home(State(state): State<AppState>, Query(here): Query<Where>) -> Response {
    let place = here.place(&state);
    let Some(clinician) = state.clinicians().get(&here.clinician) else {
        return pages::dialog(&state, StatusCode::OK, "Sign in", &sign_in(&state, &here, &place));
    };
    let content = match state.records_at(&place).patient(&here.patient) {
        Some(patient) => html! {
            (chart::banner(&patient))
            (chart::content(&state, &here, &place, clinician, &patient))
        },
        None => patient_list(&state, &here, &place),
    };
    pages::page(&state, StatusCode::OK, "Patients", &shell(&state, &here, &place, clinician, &content))
}

fn sign_in(state: &AppState, here: &Where, place: &Place) -> Markup {
    html! {
        p { (organisation(place)) " · choose who you are. No password: everything in this EHR is synthetic." }
        ul.choices {
            @for clinician in state.clinicians().all() {
                @let there = Where { clinician: clinician.id.clone(), ..here.clone() };
                li { a href=(there.link("", "")) { (clinician.name) } }
            }
        }
        p.tenants {
            "Product: "
            @for profile in Profile::all() {
                @let there = Where { profile: profile.name.to_owned(), ..here.clone() };
                a href=(there.link("", "")) aria-current=[(profile.name == place.profile).then_some("true")] { (profile.title) }
                " "
            }
        }
        @if state.config().tenants.len() > 1 {
            p.tenants {
                "Organisation: "
                @for tenant in &state.config().tenants {
                    @let there = Where { tenant: tenant.clone(), ..here.clone() };
                    a href=(there.link("", "")) aria-current=[(*tenant == place.tenant).then_some("true")] { (tenant) }
                    " "
                }
            }
        }
    }
}

/// The EHR around every page: top bar, rail, content.
pub(super) fn shell(
    state: &AppState,
    here: &Where,
    place: &Place,
    clinician: &PractitionerSummary,
    content: &Markup,
) -> Markup {
    let manage = state.endpoints(place).manage();
    html! {
        header.top {
            span.mark aria-hidden="true" { "✚" }
            strong { (state.config().app_name) }
            span.organisation { (organisation(place)) }
            span.environment { "Sandbox · synthetic data" }
            span.user { (clinician.name) }
            a href="/" { "Sign out" }
        }
        div.workspace {
            nav.rail aria-label="EHR" {
                a href=(here.link("", "")) aria-current=[here.patient.is_empty().then_some("page")] { "Patients" }
                @if !here.patient.is_empty() {
                    a href=(here.chart_link()) aria-current="page" { "Chart" }
                }
                a href=(manage) { "Apps with access" }
            }
            main { (content) }
        }
    }
}

fn patient_list(state: &AppState, here: &Where, place: &Place) -> Markup {
    let all = state.records_at(place).patients();
    let found: Vec<&PatientSummary> = matching(&all, &here.q).collect();
    html! {
        h1 { "Patients" }
        form.search method="get" action="/" role="search" {
            input type="hidden" name="profile" value=(here.profile);
            input type="hidden" name="tenant" value=(here.tenant);
            input type="hidden" name="clinician" value=(here.clinician);
            label { "Name, MRN or date of birth " input type="search" name="q" value=(here.q); }
            button type="submit" { "Search" }
        }
        @if found.is_empty() {
            p.empty { "No patient matches. Search for a part of the name, the MRN or a date of birth (1980-05-17)." }
        } @else {
            table.patients {
                thead { tr { th { "Name" } th { "Born" } th { "Gender" } th { "MRN" } } }
                tbody {
                    @for patient in found.iter().take(MOST_ROWS) {
                        tr {
                            td { a href=(here.link(&patient.id, "")) { bdi { (patient.name) } } }
                            td { (written_date(&patient.birth_date)) }
                            td { (patient.gender) }
                            td { (patient.mrn) }
                        }
                    }
                }
            }
            @if found.len() > MOST_ROWS {
                p.empty { (MOST_ROWS) " of " (found.len()) " shown. Search to narrow the list." }
            }
        }
    }
}
