//! The authorization endpoint. Whoever asks is signed in already and agrees to everything.

use axum::{
    http::{Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use url::Url;

use super::{Code, LAUNCH, Server, Told, parameters, random_text};

pub(super) fn answer(server: &Server, method: &Method, encoded: &[u8]) -> Told {
    match agree(server, method, encoded) {
        Ok((note, response)) => Told::new("authorize", note, response),
        Err(complaint) => Told::new("authorize", complaint.clone(), (StatusCode::BAD_REQUEST, complaint)),
    }
}

fn agree(server: &Server, method: &Method, encoded: &[u8]) -> Result<(String, Response), String> {
    let all = parameters(encoded);
    let get = |name: &str| all.get(name).map(String::as_str).unwrap_or_default();
    let client = server.client().ok_or("no app is registered here")?;
    let habits = server.habits();
    let must = |holds: bool, complaint: &str| if holds { Ok(()) } else { Err(complaint.to_owned()) };
    must(method == Method::GET || habits.takes_post, "POST is not offered here")?;
    must(get("response_type") == "code", "response_type must be code")?;
    must(get("client_id") == client.id, "client_id is not known")?;
    must(get("redirect_uri") == client.redirect_uri, "redirect_uri is not the registered one")?;
    must(get("aud") == server.base, "aud is not my FHIR base, character by character")?;
    must(get("state").len() >= 22, "state is too easy to guess")?;
    must(get("code_challenge_method") == "S256", "code_challenge_method must be S256")?;
    must(get("code_challenge").len() == 43, "code_challenge is no SHA-256")?;
    let scopes: Vec<&str> = get("scope").split(' ').collect();
    must(scopes.contains(&"openid"), "scope openid is missing")?;
    must(!scopes.contains(&"offline_access"), "nobody may ask for offline_access here")?;
    let is_v1 = |s: &&str| !s.contains('/') || s.starts_with("launch/") || s.ends_with(".read");
    must(scopes.iter().all(is_v1), "only scopes of SMART 1 are known here")?;
    let kind = match all.get("launch") {
        Some(launch) => {
            must(launch == LAUNCH, "launch is not the value that was sent")?;
            must(scopes.contains(&"launch"), "scope launch is missing")?;
            "ehr"
        }
        None => {
            must(
                scopes.contains(&"launch/patient") && !scopes.contains(&"launch"),
                "this is no standalone launch",
            )?;
            "standalone"
        }
    };
    let code = random_text().map_err(|_random| "no randomness")?;
    let record = Code {
        redirect_uri: client.redirect_uri.clone(),
        challenge: get("code_challenge").to_owned(),
        nonce: all.get("nonce").cloned(),
        scope: get("scope").to_owned(),
    };
    server.memory().codes.insert(code.clone(), record);
    let response = if habits.answers_by_form {
        by_form(&client.redirect_uri, &code, get("state"))
    } else {
        let mut url = Url::parse(&client.redirect_uri).map_err(|_url| "the redirect_uri is not a URL")?;
        url.query_pairs_mut().append_pair("code", &code).append_pair("state", get("state"));
        (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
    };
    Ok((format!("{method} {kind}"), response))
}

fn by_form(redirect_uri: &str, code: &str, state: &str) -> Response {
    Html(format!(
        r#"<!doctype html><form method="post" action="{redirect_uri}"><input type="hidden" name="code" value="{code}"><input type="hidden" name="state" value="{state}"></form><script>document.forms[0].submit()</script>"#
    ))
    .into_response()
}
