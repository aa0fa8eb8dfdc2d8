//! Failures and the OperationOutcome that tells of them.
//!
//! Messages say what to do and repeat nothing of the request.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::negotiate::MEDIA_TYPE;

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// Code of <http://hl7.org/fhir/issue-type>.
    code: &'static str,
    text: &'static str,
    /// Which of the search parameters is meant, counted from 1.
    parameter: Option<usize>,
}

impl Failure {
    pub(crate) const NO_SUCH_ADDRESS: Self = Self::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no such resource type or operation here: see /metadata",
    );
    pub(crate) const METHOD: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "this interaction is not supported here: see /metadata for those that are",
    );
    pub(crate) const TOO_LONG: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-long",
        "the search form is too long: send fewer values",
    );
    pub(crate) const NOT_A_FORM: Self = Self::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "invalid",
        "a search is sent as application/x-www-form-urlencoded",
    );
    pub(crate) const NOT_ACCEPTABLE: Self = Self::new(
        StatusCode::NOT_ACCEPTABLE,
        "not-supported",
        "this server speaks application/fhir+json in version 4.0: ask for that",
    );
    pub(crate) const UNKNOWN_RESOURCE: Self = Self::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no resource with this id: check the reference",
    );
    pub(crate) const UNKNOWN_VERSION: Self = Self::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "the resource has no such version: read it without _history",
    );
    pub(crate) const BAD_ID: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "value",
        "an id has 1 to 64 letters, digits, '-' or '.': send the id as it was given out",
    );
    pub(crate) const NO_SCOPE: Self = Self::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "the access token has no scope for this interaction: ask for the scope at launch",
    );
    pub(crate) const OTHER_PATIENT: Self = Self::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "the access token is bound to another patient: launch the app for this one",
    );
    pub(crate) const CURSOR_GONE: Self =
        Self::new(StatusCode::GONE, "expired", "the page is no longer kept: search again");
    pub(crate) const UNKNOWN_PARAMETER: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "not-supported",
        "a search parameter is not supported: see /metadata, or send Prefer: handling=lenient to have it ignored",
    );
    pub(crate) const BAD_MODIFIER: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "not-supported",
        "a search modifier is not supported: leave it out",
    );
    pub(crate) const BAD_VALUE: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "value",
        "a search value is malformed: check dates, counts and references",
    );
    pub(crate) const UNPROCESSABLE: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "exception",
        "the answer could not be written: try again",
    );

    const fn new(status: StatusCode, code: &'static str, text: &'static str) -> Self {
        Self { status, code, text, parameter: None }
    }

    /// The same failure, naming the search parameter by its place in the request.
    pub(crate) fn at(mut self, index: usize) -> Self {
        self.parameter = Some(index + 1);
        self
    }

    fn body(&self) -> Value {
        outcome("error", self.code, self.text, self.parameter)
    }
}

/// An OperationOutcome of one issue.
pub(crate) fn outcome(severity: &str, code: &str, text: &str, parameter: Option<usize>) -> Value {
    let diagnostics = match parameter {
        Some(number) => format!("{text} (search parameter number {number})"),
        None => text.to_owned(),
    };
    json!({
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": severity, "code": code, "diagnostics": diagnostics }],
    })
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::NO_SCOPE {
            // RFC 6750 section 3.1.
            let challenge = "Bearer realm=\"sandbox-ehr\", error=\"insufficient_scope\"";
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.entry(ALLOW).or_insert(HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_an_operation_outcome_that_counts_parameters_instead_of_repeating_them() {
        let body = Failure::UNKNOWN_PARAMETER.at(2).body();
        assert_eq!(body["resourceType"], "OperationOutcome");
        assert_eq!(body["issue"][0]["severity"], "error");
        assert!(body["issue"][0]["diagnostics"].as_str().unwrap().ends_with("(search parameter number 3)"));
    }

    #[test]
    fn a_missing_scope_is_challenged_and_a_foreign_patient_is_not() {
        assert!(Failure::NO_SCOPE.into_response().headers().contains_key(WWW_AUTHENTICATE));
        assert!(!Failure::OTHER_PATIENT.into_response().headers().contains_key(WWW_AUTHENTICATE));
    }
}
