//! What a client can read before it sends anything: smart-configuration (SMART 2.2 "Conformance"), the
//! OpenID provider configuration, the JWK set.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};

use crate::places::Place;
use crate::state::AppState;

/// Documents may be cached this long; short, so that a changed sandbox is seen soon.
const CACHE: &str = "public, max-age=60";

const TOKEN_AUTH_METHODS: [&str; 4] =
    ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
const ASSERTION_ALGORITHMS: [&str; 2] = ["RS384", "ES384"];

fn cached(document: Value) -> Response {
    ([(CACHE_CONTROL, CACHE)], Json(document)).into_response()
}

pub(super) async fn smart_configuration(
    State(state): State<AppState>,
    Extension(place): Extension<Place>,
) -> Response {
    let (urls, profile) = (state.endpoints(&place), state.profile(&place));
    cached(json!({
        "issuer": urls.issuer,
        "jwks_uri": urls.jwks(),
        "authorization_endpoint": urls.authorize(),
        "token_endpoint": urls.token(),
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": TOKEN_AUTH_METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
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
    }))
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
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": TOKEN_AUTH_METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "fhirUser", "name"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": profile.answers_with_iss,
    }))
}

pub(super) async fn jwks(State(state): State<AppState>) -> Response {
    cached(state.keys().jwks())
}
