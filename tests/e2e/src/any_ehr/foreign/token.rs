//! The token endpoint: codes only. Every refusal is a 401 with JSON, as several products answer.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sallyport::demo::browser::Browser;
use sallyport_model::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{ENCOUNTER, PATIENT, Proof, Server, Told, jose, parameters, random_text};

/// A refusal: the OAuth error and, for tests, why.
struct Refused(&'static str, String);

fn refused<T>(error: &'static str, why: &str) -> Result<T, Refused> {
    Err(Refused(error, why.to_owned()))
}

pub(super) async fn answer(server: &Server, headers: &HeaderMap, body: &Bytes) -> Told {
    match grant(server, headers, body).await {
        Ok((how, document)) => {
            let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
            Told::new("token", how, (headers, Json(document)))
        }
        Err(Refused(error, why)) => {
            let document = json!({ "error": error, "error_description": "see the log", "statusCode": 401 });
            Told::new("token", format!("{error}: {why}"), (StatusCode::UNAUTHORIZED, Json(document)))
        }
    }
}

async fn grant(server: &Server, headers: &HeaderMap, body: &Bytes) -> Result<(String, Value), Refused> {
    let all = parameters(body);
    let how = authenticate(server, headers, &all).await?;
    if all.get("grant_type").map(String::as_str) != Some("authorization_code") {
        return refused("unsupported_grant_type", "codes only");
    }
    if let Some(error) = server.habits().refuses_codes {
        return refused(error, "as told");
    }
    let code = all.get("code").and_then(|code| server.memory().codes.remove(code));
    let Some(code) = code else { return refused("invalid_grant", "the code is unknown or used") };
    if all.get("redirect_uri") != Some(&code.redirect_uri) {
        return refused("invalid_grant", "redirect_uri differs from the one of the request");
    }
    let verifier = all.get("code_verifier").map(String::as_str).unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) != code.challenge {
        return refused("invalid_grant", "the verifier does not fit the challenge");
    }
    let token = random_text().map_err(|_random| Refused("server_error", "no randomness".to_owned()))?;
    server.memory().tokens.push(token.clone());
    let client_id = server.client().map(|client| client.id).unwrap_or_default();
    let id_token = id_token(server, &client_id, code.nonce.as_deref())
        .map_err(|_signing| Refused("server_error", "no signature".to_owned()))?;
    let mut scopes: Vec<&str> = code.scope.split(' ').collect();
    // Nobody promised an order.
    scopes.reverse();
    let document = json!({
        "token_type": "bearer",
        "access_token": token,
        "expires_in": 3600,
        "scope": scopes.join(" "),
        "id_token": id_token,
        "patient": PATIENT,
        "encounter": ENCOUNTER,
        "need_patient_banner": true,
        "smart_style_url": format!("{}/style.json", server.origin),
        "client_id": client_id,
        "tenant": "7d1f",
        "x-simulator": { "seed": [1, 2, { "unknown": null }] },
    });
    Ok((how, document))
}

/// The registered way, and nothing beside it.
async fn authenticate(
    server: &Server,
    headers: &HeaderMap,
    all: &std::collections::HashMap<String, String>,
) -> Result<String, Refused> {
    let Some(client) = server.client() else { return refused("invalid_client", "no app is registered here") };
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Basic "));
    let in_form = all.contains_key("client_secret") || all.contains_key("client_assertion");
    let is_named = all.get("client_id").is_none_or(|id| *id == client.id);
    if !is_named {
        return refused("invalid_client", "another client_id");
    }
    match &client.proof {
        Proof::Public if basic.is_none() && !in_form && all.contains_key("client_id") => {
            Ok("none".to_owned())
        }
        Proof::Basic(secret) if !in_form => {
            let expected = STANDARD.encode(format!("{}:{}", client.id, secret.expose()));
            if basic == Some(expected.as_str()) {
                Ok("basic".to_owned())
            } else {
                refused("invalid_client", "Basic")
            }
        }
        Proof::Post(secret) if basic.is_none() => {
            if all.get("client_secret") == Some(secret.expose()) && all.contains_key("client_id") {
                Ok("post".to_owned())
            } else {
                refused("invalid_client", "client_secret")
            }
        }
        Proof::Jwt(keys) if basic.is_none() && !all.contains_key("client_secret") => {
            let kind = all.get("client_assertion_type").map(String::as_str);
            if kind != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
                return refused("invalid_client", "client_assertion_type");
            }
            let assertion = all.get("client_assertion").map(String::as_str).unwrap_or_default();
            let published = Browser::new().fetch(keys).await.and_then(|page| page.json());
            let Ok(published) = published else {
                return refused("invalid_client", "the app's keys cannot be read");
            };
            let checked = jose::check_assertion(
                assertion,
                &published,
                &client.id,
                &format!("{}/auth/token", server.origin),
            );
            checked.map_err(|fault| Refused("invalid_client", fault.to_string()))
        }
        _ => refused("invalid_client", "not the registered way"),
    }
}

/// Without `kid`, with claims that nobody asked for.
fn id_token(server: &Server, client_id: &str, nonce: Option<&str>) -> anyhow::Result<String> {
    let now = SystemClock.now_seconds();
    let mut claims = json!({
        "iss": server.base,
        "sub": "5f2c9e1b4a",
        "aud": client_id,
        "iat": now,
        "exp": now + 3_600,
        "profile": format!("{}/Practitioner/p-9", server.base),
        "fhirUser": format!("{}/Practitioner/p-9", server.base),
        "auth_source": "simulator",
    });
    if let (Some(nonce), Some(members)) = (nonce, claims.as_object_mut()) {
        members.insert("nonce".to_owned(), json!(nonce));
    }
    let key = if server.habits().signs_with_another_key { &server.other_key } else { &server.key };
    key.sign(&json!({ "alg": "RS256", "typ": "JWT" }), &claims)
}
