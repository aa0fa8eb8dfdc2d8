//! Two small documents that discovery and token responses point to: the user-access brand bundle and the
//! style document of `smart_style_url`.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::digest::TokenDigest;
use crate::places::Place;
use crate::state::AppState;

/// The brand's identifier, the same in smart-configuration and in the bundle.
pub(super) fn identifier(place: &Place) -> Value {
    let system = "https://sandbox.sallyport.example/organisations";
    json!({"system": system, "value": format!("{}-{}", place.profile, place.tenant)})
}

/// The organisation's name for people: `general` → `General`.
pub(crate) fn organisation(place: &Place) -> String {
    let mut letters = place.tenant.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
        + " Hospital"
}

/// SMART 2.2 "User-access brands": one organisation and its endpoint.
pub(super) async fn bundle(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
) -> Response {
    let urls = state.endpoints(&place);
    let name = organisation(&place);
    let endpoint_url = format!("{}/Endpoint/brand-endpoint", urls.fhir_base);
    let organisation_url = format!("{}/Organization/brand", urls.fhir_base);
    let connection = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type";
    let body = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": crate::data::CHART_INSTANT,
        "entry": [
            {"fullUrl": organisation_url, "resource": {
                "resourceType": "Organization", "id": "brand", "active": true, "name": name,
                "identifier": [identifier(&place)], "telecom": [{"system": "url", "value": urls.root}],
                "endpoint": [{"reference": "Endpoint/brand-endpoint"}]}},
            {"fullUrl": endpoint_url, "resource": {
                "resourceType": "Endpoint", "id": "brand-endpoint", "status": "active", "name": name,
                "address": urls.fhir_base, "contact": [{"system": "url", "value": urls.root}],
                "connectionType": {"system": connection, "code": "hl7-fhir-rest"},
                "payloadType": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"}]}],
                "managingOrganization": {"reference": "Organization/brand"}}},
        ],
    })
    .to_string();
    let tag: String = TokenDigest::of(&body).as_str().chars().take(16).collect();
    let tag = HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"1\""));
    if headers.get(IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    let json = HeaderValue::from_static("application/fhir+json");
    ([(CONTENT_TYPE, json), (ETAG, tag), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))], body)
        .into_response()
}

/// The style document; its URL carries the version, so it may be kept for long.
pub(super) async fn style() -> Response {
    let body = json!({
        "color_background": "#f4f6f8",
        "color_error": "#a4262c",
        "color_highlight": "#0b5c66",
        "color_modal_backdrop": "",
        "color_success": "#2e6b34",
        "color_text": "#1c2429",
        "dim_border_radius": "4px",
        "dim_font_size": "14px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif",
    });
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=86400, immutable")];
    (headers, body.to_string()).into_response()
}
