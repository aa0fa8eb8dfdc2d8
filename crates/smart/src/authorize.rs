//! The authorization request and its answer (SMART 2.2 app-launch steps 4 and 5, RFC 6749 §4.1, RFC 9207).

mod response;
mod scopes;

use sallyport_model::Secret;
use url::{Url, form_urlencoded};

pub use response::{Answer, IssuerMismatch, Refusal, Response, ResponseFault, check_issuer};
pub use scopes::{Asked, choose_dialect, requested_scope};

/// Longer requests than this go by POST where the EHR takes it: proxies cut URLs at about 8 KiB, some at 2 KiB.
pub const LONG_REQUEST_BYTES: usize = 2_000;

/// One authorization request. Every field is a parameter.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Our client id at this endpoint.
    pub client_id: &'a str,
    /// Exactly as registered.
    pub redirect_uri: &'a str,
    /// In one dialect.
    pub scope: &'a str,
    /// 256 random bits, one time, bound to the browser.
    pub state: &'a Secret<String>,
    /// The FHIR base as received (SMART: servers compare strings); `None` for a product that refuses one.
    pub aud: Option<&'a str>,
    /// Sent with `openid`; empty when the profile does not want one.
    pub nonce: &'a str,
    /// S256 of the verifier.
    pub code_challenge: &'a str,
    /// The EHR's launch token, unchanged; `None` for a standalone launch, where the parameter is omitted.
    pub launch: Option<&'a str>,
}

impl Request<'_> {
    /// The parameters in order, for a query or a form.
    pub fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", self.scope),
            ("state", self.state.expose()),
        ];
        all.extend(self.aud.map(|aud| ("aud", aud)));
        all.push(("code_challenge", self.code_challenge));
        all.push(("code_challenge_method", crate::pkce::METHOD));
        if !self.nonce.is_empty() {
            all.push(("nonce", self.nonce));
        }
        if let Some(launch) = self.launch {
            all.push(("launch", launch));
        }
        all
    }

    /// The URL for a GET request; a query that the endpoint has already is kept (RFC 6749 §3.1).
    pub fn url(&self, authorize: &Url) -> Url {
        let mut url = authorize.clone();
        url.query_pairs_mut().extend_pairs(self.parameters());
        url
    }

    /// How many bytes the parameters take, encoded: decides between GET and POST.
    pub fn encoded_length(&self) -> usize {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.parameters()).finish().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(state: &'a Secret<String>, launch: Option<&'a str>) -> Request<'a> {
        Request {
            client_id: "my app",
            redirect_uri: "https://app.example.org/callback/r1",
            scope: "launch openid fhirUser patient/Observation.rs",
            state,
            aud: Some("https://ehr.example.org/r4"),
            nonce: "n-1",
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            launch,
        }
    }

    #[test]
    fn an_ehr_launch_sends_every_parameter_the_specification_names() {
        let state = Secret::new("s".repeat(43));
        let authorize = Url::parse("https://ehr.example.org/authorize?tenant=7").unwrap();
        let url = request(&state, Some("xyz+/=&")).url(&authorize);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [
            ("tenant", "7"),
            ("response_type", "code"),
            ("client_id", "my app"),
            ("redirect_uri", "https://app.example.org/callback/r1"),
            ("scope", "launch openid fhirUser patient/Observation.rs"),
            ("state", state.expose()),
            ("aud", "https://ehr.example.org/r4"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
            ("nonce", "n-1"),
            ("launch", "xyz+/=&"),
        ];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_standalone_launch_has_no_launch_parameter() {
        let state = Secret::new("s".repeat(43));
        let request = request(&state, None);
        assert!(request.parameters().iter().all(|(name, _)| *name != "launch"));
        assert!(request.encoded_length() > 200);
    }

    #[test]
    fn a_product_that_refuses_an_audience_gets_none() {
        let state = Secret::new("s".repeat(43));
        let request = Request { aud: None, ..request(&state, None) };
        assert!(request.parameters().iter().all(|(name, _)| *name != "aud"));
    }
}
