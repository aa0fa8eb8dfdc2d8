//! What the server says of itself: smart-configuration, OpenID configuration, keys, or a CapabilityStatement alone.

use axum::{
    Json,
    http::{StatusCode, header},
};
use serde_json::json;

use super::{Server, Told};

pub(super) fn smart_configuration(server: &Server) -> Told {
    let habits = server.habits();
    if habits.has_only_a_statement {
        return Told::new("discovery", "none", (StatusCode::NOT_FOUND, "no such page"));
    }
    let mut capabilities = vec![
        "launch-ehr",
        "launch-standalone",
        "client-public",
        "client-confidential-symmetric",
        "sso-openid-connect",
        "context-passthrough-banner",
        "context-ehr-patient",
        "context-standalone-patient",
        "permission-patient",
        "permission-v1",
        "x-simulator-extension",
    ];
    if habits.takes_post {
        capabilities.push("authorize-post");
    }
    let mut document = json!({
        "issuer": server.base,
        "authorization_endpoint": format!("{}/auth/authorize", server.origin),
        "token_endpoint": format!("{}/auth/token", server.origin),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "fhirUser", "launch", "launch/patient", "patient/*.read"],
        "capabilities": capabilities,
        "x-simulator": { "version": 7, "nested": [1, null, { "deep": true }] },
    });
    if let (false, Some(members)) = (habits.leaves_keys_to_openid, document.as_object_mut()) {
        members.insert("jwks_uri".to_owned(), json!(format!("{}/auth/keys", server.origin)));
    }
    Told::new("discovery", "smart-configuration", Json(document))
}

pub(super) fn openid_configuration(server: &Server) -> Told {
    Told::new(
        "openid",
        "",
        Json(json!({
            "issuer": server.base,
            "jwks_uri": format!("{}/auth/keys", server.origin),
            "authorization_endpoint": format!("{}/auth/authorize", server.origin),
            "token_endpoint": format!("{}/auth/token", server.origin),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })),
    )
}

pub(super) fn keys(server: &Server) -> Told {
    Told::new("keys", "", Json(json!({ "keys": [server.key.jwk()] })))
}

/// R4 with the deprecated `oauth-uris`, which is all that servers of SMART 1 have.
pub(super) fn statement(server: &Server) -> Told {
    let oauth = json!({
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": [
            { "url": "authorize", "valueUri": format!("{}/auth/authorize", server.origin) },
            { "url": "token", "valueUri": format!("{}/auth/token", server.origin) },
        ],
    });
    let search =
        |kind: &str| json!({ "type": kind, "interaction": [{ "code": "read" }, { "code": "search-type" }] });
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2021-02-03",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "security": { "extension": [oauth] },
            "resource": [search("Patient"), search("Condition"), search("Observation")],
        }],
    });
    Told::new(
        "metadata",
        "",
        ([(header::CONTENT_TYPE, "application/fhir+json;charset=UTF-8")], statement.to_string()),
    )
}
