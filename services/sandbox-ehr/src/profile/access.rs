//! Knobs of discovery, token responses, id tokens, introspection and OAuth errors.

use super::authorization::AuthorizationHost;

/// What an app can find out before it sends anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// Members that smart-configuration lacks.
    pub omits: &'static [&'static str],
    /// Members that smart-configuration has under another name: (right name, name used).
    pub renames: &'static [(&'static str, &'static str)],
    /// The OAuth addresses in the CapabilityStatement.
    pub oauth_uris: OauthUris,
    /// Where the authorization server is.
    pub host: AuthorizationHost,
    /// What calls itself the issuer.
    pub issuer: Issuer,
}

/// The `oauth-uris` extension of the CapabilityStatement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthUris {
    /// All endpoints.
    All,
    /// Authorize and token endpoint only.
    AuthorizeAndToken,
    /// Not there.
    Absent,
    /// Twice, once under an address that is none.
    TwiceOnceMalformed,
}

/// The OpenID Connect issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// The authorization server's address.
    AuthorizationServer,
    /// The FHIR base.
    FhirBase,
    /// An address on a host of somebody else.
    Elsewhere(&'static str),
}

/// What a token response holds beside the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenAnswer {
    /// How `token_type` is spelt.
    pub token_type: &'static str,
    /// How `scope` is written.
    pub scope_case: ScopeCase,
    /// Whether a granted `offline_access` is left out of `scope`.
    pub hides_offline_access: bool,
    /// Members of fixed value.
    pub extras: &'static [(&'static str, &'static str)],
    /// A member with the patient's id in an older version of FHIR.
    pub old_patient_member: Option<&'static str>,
    /// Whether the `state` of the authorize request comes back here too.
    pub repeats_state: bool,
    /// `active_ttl` for grants of `online_access`, seconds; refreshing then needs `active_at`.
    pub active_seconds: Option<i64>,
}

/// How a granted scope is written in token responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeCase {
    /// As granted.
    AsGranted,
    /// Each resource scope twice, once with a capital letter in its rights.
    MixedAndTwice,
}

/// What an id token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdToken {
    /// Whether it names its key.
    pub has_kid: bool,
    /// Who `sub` is.
    pub subject: Subject,
    /// How `fhirUser` is written.
    pub fhir_user: FhirUser,
    /// Whether `preferred_username` comes with scope `profile`.
    pub has_username: bool,
}

/// What `sub` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A value that says nothing.
    Opaque,
    /// The id of the user's resource.
    FhirId,
}

/// How `fhirUser` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FhirUser {
    /// As an absolute URL.
    Absolute,
    /// As a relative reference.
    Relative,
    /// Not at all.
    Absent,
}

/// Who may ask about a token (RFC 7662).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// An authenticated client, or the bearer of an access token.
    ClientOrBearer,
    /// The bearer of an access token only.
    BearerOnly,
}

/// The shape of errors at the authorize and the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthErrors {
    /// `error` and `error_description`.
    Described,
    /// `error` and an `error_description` of null.
    NullDescription,
    /// `error` and an `error_uri` of this host, which names the instance of the error.
    UriOnly(&'static str),
    /// `resource` and `detail`, and no `error`.
    ResourceDetail,
}
