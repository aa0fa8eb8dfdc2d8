//! How one EHR product behaves, as a table of knobs that the handlers read. A product is a value in a file
//! of its own below `products`; handlers ask the knob, never whose it is.

mod access;
mod authorization;
mod bulk;
mod data;
mod errors;
mod limits;
mod products;
mod search;
mod writes;

pub use access::{
    Discovery, FhirUser, IdToken, Introspection, Issuer, OauthErrors, OauthUris, ScopeCase, Subject,
    TokenAnswer,
};
pub use authorization::{
    AudienceCheck, AuthorizationHost, BannerStyle, ConsentStyle, Pkce, RedirectCheck, RefreshStyle,
    ScopeDialect,
};
pub use bulk::{BulkFiles, BulkRules};
pub use data::{Attachments, Codings, DataRules, Ids, Medications, Meta, Population};
pub use errors::{Cause, ErrorBody, ErrorRow};
pub use limits::{Limit, Told, Window};
pub use search::{
    FullUrl, NextLink, Notice, PageSizes, PagingBug, Required, SearchRules, Total, UnknownParameter,
};
pub use writes::{ConditionalCreate, WriteAnswer, WriteRules};

/// The knobs.
#[derive(Debug)]
pub struct Profile {
    /// First path segment of the FHIR base.
    pub name: &'static str,
    /// Shown to people.
    pub title: &'static str,
    /// The vendor profile by which an app that has one for this product speaks to it.
    pub vendor: &'static str,
    /// `software.version` of the CapabilityStatement, by tenant in the order of the configuration; fleets
    /// are never all on one release. The last one counts for all further tenants.
    pub releases: &'static [&'static str],
    /// What is found before anything is sent.
    pub discovery: Discovery,
    /// `capabilities` of smart-configuration.
    pub capabilities: &'static [&'static str],
    /// `scopes_supported` of smart-configuration.
    pub scopes_supported: &'static [&'static str],
    /// Lifetime of an authorization code, seconds.
    pub code_seconds: i64,
    /// Length of codes, access and refresh tokens in characters; at least 43.
    pub token_length: usize,
    /// How long a `launch` value may be used, seconds.
    pub launch_seconds: i64,
    /// Whether a `launch` value dies at its first use.
    pub is_launch_one_time: bool,
    /// Lifetime of an access token, seconds.
    pub access_token_seconds: i64,
    /// Lifetime of a refresh token granted for `offline_access`, seconds.
    pub offline_seconds: i64,
    /// Lifetime of a refresh token granted for `online_access`, seconds: the session in the EHR.
    pub online_seconds: i64,
    /// Lifetime of an id token, seconds.
    pub id_token_seconds: i64,
    /// What happens to refresh tokens.
    pub refresh: RefreshStyle,
    /// A refresh token unused for this long is withdrawn, seconds.
    pub refresh_idle_seconds: Option<i64>,
    /// Whether apps without a secret or key get refresh tokens.
    pub refreshes_public_clients: bool,
    /// How `aud` is compared.
    pub audience: AudienceCheck,
    /// What is made of PKCE (RFC 7636).
    pub pkce: Pkce,
    /// How `redirect_uri` is compared with the registered ones.
    pub redirect: RedirectCheck,
    /// What becomes of scopes of either version.
    pub scope_dialect: ScopeDialect,
    /// Whether `*` may stand for all resource types in a scope; else such scopes are dropped silently.
    pub allows_wildcards: bool,
    /// Longest `scope` of an authorize request, bytes.
    pub max_scope_bytes: Option<usize>,
    /// When consent is asked.
    pub consent: ConsentStyle,
    /// Whether a standalone launch ends with a patient where one was chosen.
    pub standalone_has_patient: bool,
    /// Whether authorization answers carry `iss` (RFC 9207).
    pub answers_with_iss: bool,
    /// How clients may authenticate, as `token_endpoint_auth_methods_supported` names it.
    pub auth_methods: &'static [&'static str],
    /// Signatures of client assertions.
    pub assertion_algorithms: &'static [&'static str],
    /// Whether `typ: JWT` is demanded of client assertions.
    pub requires_assertion_typ: bool,
    /// Longest lifetime of a client assertion, seconds.
    pub assertion_seconds: i64,
    /// What token responses hold beside the tokens.
    pub answer: TokenAnswer,
    /// Type of `need_patient_banner`.
    pub banner: BannerStyle,
    /// What id tokens say.
    pub id_token: IdToken,
    /// Who may ask about a token.
    pub introspection: Introspection,
    /// HTTP status of an `invalid_grant` answer.
    pub invalid_grant_status: u16,
    /// Shape of the errors of authorize and token endpoint.
    pub oauth_errors: OauthErrors,
    /// How searches and pages behave.
    pub search: SearchRules,
    /// Errors of the FHIR server that differ from `strict`'s.
    pub errors: &'static [ErrorRow],
    /// Response headers by which the product's support finds a request; each gets a fresh value.
    pub correlation_headers: &'static [&'static str],
    /// What resources look like.
    pub data: DataRules,
    /// Backend services and bulk export; none where the product offers neither.
    pub bulk: Option<BulkRules>,
    /// What may be written; none where the product takes no writes by FHIR.
    pub writes: Option<WriteRules>,
    /// How many requests are too many.
    pub limits: &'static [Limit],
}

impl Profile {
    /// The EHR that does exactly what SMART App Launch 2.2 says, and insists that clients do too.
    pub const STRICT: Self = products::strict::PROFILE;

    /// All profiles, `strict` first.
    #[must_use]
    pub fn all() -> &'static [&'static Self] {
        products::ALL
    }

    /// The profile of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().copied().find(|profile| profile.name == name)
    }

    /// The release that the tenant at this place in the configuration runs.
    #[must_use]
    pub fn release(&self, tenant: usize) -> &'static str {
        self.releases.get(tenant).or_else(|| self.releases.last()).copied().unwrap_or_default()
    }

    /// What this profile answers for a cause, where it has an answer of its own.
    #[must_use]
    pub fn error(&self, cause: Cause) -> Option<&'static ErrorRow> {
        self.errors.iter().find(|row| row.cause == cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_each_names_one_profile() {
        for profile in Profile::all() {
            assert!(profile.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert!(Profile::named(profile.name).is_some_and(|found| std::ptr::eq(found, *profile)));
        }
        assert!(Profile::named("cerberus").is_none());
    }

    #[test]
    fn tenants_beyond_the_listed_releases_run_the_last() {
        let two = Profile { releases: &["old", "new"], ..Profile::STRICT };
        assert_eq!([two.release(0), two.release(1), two.release(9)], ["old", "new", "new"]);
    }
}
