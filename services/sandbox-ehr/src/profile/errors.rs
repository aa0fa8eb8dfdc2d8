//! Knobs of the FHIR server's errors: for a cause, what the product answers.

/// Why a FHIR request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No token, or one that is not good.
    Token,
    /// The token lacks the scope.
    Scope,
    /// A type that the organisation has not switched on, whatever the token says.
    DeniedType,
    /// The token is bound to another patient.
    OtherPatient,
    /// No such type or operation.
    Address,
    /// The method is not one of this address.
    Method,
    /// No such resource.
    UnknownId,
    /// No such version of it.
    UnknownVersion,
    /// What stands for an id is none.
    BadId,
    /// The search lacks parameters.
    MissingParameter,
    /// A search parameter is not known.
    UnknownParameter,
    /// A modifier or value of a search is wrong.
    BadParameter,
    /// A page is no longer kept.
    PageGone,
    /// The answer cannot be had in the asked format.
    NotAcceptable,
    /// The request is too long or of the wrong type.
    Body,
    /// The type is not one that may be written.
    NotWritable,
    /// An update on a version that is not the newest.
    Stale,
    /// What is to be written is refused.
    Content,
    /// Too many requests.
    TooMany,
    /// The server failed.
    Server,
}

/// What a product answers for one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRow {
    /// The cause.
    pub cause: Cause,
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: ErrorBody,
    /// `WWW-Authenticate`, where it is sent.
    pub challenge: Option<&'static str>,
}

/// The body of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorBody {
    /// None, and no content type.
    Empty,
    /// The JSON string `""`.
    EmptyString,
    /// A web server's error page.
    Html(&'static str),
    /// `{"resource": …, "detail": …}`.
    ResourceDetail(&'static str),
    /// An OperationOutcome of one issue: issue type, `details.coding` (system, code), text.
    Coded(&'static str, (&'static str, &'static str), &'static str),
    /// An OperationOutcome of one issue: issue type and `diagnostics`.
    Outcome(&'static str, &'static str),
    /// An OperationOutcome whose issue has no `code`.
    Codeless(&'static str),
    /// An OperationOutcome with the text in an HTML narrative too.
    Narrative(&'static str, &'static str),
    /// An OperationOutcome of an information issue (code of this system, text) before the fatal one.
    InformationFirst((&'static str, &'static str), &'static str, &'static str),
}

impl ErrorRow {
    /// A row without a challenge.
    #[must_use]
    pub const fn new(cause: Cause, status: u16, body: ErrorBody) -> Self {
        Self { cause, status, body, challenge: None }
    }

    /// The same with a challenge.
    #[must_use]
    pub const fn challenging(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }
}
