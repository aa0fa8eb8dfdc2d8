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
use crate::dress;
use crate::profile::{Cause, ErrorRow};

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// Code of <http://hl7.org/fhir/issue-type>.
    code: &'static str,
    text: &'static str,
    /// Which of the search parameters is meant, counted from 1.
    parameter: Option<usize>,
    cause: Cause,
    /// The product's own answer to this very request.
    row: Option<&'static ErrorRow>,
}

impl Failure {
    pub(crate) const NO_SUCH_ADDRESS: Self = Self::new(
        Cause::Address,
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no such resource type or operation here: see /metadata",
    );
    pub(crate) const METHOD: Self = Self::new(
        Cause::Method,
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "this interaction is not supported here: see /metadata for those that are",
    );
    pub(crate) const TOO_LONG: Self = Self::new(
        Cause::Body,
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-long",
        "the search form is too long: send fewer values",
    );
    pub(crate) const NOT_A_FORM: Self = Self::new(
        Cause::Body,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "invalid",
        "a search is sent as application/x-www-form-urlencoded",
    );
    pub(crate) const NOT_ACCEPTABLE: Self = Self::new(
        Cause::NotAcceptable,
        StatusCode::NOT_ACCEPTABLE,
        "not-supported",
        "this server speaks application/fhir+json in version 4.0: ask for that",
    );
    pub(crate) const UNKNOWN_RESOURCE: Self = Self::new(
        Cause::UnknownId,
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no resource with this id: check the reference",
    );
    pub(crate) const UNKNOWN_VERSION: Self = Self::new(
        Cause::UnknownVersion,
        StatusCode::NOT_FOUND,
        "not-found",
        "the resource has no such version: read it without _history",
    );
    pub(crate) const BAD_ID: Self = Self::new(
        Cause::BadId,
        StatusCode::BAD_REQUEST,
        "value",
        "an id has 1 to 64 letters, digits, '-' or '.': send the id as it was given out",
    );
    pub(crate) const NO_SCOPE: Self = Self::new(
        Cause::Scope,
        StatusCode::FORBIDDEN,
        "forbidden",
        "the access token has no scope for this interaction: ask for the scope at launch",
    );
    pub(crate) const OTHER_PATIENT: Self = Self::new(
        Cause::OtherPatient,
        StatusCode::FORBIDDEN,
        "forbidden",
        "the access token is bound to another patient: launch the app for this one",
    );
    pub(crate) const CURSOR_GONE: Self =
        Self::new(Cause::PageGone, StatusCode::GONE, "expired", "the page is no longer kept: search again");
    pub(crate) const UNKNOWN_PARAMETER: Self = Self::new(
        Cause::UnknownParameter,
        StatusCode::BAD_REQUEST,
        "not-supported",
        "a search parameter is not supported: see /metadata, or send Prefer: handling=lenient to have it ignored",
    );
    pub(crate) const BAD_MODIFIER: Self = Self::new(
        Cause::BadParameter,
        StatusCode::BAD_REQUEST,
        "not-supported",
        "a search modifier is not supported: leave it out",
    );
    pub(crate) const BAD_VALUE: Self = Self::new(
        Cause::BadParameter,
        StatusCode::BAD_REQUEST,
        "value",
        "a search value is malformed: check dates, counts and references",
    );
    pub(crate) const NOT_WRITABLE: Self = Self::new(
        Cause::NotWritable,
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "this resource type cannot be written so here: see /metadata for those that can",
    );
    pub(crate) const NOT_A_RESOURCE: Self = Self::new(
        Cause::Content,
        StatusCode::BAD_REQUEST,
        "structure",
        "the body is not a FHIR resource of the address's type and id: send it as application/fhir+json",
    );
    pub(crate) const RESOURCE_TOO_LONG: Self = Self::new(
        Cause::Body,
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-long",
        "the resource is too long to be stored",
    );
    pub(crate) const NOT_FHIR_JSON: Self = Self::new(
        Cause::Body,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "invalid",
        "a resource is sent as application/fhir+json",
    );
    pub(crate) const REQUIRED_MISSING: Self = Self::new(
        Cause::Content,
        StatusCode::UNPROCESSABLE_ENTITY,
        "required",
        "an element that this type cannot do without is missing",
    );
    pub(crate) const BUSINESS_RULE: Self = Self::new(
        Cause::Content,
        StatusCode::UNPROCESSABLE_ENTITY,
        "business-rule",
        "the resource holds what is not taken here: a category, a content type, a mixture of codes or an element",
    );
    pub(crate) const UNKNOWN_SUBJECT: Self = Self::new(
        Cause::Content,
        StatusCode::UNPROCESSABLE_ENTITY,
        "not-found",
        "the patient that the resource is about does not exist here",
    );
    pub(crate) const NO_MATCH_HEADER: Self = Self::new(
        Cause::Content,
        StatusCode::BAD_REQUEST,
        "required",
        "an update is sent with If-Match: read the resource for its ETag",
    );
    pub(crate) const BAD_CONDITION: Self = Self::new(
        Cause::BadParameter,
        StatusCode::BAD_REQUEST,
        "value",
        "If-None-Exist must be a search by known parameters",
    );
    pub(crate) const SEVERAL_MATCH: Self = Self::new(
        Cause::Content,
        StatusCode::PRECONDITION_FAILED,
        "multiple-matches",
        "several resources match If-None-Exist: nothing was created",
    );

    pub(crate) const UNPROCESSABLE: Self = Self::new(
        Cause::Server,
        StatusCode::INTERNAL_SERVER_ERROR,
        "exception",
        "the answer could not be written: try again",
    );

    pub(crate) const NOT_ASYNC: Self = Self::new(
        Cause::BadParameter,
        StatusCode::BAD_REQUEST,
        "invalid",
        "an export is asked for with Prefer: respond-async",
    );
    pub(crate) const EXPORTED_RECENTLY: Self = Self::new(
        Cause::TooMany,
        StatusCode::TOO_MANY_REQUESTS,
        "throttled",
        "The Client requested this Group too recently",
    );
    pub(crate) const EXPORT_RUNNING: Self = Self::new(
        Cause::TooMany,
        StatusCode::TOO_MANY_REQUESTS,
        "throttled",
        "an export of this client is there already: delete it first",
    );
    pub(crate) const DENIED_TYPE: Self = Self::new(
        Cause::DeniedType,
        StatusCode::FORBIDDEN,
        "forbidden",
        "this resource type is not switched on here, whatever the token's scopes say",
    );

    const fn new(cause: Cause, status: StatusCode, code: &'static str, text: &'static str) -> Self {
        Self { status, code, text, parameter: None, cause, row: None }
    }

    /// An update on a version that is not the newest; products differ in its status.
    pub(crate) fn stale(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::PRECONDITION_FAILED);
        Self::new(Cause::Stale, status, "conflict", "the resource was changed meanwhile: read it again")
    }

    /// A failure that only this product has.
    pub(crate) fn of_row(row: &'static ErrorRow) -> Self {
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { row: Some(row), ..Self::new(row.cause, status, "processing", "the product refuses this") }
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
        if let Some(row) = self.row {
            return dress::of_row(row);
        }
        let mut response = (self.status, self.body().to_string()).into_response();
        response.extensions_mut().insert(self.cause);
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
