//! How EHR products differ, said in code: one module per vendor, read by launch, vault and gateway.
//!
//! No other crate asks which vendor it is talking to; it asks the profile how that product behaves.

mod open;

use sallyport_model::VendorId;

/// What a token endpoint does with refresh tokens (RFC 9700 §4.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Each use returns a new one and kills the old: an unknown outcome is never retried.
    Rotates,
    /// The same one for its whole life: an unknown outcome may be retried within a budget.
    Static,
    /// Not known: treated as rotating.
    Unknown,
}

impl Rotation {
    /// Whether the same refresh token may be sent again after an unknown outcome.
    pub fn retry_is_safe(self) -> bool {
        matches!(self, Self::Static)
    }
}

/// What the `aud` of a client assertion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The token endpoint's URL (SMART 2.2 client-confidential-asymmetric).
    TokenUrl,
    /// The authorization server's issuer (draft-ietf-oauth-rfc7523bis).
    Issuer,
}

/// How one product behaves. Fields are read where the behaviour matters; none of them is a name to branch on.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The id that tenant files use.
    pub id: &'static str,
    /// The product's name for people.
    pub name: &'static str,
    /// Refuse the launch when discovery does not offer S256 (SMART 2.2 conformance); PKCE is sent in any case.
    pub pkce_required: bool,
    /// Send a nonce with `openid`.
    pub send_nonce: bool,
    /// Refuse an id_token without the nonce that was sent.
    pub nonce_required: bool,
    /// Refresh-token behaviour.
    pub rotation: Rotation,
    /// Refresh when less than this remains, in seconds.
    pub refresh_margin_seconds: i64,
    /// Lifetime assumed when `expires_in` is absent, in seconds.
    pub default_expires_seconds: i64,
    /// Longest lifetime believed, in seconds.
    pub max_expires_seconds: i64,
    /// Longest logical id, in characters (FHIR R4: 64; some products use up to 130).
    pub max_id_length: usize,
    /// Send `client_id` in the body for confidential clients too.
    pub client_id_in_body: bool,
    /// Form-encode id and secret before Basic (RFC 6749 §2.3.1); SMART's example does not.
    pub basic_form_encodes: bool,
    /// Audience of the client assertion.
    pub assertion_audience: AssertionAudience,
    /// Ask for `online_access` because it yields a refresh token for the session.
    pub online_access: bool,
    /// Prefer POST at the authorize endpoint when it is advertised.
    pub authorize_post: bool,
    /// Refresh in the background at this interval because tokens die unused, in seconds.
    pub keep_alive_seconds: Option<i64>,
    /// Retries after an unknown outcome, for [`Rotation::Static`].
    pub static_retry_budget: u32,
    /// Longest wait for an answer of a token endpoint, in milliseconds.
    pub token_timeout_ms: u64,
}

/// The behaviour that the specification asks for; vendors say what they do otherwise.
pub const STANDARD: Profile = Profile {
    id: "generic",
    name: "SMART on FHIR",
    pkce_required: true,
    send_nonce: true,
    nonce_required: false,
    rotation: Rotation::Unknown,
    refresh_margin_seconds: 60,
    default_expires_seconds: 300,
    max_expires_seconds: 3_600,
    max_id_length: 64,
    client_id_in_body: false,
    basic_form_encodes: false,
    assertion_audience: AssertionAudience::TokenUrl,
    online_access: false,
    authorize_post: false,
    keep_alive_seconds: None,
    static_retry_budget: 2,
    token_timeout_ms: 15_000,
};

/// The profile of that id; an unknown id is `None` and a configuration error, never a default.
pub fn profile(id: &VendorId) -> Option<&'static Profile> {
    ALL.iter().copied().find(|p| p.id == id.as_str())
}

/// Every profile.
pub const ALL: &[&Profile] = &[&open::GENERIC, &open::SANDBOX];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_id_is_a_name_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for profile in ALL {
            assert!(VendorId::parse(profile.id).is_ok());
            assert!(seen.insert(profile.id));
        }
    }

    #[test]
    fn an_unknown_rotation_is_never_retried() {
        assert!(!Rotation::Unknown.retry_is_safe() && !Rotation::Rotates.retry_is_safe());
    }
}
