//! Launches without the portal: `POST /_admin/launches` answers what an EHR would put into the app's
//! address, so that a test can launch as the portal does.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, read};
use crate::launches::Launch;
use crate::places::Place;
use crate::portal::launch_address;
use crate::profile::Profile;
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    client_id: String,
    /// A practitioner's id; the first who can sign in, if absent.
    clinician: Option<String>,
    /// Absent: a launch without a patient in context.
    patient: Option<String>,
    encounter: Option<String>,
    intent: Option<String>,
    need_patient_banner: Option<bool>,
    #[serde(default)]
    fhir_context: Vec<Value>,
    #[serde(default)]
    show_consent: bool,
    profile: Option<String>,
    tenant: Option<String>,
}

pub(super) async fn create(State(state): State<AppState>, body: Bytes) -> Result<Json<Value>, Refused> {
    let wanted: Wanted = read(&body)?;
    let place = place(&state, &wanted)?;
    let client = state.clients().get(&wanted.client_id);
    let client = client.ok_or_else(|| Refused::bad("client_id is not registered"))?;
    let clinician = match &wanted.clinician {
        Some(id) => {
            state.clinicians().get(id).ok_or_else(|| Refused::bad("clinician cannot sign in here"))?
        }
        None => state.clinicians().all().first().ok_or_else(|| Refused::bad("nobody can sign in here"))?,
    };
    if let Some(id) = &wanted.patient
        && state.records_at(&place).patient(id).is_none()
    {
        return Err(Refused::bad("patient is not in this EHR"));
    }
    if let Some(id) = &wanted.encounter {
        let of_patient =
            wanted.patient.as_deref().map(|patient| state.records_at(&place).encounters(patient));
        if !of_patient.unwrap_or_default().iter().any(|encounter| encounter.id == *id) {
            return Err(Refused::bad("encounter is not one of this patient's"));
        }
    }
    let endpoints = state.endpoints(&place);
    let value = state.launches().create(Launch {
        place,
        client_id: client.client_id.clone(),
        clinician: clinician.id.clone(),
        patient: wanted.patient,
        encounter: wanted.encounter,
        intent: wanted.intent,
        need_patient_banner: wanted.need_patient_banner.unwrap_or(true),
        fhir_context: wanted.fhir_context,
        shows_consent: wanted.show_consent,
        created_at: state.clock().now_seconds(),
    });
    let address = launch_address(&client, &endpoints, &value);
    let address = address.ok_or_else(|| Refused::bad("the client's launch_url is not a URL"))?;
    Ok(Json(json!({"launch": value, "iss": endpoints.fhir_base, "launch_url": address})))
}

fn place(state: &AppState, wanted: &Wanted) -> Result<Place, Refused> {
    let profile = wanted.profile.as_deref().unwrap_or(&state.config().profile);
    let profile = Profile::named(profile).ok_or_else(|| Refused::bad("there is no such profile"))?;
    let first = state.config().tenants.first().map(String::as_str);
    let tenant = wanted.tenant.as_deref().or(first).unwrap_or_default();
    if !state.config().has_tenant(tenant) {
        return Err(Refused::bad("there is no such tenant"));
    }
    Ok(Place { profile: profile.name.to_owned(), tenant: tenant.to_owned() })
}
