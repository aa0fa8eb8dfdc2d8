//! Knobs of the authorization request and of what is kept after it.

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshStyle {
    /// Each use answers with a new one; using an old one again revokes the whole family (RFC 9700 §4.14).
    Rotating,
    /// It stays the same until it expires, and the answer holds none.
    Static,
    /// Each use answers with a new one that expires when the first one would have; the old ones stay good.
    Rolling,
}

/// How `aud` of an authorize request is compared with the FHIR base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceCheck {
    /// As strings.
    Exact,
    /// As strings, but one trailing slash does not matter.
    SlashTolerant,
    /// It must be left out.
    Forbidden,
}

/// What is made of PKCE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// A request without a challenge is refused.
    Required,
    /// A challenge that is sent is checked.
    Optional,
    /// A challenge is neither advertised nor checked.
    Ignored,
}

/// How a redirect URI is compared with the registered ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectCheck {
    /// As strings.
    Exact,
    /// As strings up to the query; the query is the app's own.
    ExactWithFreeQuery,
}

/// What becomes of resource scopes of version 1 (`read`) and 2 (`rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeDialect {
    /// They are granted as asked.
    AsAsked,
    /// They are granted and told in version 1, whichever was asked.
    AnswersVersion1,
    /// Those of version 1 are dropped without a word.
    DropsVersion1,
}

/// On which host the authorization server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationHost {
    /// The FHIR server's.
    Same,
    /// Another one: the sandbox's second name ([`crate::Config::second_base`]).
    Other,
}

/// When a person is asked to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentStyle {
    /// In a standalone launch; an app launched from within the EHR was agreed to by the organisation.
    StandaloneOnly,
    /// At every launch.
    Always,
}

/// The type of `need_patient_banner` in token responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BannerStyle {
    /// A JSON boolean, as SMART says.
    Boolean,
    /// A string, as some products send.
    Text,
}
