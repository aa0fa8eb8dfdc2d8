//! How one EHR product behaves, as a table of knobs that the handlers read. A new vendor profile is a new
//! constant here, never a condition on its name elsewhere.

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshStyle {
    /// Each use answers with a new one; using an old one again revokes the whole family (RFC 9700 §4.14).
    Rotating,
    /// It stays the same until it expires.
    Static,
}

/// How `aud` of an authorize request is compared with the FHIR base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceCheck {
    /// As strings.
    Exact,
    /// As strings, but one trailing slash does not matter.
    SlashTolerant,
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

/// The knobs.
#[derive(Debug)]
pub struct Profile {
    /// First path segment of the FHIR base.
    pub name: &'static str,
    /// Shown to people.
    pub title: &'static str,
    /// `capabilities` of smart-configuration.
    pub capabilities: &'static [&'static str],
    /// `scopes_supported` of smart-configuration.
    pub scopes_supported: &'static [&'static str],
    /// Lifetime of an authorization code, seconds.
    pub code_seconds: i64,
    /// How long a `launch` value may be used, seconds.
    pub launch_seconds: i64,
    /// Whether a `launch` value dies at its first use.
    pub is_launch_one_time: bool,
    /// Lifetime of an access token, seconds.
    pub access_token_seconds: i64,
    /// Lifetime of a refresh token granted for `offline_access`, seconds.
    pub offline_seconds: i64,
    /// Lifetime of a refresh token granted for `online_access`, seconds.
    pub online_seconds: i64,
    /// Lifetime of an id token, seconds.
    pub id_token_seconds: i64,
    /// What happens to refresh tokens.
    pub refresh: RefreshStyle,
    /// How `aud` is compared.
    pub audience: AudienceCheck,
    /// When consent is asked.
    pub consent: ConsentStyle,
    /// Whether authorization answers carry `iss` (RFC 9207).
    pub answers_with_iss: bool,
    /// Whether `typ: JWT` is demanded of client assertions.
    pub requires_assertion_typ: bool,
    /// Longest lifetime of a client assertion, seconds.
    pub assertion_seconds: i64,
    /// Whether id tokens name their key.
    pub id_token_has_kid: bool,
    /// HTTP status of an `invalid_grant` answer.
    pub invalid_grant_status: u16,
    /// Type of `need_patient_banner`.
    pub banner: BannerStyle,
}

/// An EHR's SMART 2.2 capabilities that this server has all of.
const ALL_CAPABILITIES: &[&str] = &[
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

const SCOPES: &[&str] = &[
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "launch/encounter",
    "online_access",
    "offline_access",
    "patient/*.rs",
    "user/*.rs",
    "patient/*.cruds",
    "user/*.cruds",
    "patient/*.read",
    "user/*.read",
];

impl Profile {
    /// The EHR that does exactly what SMART App Launch 2.2 says, and insists that clients do too.
    pub const STRICT: Self = Self {
        name: "strict",
        title: "Strict SMART 2.2",
        capabilities: ALL_CAPABILITIES,
        scopes_supported: SCOPES,
        code_seconds: 60,
        launch_seconds: 300,
        is_launch_one_time: false,
        access_token_seconds: 3600,
        offline_seconds: 90 * 24 * 3600,
        online_seconds: 12 * 3600,
        id_token_seconds: 300,
        refresh: RefreshStyle::Rotating,
        audience: AudienceCheck::Exact,
        consent: ConsentStyle::StandaloneOnly,
        answers_with_iss: true,
        requires_assertion_typ: true,
        assertion_seconds: 300,
        id_token_has_kid: true,
        invalid_grant_status: 400,
        banner: BannerStyle::Boolean,
    };

    /// All profiles.
    pub const ALL: &'static [&'static Self] = &[&Self::STRICT];

    /// The profile of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|profile| profile.name == name)
    }
}
