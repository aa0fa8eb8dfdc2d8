//! SMART 1 discovery: the `oauth-uris` extension in a CapabilityStatement's `rest.security` (deprecated; used only when
//! the well-known document is absent and the endpoint's registration allows it).

use serde_json::Value;
use url::Url;

use super::{Fault, Smart, Source, base_url, endpoint_url};

const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// Reads the authorization server's endpoints from a CapabilityStatement (or DSTU2 Conformance).
///
/// # Errors
/// [`Fault::NotJson`], [`Fault::BaseInvalid`], [`Fault::NoOauthUris`], [`Fault::EndpointInvalid`].
pub fn parse_capability_statement(fhir_base: &str, document: &[u8]) -> Result<Smart, Fault> {
    let base = base_url(fhir_base)?;
    let Ok(statement @ Value::Object(_)) = serde_json::from_slice::<Value>(document) else {
        return Err(Fault::NotJson);
    };
    let uris = oauth_uris(&statement).ok_or(Fault::NoOauthUris)?;
    let find = |part: &str, name: &'static str| -> Result<Option<Url>, Fault> {
        let url = uris.iter().find(|item| item.get("url").and_then(Value::as_str) == Some(part));
        match url.and_then(|item| item.get("valueUri")).and_then(Value::as_str) {
            None | Some("") => Ok(None),
            Some(text) => endpoint_url(&base, text, name).map(Some),
        }
    };
    Ok(Smart {
        source: Source::CapabilityStatement,
        authorize: find("authorize", "authorization_endpoint")?,
        token: find("token", "token_endpoint")?,
        jwks: None,
        issuer: None,
        revocation: find("revoke", "revocation_endpoint")?,
        introspection: find("introspect", "introspection_endpoint")?,
        capabilities: capabilities(&statement),
        scopes: Vec::new(),
        code_challenge_methods: Vec::new(),
        token_auth_methods: Vec::new(),
        announces_response_issuer: false,
    })
}

fn security_extensions(statement: &Value) -> impl Iterator<Item = &Value> {
    let rest = statement.get("rest").and_then(Value::as_array).into_iter().flatten();
    rest.filter_map(|r| r.get("security")?.get("extension")?.as_array()).flatten()
}

fn oauth_uris(statement: &Value) -> Option<&Vec<Value>> {
    security_extensions(statement)
        .find(|e| e.get("url").and_then(Value::as_str) == Some(OAUTH_URIS))?
        .get("extension")?
        .as_array()
}

/// The SMART 1 `capabilities` extension, one code per extension.
fn capabilities(statement: &Value) -> Vec<String> {
    security_extensions(statement)
        .filter(|e| {
            e.get("url")
                .and_then(Value::as_str)
                .is_some_and(|u| u.ends_with("/StructureDefinition/capabilities"))
        })
        .filter_map(|e| e.get("valueCode")?.as_str().map(str::to_owned))
        .collect()
}
