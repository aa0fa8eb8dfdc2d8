//! What a client can read before it sends anything: smart-configuration (SMART 2.2 "Conformance"), the
//! OpenID provider configuration, the JWK set.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};

use crate::places::Place;
use crate::profile::Profile;
use crate::state::AppState;

/// Documents may be cached this long; short, so that a changed sandbox is seen soon.
const CACHE: &str = "public, max-age=60";

fn cached(document: Value) -> Response {
    ([(CACHE_CONTROL, CACHE)], Json(document)).into_response()
}

/// Services are listed where the product has them.
fn grant_types(profile: &Profile) -> Vec<&'static str> {
    let mut types = vec!["authorization_code", "refresh_token"];
    types.extend(profile.bulk.is_some().then_some("client_credentials"));
    types
}

pub(super) async fn smart_configuration(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
) -> Response {
    let (urls, profile) = (state.endpoints(&place), state.profile(&place));
    let mut document = json!({
        "issuer": urls.issuer,
        "jwks_uri": urls.jwks(),
        "authorization_endpoint": urls.authorize(),
        "token_endpoint": urls.token(),
        "grant_types_supported": grant_types(profile),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": profile.auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": profile.assertion_algorithms,
        "scopes_supported": profile.scopes_supported,
        "capabilities": profile.capabilities,
        "introspection_endpoint": urls.introspect(),
        "revocation_endpoint": urls.revoke(),
        "registration_endpoint": urls.register(),
        "management_endpoint": urls.manage(),
        "user_access_brand_bundle": urls.brands(),
        "user_access_brand_identifier": super::brands::identifier(&place),
        "associated_endpoints": [{"url": urls.fhir_base, "capabilities": profile.capabilities}],
        "authorization_response_iss_parameter_supported": profile.answers_with_iss,
    });
    if let Some(members) = document.as_object_mut() {
        for name in profile.discovery.omits {
            members.remove(*name);
        }
        for (right, used) in profile.discovery.renames {
            if let Some(value) = members.remove(*right) {
                members.insert((*used).to_owned(), value);
            }
        }
    }
    cached(document)
}

pub(super) async fn openid_configuration(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
) -> Response {
    let (urls, profile) = (state.endpoints(&place), state.profile(&place));
    cached(json!({
        "issuer": urls.issuer,
        "authorization_endpoint": urls.authorize(),
        "token_endpoint": urls.token(),
        "jwks_uri": urls.jwks(),
        "registration_endpoint": urls.register(),
        "introspection_endpoint": urls.introspect(),
        "revocation_endpoint": urls.revoke(),
        "scopes_supported": profile.scopes_supported,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": grant_types(profile),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": profile.auth_methods,
        "token_endpoint_auth_signing_alg_values_supported": profile.assertion_algorithms,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "fhirUser", "name"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": profile.answers_with_iss,
    }))
}

pub(super) async fn jwks(State(state): State<AppState>) -> Response {
    cached(state.keys().jwks())
}
