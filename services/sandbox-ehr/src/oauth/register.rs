//! Dynamic client registration (RFC 7591), open to all: it is a sandbox. A confidential client with a
//! shared secret is given one; it is shown once, here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::error::no_store_json;
use super::scopes::Scope;
use crate::config::{Client, ClientAuth};
use crate::digest::{handle, opaque};
use crate::state::AppState;

/// The members this server reads; others are ignored (RFC 7591 §2).
#[derive(Debug, Deserialize)]
struct Metadata {
    client_name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    scope: Option<String>,
    initiate_login_uri: Option<String>,
}

fn refused(code: &str, description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": code, "error_description": description}))).into_response()
}

pub(super) async fn register(State(state): State<AppState>, body: Bytes) -> Response {
    let Ok(metadata) = serde_json::from_slice::<Metadata>(&body) else {
        return refused("invalid_client_metadata", "the body must be a JSON object of client metadata");
    };
    let redirect_uris = metadata.redirect_uris.unwrap_or_default();
    let is_usable = |uri: &String| Url::parse(uri).is_ok_and(|url| url.fragment().is_none());
    if redirect_uris.is_empty() || !redirect_uris.iter().all(is_usable) {
        return refused("invalid_redirect_uri", "redirect_uris must hold absolute URLs without fragments");
    }
    let secret = opaque();
    let auth = match (metadata.token_endpoint_auth_method.as_deref(), metadata.jwks_uri, metadata.jwks) {
        (Some("none"), _, _) => ClientAuth::Public,
        (Some("private_key_jwt"), Some(url), _) => ClientAuth::JwksUri(url),
        (Some("private_key_jwt"), None, Some(jwks)) => ClientAuth::Jwks(jwks),
        (None | Some("client_secret_basic" | "client_secret_post"), _, _) => {
            ClientAuth::Secret(secret.clone())
        }
        _ => return refused("invalid_client_metadata", "private_key_jwt needs jwks_uri or jwks"),
    };
    let asked = metadata.scope.unwrap_or_default();
    let scopes: Vec<String> =
        asked.split(' ').filter_map(Scope::parse).map(|scope| scope.to_string()).collect();
    let client = Client {
        client_id: handle(),
        name: metadata.client_name.unwrap_or_else(|| "Registered app".to_owned()),
        launch_url: metadata
            .initiate_login_uri
            .or_else(|| redirect_uris.first().cloned())
            .unwrap_or_default(),
        redirect_uris,
        auth,
        scopes,
    };
    let method = metadata.token_endpoint_auth_method.unwrap_or_else(|| client.auth.method().to_owned());
    let mut answer = json!({
        "client_id": client.client_id,
        "client_id_issued_at": state.clock().now_seconds(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "token_endpoint_auth_method": method,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": client.scopes.join(" "),
    });
    if let (ClientAuth::Secret(_), Value::Object(members)) = (&client.auth, &mut answer) {
        members.insert("client_secret".to_owned(), json!(secret));
        members.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    state.clients().register(client);
    no_store_json(StatusCode::CREATED, &answer)
}
