//! `POST /portal/launch`: makes the launch and opens the app: in the EHR's frame, in a tab of its own, or
//! standalone (its launch URL without parameters, so that the EHR's picker appears).

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use serde_json::json;
use url::Url;

use super::chart;
use super::home::{Where, shell};
use crate::config::Client;
use crate::launches::Launch;
use crate::oauth::params::Params;
use crate::pages;
use crate::places::{Endpoints, Place};
use crate::profile::Profile;
use crate::state::AppState;

/// What real EHRs allow their frames.
const SANDBOX: &str =
    "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox";

/// Frame widths a person can choose, px.
const WIDTHS: [&str; 3] = ["400", "600", "800"];

/// The app's address for an EHR launch: its launch URL with `iss` and `launch`.
pub(crate) fn launch_address(client: &Client, endpoints: &Endpoints, launch: &str) -> Option<String> {
    let mut address = Url::parse(&client.launch_url).ok()?;
    address.query_pairs_mut().append_pair("iss", &endpoints.fhir_base).append_pair("launch", launch);
    Some(address.into())
}

pub(super) async fn launch(State(state): State<AppState>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::from_form(&headers, &body).unwrap_or_default();
    launch_app(&state, &params).unwrap_or_else(|what| {
        pages::refusal(&state, "The app was not opened", what, "Go back to the chart and try again.")
    })
}

fn launch_app(state: &AppState, params: &Params) -> Result<Response, &'static str> {
    let place = place(state, params).ok_or("There is no such EHR.")?;
    let client = params.first("client_id").and_then(|id| state.clients().get(id));
    let client = client.ok_or("That app is not registered here.")?;
    if params.first("mode") == Some("standalone") {
        return Ok(Redirect::to(&client.launch_url).into_response());
    }
    let clinician = params.first("clinician").and_then(|id| state.clinicians().get(id));
    let clinician = clinician.ok_or("Nobody is signed in.")?;
    let patient = params.first("patient").and_then(|id| state.records_at(&place).patient(id));
    let patient = patient.ok_or("That patient is not in this EHR.")?;
    let encounter = match params.first("encounter") {
        None => None,
        Some(id) => {
            let known = state
                .records_at(&place)
                .encounters(&patient.id)
                .into_iter()
                .find(|encounter| encounter.id == id);
            Some(known.ok_or("That encounter is not one of this patient's.")?.id)
        }
    };
    let document = params
        .first("document")
        .map(|reference| json!({"reference": reference, "type": "DocumentReference"}));
    let value = state.launches().create(Launch {
        place: place.clone(),
        client_id: client.client_id.clone(),
        clinician: clinician.id.clone(),
        patient: Some(patient.id.clone()),
        encounter,
        intent: params.first("intent").map(str::to_owned),
        need_patient_banner: params.first("no_banner").is_none(),
        fhir_context: document.into_iter().collect(),
        shows_consent: params.first("show_consent").is_some(),
        created_at: state.clock().now_seconds(),
    });
    let address = launch_address(&client, &state.endpoints(&place), &value);
    let address = address.ok_or("The app's launch address is not a URL.")?;
    if params.first("mode") == Some("tab") {
        return Ok(Redirect::to(&address).into_response());
    }
    let here =
        Where::of_patient(&place, &clinician.id, &patient.id, params.first("encounter").unwrap_or_default());
    let width = params.first("width").filter(|width| WIDTHS.contains(width)).unwrap_or("800");
    let content = html! { (chart::banner(&patient)) (frame(&client, &address, width, &here)) };
    Ok(pages::page(state, StatusCode::OK, &client.name, &shell(state, &here, &place, clinician, &content)))
}

fn place(state: &AppState, params: &Params) -> Option<Place> {
    let profile = Profile::named(params.first("profile")?)?;
    let tenant = params.first("tenant").filter(|tenant| state.config().has_tenant(tenant))?;
    Some(Place { profile: profile.name.to_owned(), tenant: tenant.to_owned() })
}

/// The frame page. The width can be changed without a script and without loading the app again.
fn frame(client: &Client, address: &str, width: &str, here: &Where) -> Markup {
    html! {
        section.app aria-label=(client.name) {
            @for choice in WIDTHS {
                @let id = format!("w{choice}");
                input type="radio" name="width" id=(id) value=(choice) checked[choice == width];
                label for=(id) { (choice) " px" }
            }
            a.close href=(here.chart_link()) { "Close app" }
            iframe.frame name="app" title=(client.name) src=(address) sandbox=(SANDBOX) {}
        }
    }
}
