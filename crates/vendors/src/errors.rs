//! How a product says that something went wrong, and what is meant by it.

mod normal;
mod words_of;

use sallyport_fhir::ResourceType;

pub use normal::{Answer, Normal};

use crate::{
    Fact, Text,
    fact::assumed,
    setting::{texts, words},
};

words! {
    /// What went wrong, as far as a caller can act on it.
    Cause {
        /// The access token is not accepted.
        Token = "token",
        /// The token lacks a scope.
        Scope = "scope",
        /// The person, the client or the patient's choice does not permit it.
        Permission = "permission",
        /// The tenant is not enabled for this client.
        Tenant = "tenant",
        /// A search parameter is missing. Not a question of rights, whatever the status says.
        ParameterMissing = "parameter-missing",
        /// A search parameter is not understood, or two do not go together.
        ParameterInvalid = "parameter-invalid",
        /// The EHR does not do this at all.
        NotOffered = "not-offered",
        /// There is no such record.
        NotFound = "not-found",
        /// It was deleted.
        Gone = "gone",
        /// It was merged into another.
        Merged = "merged",
        /// The search that a page belonged to is forgotten.
        PageExpired = "page-expired",
        /// Too many matches.
        TooBroad = "too-broad",
        /// An old version was written to.
        Stale = "stale",
        /// What was written breaks a rule.
        Unprocessable = "unprocessable",
        /// Too many calls.
        Throttled = "throttled",
        /// The EHR failed; another try may do.
        Failing = "failing",
        /// The EHR did not answer in time.
        Timeout = "timeout",
        /// It sent the call elsewhere.
        Redirect = "redirect",
        /// Something else.
        Other = "other",
    }
}

/// By what a cause is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// This code among the issue's codings.
    Code(&'static str),
    /// These words in the body, in lower case.
    Words(&'static str),
    /// This `error` in `WWW-Authenticate: Bearer`.
    Bearer(&'static str),
    /// This issue type of an OperationOutcome.
    Issue(&'static str),
    /// It was a search on any type.
    Search,
    /// It was a search on this type.
    SearchOn(ResourceType),
    /// Nothing but the status.
    Status,
}

/// One way to recognise a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// With which status; `None`: with any.
    pub status: Option<u16>,
    /// By what.
    pub mark: Mark,
    /// What it means.
    pub cause: Cause,
}

impl Sign {
    /// A sign with a status.
    pub(crate) fn new(status: u16, mark: Mark, cause: Cause) -> Self {
        Self { status: Some(status), mark, cause }
    }

    /// A sign whatever the status.
    pub(crate) fn any(mark: Mark, cause: Cause) -> Self {
        Self { status: None, mark, cause }
    }
}

words! {
    /// Shapes of error bodies.
    Body {
        /// An OperationOutcome.
        Outcome = "outcome",
        /// An OperationOutcome whose issues have no code.
        OutcomeWithoutCode = "outcome-without-code",
        /// JSON of the product's own.
        Json = "json",
        /// JSON that is an empty text.
        EmptyText = "empty-text",
        /// A web page.
        Html = "html",
        /// XML.
        Xml = "xml",
        /// Nothing.
        Empty = "empty",
    }
}

/// Errors.
#[derive(Debug, Clone)]
pub struct Errors {
    /// Shapes that were seen.
    pub bodies: Fact<Vec<Body>>,
    /// The system of the product's own codes.
    pub code_system: Fact<Option<Text>>,
    /// How causes are recognised, before what the standard says.
    pub signs: Vec<Fact<Sign>>,
    /// Codes in a good answer that say "there is nothing".
    pub nothing_codes: Fact<Vec<Text>>,
    /// Codes in a good answer that say "something was withheld": the answer is partial.
    pub partial_codes: Fact<Vec<Text>>,
    /// Headers that carry the EHR's own id of the request, in lower case.
    pub correlation_headers: Fact<Vec<Text>>,
    /// The token endpoint explains itself by `error_uri` alone.
    pub error_uri_only: Fact<bool>,
}

impl Errors {
    /// What FHIR R4 §3.1.0 and RFC 6750 §3.1 say.
    pub(crate) fn standard() -> Self {
        Self {
            bodies: assumed(vec![Body::Outcome]),
            code_system: assumed(None),
            signs: Vec::new(),
            nothing_codes: assumed(Vec::new()),
            partial_codes: assumed(Vec::new()),
            correlation_headers: assumed(texts(&["x-request-id", "x-correlation-id"])),
            error_uri_only: assumed(false),
        }
    }
}

/// Signs of every product, asked after its own. RFC 6750 §3.1, FHIR R4 ValueSet issue-type, FHIR R4 §3.1.0.
pub(crate) const STANDARD_SIGNS: &[Sign] = &[
    sign(None, Mark::Bearer("insufficient_scope"), Cause::Scope),
    sign(Some(401), Mark::Status, Cause::Token),
    sign(None, Mark::Bearer("invalid_token"), Cause::Token),
    sign(Some(429), Mark::Status, Cause::Throttled),
    sign(None, Mark::Issue("throttled"), Cause::Throttled),
    sign(Some(410), Mark::Status, Cause::Gone),
    sign(None, Mark::Issue("deleted"), Cause::Gone),
    sign(Some(403), Mark::Status, Cause::Permission),
    sign(Some(409), Mark::Status, Cause::Stale),
    sign(Some(412), Mark::Status, Cause::Stale),
    sign(Some(413), Mark::Status, Cause::TooBroad),
    sign(Some(422), Mark::Issue("too-costly"), Cause::TooBroad),
    sign(Some(400), Mark::Issue("too-costly"), Cause::TooBroad),
    sign(Some(400), Mark::Issue("required"), Cause::ParameterMissing),
    sign(Some(422), Mark::Search, Cause::ParameterInvalid),
    sign(Some(422), Mark::Status, Cause::Unprocessable),
    sign(Some(400), Mark::Issue("not-supported"), Cause::NotOffered),
    sign(Some(400), Mark::Search, Cause::ParameterInvalid),
    sign(Some(404), Mark::Issue("not-supported"), Cause::NotOffered),
    // A search that finds nothing is an empty Bundle: 404 to one means that there is no such search.
    sign(Some(404), Mark::Search, Cause::NotOffered),
    sign(Some(404), Mark::Status, Cause::NotFound),
    sign(Some(405), Mark::Status, Cause::NotOffered),
    sign(Some(501), Mark::Status, Cause::NotOffered),
    sign(Some(503), Mark::Status, Cause::Throttled),
    sign(Some(408), Mark::Status, Cause::Timeout),
    sign(Some(504), Mark::Status, Cause::Timeout),
];

const fn sign(status: Option<u16>, mark: Mark, cause: Cause) -> Sign {
    Sign { status, mark, cause }
}
