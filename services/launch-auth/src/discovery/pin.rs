//! Holding a description against the registration: every endpoint must be at an origin that was pinned there.

use sallyport_egress::Url;
use sallyport_model::Code;
use sallyport_registry::{Endpoint, Origin};
use sallyport_smart::discovery::Smart;

/// The endpoints that a transaction uses from start to end.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    pub(crate) authorize: Url,
    pub(crate) token: Url,
    pub(crate) jwks: Option<Url>,
    pub(crate) revocation: Option<Url>,
    pub(crate) introspection: Option<Url>,
    pub(crate) issuer: Option<String>,
    pub(crate) announces_issuer: bool,
}

/// Takes the endpoints if all of them are where they were registered.
///
/// # Errors
/// `launch.discovery_drift` for any other origin or issuer; `launch.discovery_failed` when one is missing.
pub(crate) fn pin(endpoint: &Endpoint, smart: &Smart) -> Result<Pinned, Code> {
    let authorize = smart.authorize.clone().ok_or(Code::LaunchDiscoveryFailed)?;
    let token = smart.token.clone().ok_or(Code::LaunchDiscoveryFailed)?;
    let is_at =
        |url: &Url, origins: &[Origin]| Origin::of(url).is_some_and(|origin| origins.contains(&origin));
    let token_side = [Some(&token), smart.revocation.as_ref(), smart.introspection.as_ref()];
    let is_pinned = is_at(&authorize, &endpoint.authorize_origins)
        && token_side.into_iter().flatten().all(|url| is_at(url, &endpoint.token_origins))
        && smart.jwks.as_ref().is_none_or(|url| is_at(url, &endpoint.jwks_origins));
    let is_same_issuer = match (&endpoint.issuer, &smart.issuer) {
        (Some(registered), Some(discovered)) => registered == discovered,
        _ => true,
    };
    if !is_pinned || !is_same_issuer {
        return Err(Code::LaunchDiscoveryDrift);
    }
    Ok(Pinned {
        authorize,
        token,
        jwks: smart.jwks.clone(),
        revocation: smart.revocation.clone(),
        introspection: smart.introspection.clone(),
        issuer: smart.issuer.clone().or_else(|| endpoint.issuer.clone()),
        announces_issuer: smart.announces_response_issuer,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sallyport_model::RegistrationId;
    use sallyport_registry::Registry;
    use serde_json::{Value, json};

    use super::*;

    const TENANT: &str = include_str!("../../tests/it/tenant.toml");

    fn pinned(change: impl FnOnce(&mut Value)) -> Result<Pinned, Code> {
        let text = TENANT.replace("{ehr}", "https://ehr.example");
        let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).unwrap();
        let entry = registry.registration(&RegistrationId::parse("both").unwrap()).unwrap();
        let mut document = json!({
            "issuer": "https://ehr.example/oauth",
            "authorization_endpoint": "https://ehr.example/oauth/authorize",
            "token_endpoint": "https://ehr.example/oauth/token",
            "jwks_uri": "https://ehr.example/oauth/jwks",
            "revocation_endpoint": "https://ehr.example/oauth/revoke"
        });
        change(&mut document);
        let smart = Smart::parse(&entry.endpoint.fhir_base, document.to_string().as_bytes()).unwrap();
        pin(entry.endpoint, &smart)
    }

    #[test]
    fn what_is_where_it_was_registered_is_taken() {
        let pinned = pinned(|_| {}).unwrap();
        assert_eq!(pinned.token.as_str(), "https://ehr.example/oauth/token");
        assert_eq!(pinned.issuer.as_deref(), Some("https://ehr.example/oauth"));
    }

    #[test]
    fn any_endpoint_elsewhere_is_drift() {
        for member in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "revocation_endpoint",
            "introspection_endpoint",
        ] {
            for elsewhere in
                ["https://ehr.example.evil.test/x", "https://ehr.example:8443/x", "http://ehr.example/x"]
            {
                let outcome = pinned(|d| d[member] = json!(elsewhere));
                assert_eq!(outcome.err(), Some(Code::LaunchDiscoveryDrift), "{member} at {elsewhere}");
            }
        }
        let outcome = pinned(|d| d["issuer"] = json!("https://ehr.example/other"));
        assert_eq!(outcome.err(), Some(Code::LaunchDiscoveryDrift));
    }
}
