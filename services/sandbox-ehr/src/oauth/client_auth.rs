//! Who calls a back-channel endpoint: public (`client_id` alone), shared secret (HTTP Basic or in the
//! form), or `private_key_jwt`. A client authenticates in its registered way and in one way only.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::assertion::{self, ASSERTION_TYPE, Expected};
use super::error::OauthError;
use super::jwks_fetch;
use super::params::Params;
use crate::config::{Client, ClientAuth};
use crate::places::Place;
use crate::state::AppState;

/// What the request carries.
struct Shown {
    basic: Option<(String, String)>,
    secret: Option<String>,
    assertion: Option<String>,
    client_id: Option<String>,
}

impl Shown {
    fn read(headers: &HeaderMap, params: &Params) -> Result<Self, OauthError> {
        let owned = |name: &str| params.one(name).map(|value| value.map(str::to_owned));
        let assertion = owned("client_assertion")?;
        if assertion.is_some() && params.one("client_assertion_type")? != Some(ASSERTION_TYPE) {
            return Err(OauthError::invalid_request("client_assertion_type must be the jwt-bearer URN"));
        }
        let shown = Self {
            basic: basic(headers)?,
            secret: owned("client_secret")?,
            assertion,
            client_id: owned("client_id")?,
        };
        let ways = [shown.basic.is_some(), shown.secret.is_some(), shown.assertion.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(OauthError::invalid_request("the client authenticated in more than one way"));
        }
        Ok(shown)
    }

    /// The way, as discovery names it.
    fn method(&self) -> &'static str {
        match (&self.basic, &self.secret, &self.assertion) {
            (Some(_), _, _) => "client_secret_basic",
            (_, Some(_), _) => "client_secret_post",
            (_, _, Some(_)) => "private_key_jwt",
            (None, None, None) => "none",
        }
    }

    fn claimed_id(&self) -> Option<String> {
        let from_basic = self.basic.as_ref().map(|(id, _)| id.clone());
        let from_assertion = || self.assertion.as_deref().and_then(subject);
        from_basic.or_else(|| self.client_id.clone()).or_else(from_assertion)
    }
}

/// The client that makes this request.
pub(super) async fn authenticate(
    state: &AppState,
    place: &Place,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Arc<Client>, OauthError> {
    let shown = Shown::read(headers, params)?;
    let refused = |text: &str| {
        let error = OauthError::invalid_client(text);
        if shown.basic.is_some() { error.with_basic_challenge() } else { error }
    };
    if !state.profile(place).auth_methods.contains(&shown.method()) {
        return Err(refused("this server does not take clients that authenticate this way"));
    }
    let claimed = shown.claimed_id().ok_or_else(|| refused("the client did not say who it is"))?;
    if shown.client_id.as_ref().is_some_and(|id| *id != claimed) {
        return Err(OauthError::invalid_request("client_id and the authentication name different clients"));
    }
    let client = state.clients().get(&claimed).ok_or_else(|| refused("the client is not registered here"))?;
    match (&client.auth, &shown) {
        (ClientAuth::Public, Shown { basic: None, secret: None, assertion: None, .. }) => {}
        (ClientAuth::Secret(expected), Shown { basic: Some((_, secret)), .. })
        | (ClientAuth::Secret(expected), Shown { secret: Some(secret), .. }) => {
            if !is_same_secret(expected, secret) {
                return Err(refused("the client secret is wrong"));
            }
        }
        (ClientAuth::Jwks(jwks), Shown { assertion: Some(jwt), .. }) => {
            check(state, place, &client, jwt, jwks)?;
        }
        (ClientAuth::JwksUri(url), Shown { assertion: Some(jwt), .. }) => {
            let jwks = jwks_fetch::fetch(url).await.map_err(|error| refused(&error.to_string()))?;
            check(state, place, &client, jwt, &jwks)?;
        }
        _ => return Err(refused("the client must authenticate in the way it is registered for")),
    }
    Ok(client)
}

fn check(
    state: &AppState,
    place: &Place,
    client: &Client,
    jwt: &str,
    jwks: &serde_json::Value,
) -> Result<(), OauthError> {
    let token_url = state.endpoints(place).token();
    let expected = Expected {
        client_id: &client.client_id,
        token_url: &token_url,
        profile: state.profile(place),
        now: state.clock().now_seconds(),
    };
    let checked = assertion::check(jwt, jwks, &expected, state.assertions());
    checked.map_err(|reason| OauthError::invalid_client(&reason.to_string()))
}

/// RFC 6749 §2.3.1 wants both parts form-encoded first, SMART's own example does not: either is right.
fn is_same_secret(expected: &str, shown: &str) -> bool {
    let decoded = percent_decode_str(&shown.replace('+', " ")).decode_utf8_lossy().into_owned();
    bool::from(expected.as_bytes().ct_eq(shown.as_bytes()) | expected.as_bytes().ct_eq(decoded.as_bytes()))
}

fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OauthError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let malformed =
        || OauthError::invalid_client("the Authorization header must be HTTP Basic").with_basic_challenge();
    let text = value.to_str().map_err(|_not_ascii| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(malformed)?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
    Ok(Some((id, secret.to_owned())))
}

/// Who the assertion says it is from; not trusted until the signature is checked with that client's keys.
fn subject(jwt: &str) -> Option<String> {
    let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode_claims(jwt).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basic_header_of_the_smart_example_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Basic bXktYXBwOm15LWFwcC1zZWNyZXQtMTIz".parse().unwrap());
        assert_eq!(basic(&headers).unwrap(), Some(("my-app".to_owned(), "my-app-secret-123".to_owned())));
    }

    #[test]
    fn a_secret_may_be_form_encoded_or_not() {
        assert!(is_same_secret("a b/c", "a+b%2Fc"));
        assert!(is_same_secret("a b/c", "a b/c"));
        assert!(is_same_secret("a+b", "a+b"));
        assert!(!is_same_secret("a b/c", "a b/d"));
        assert!(!is_same_secret("secret", ""));
    }

    #[test]
    fn an_authorization_header_that_is_not_basic_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer abc".parse().unwrap());
        assert!(basic(&headers).is_err());
    }
}
