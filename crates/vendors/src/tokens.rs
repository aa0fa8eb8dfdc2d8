//! Tokens: how long they live, how they are renewed, what comes beside them, and what an id_token looks like.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// What a token endpoint does with refresh tokens (RFC 9700 §4.14).
    Rotation {
        /// Each use returns a new one and kills the old: an unknown outcome is never retried.
        Rotates = "rotates",
        /// The same one for its whole life: an unknown outcome may be retried within a budget.
        Static = "static",
        /// Not known: treated as rotating.
        Unknown = "unknown",
    }
}

impl Rotation {
    /// Whether the same refresh token may be sent again after an unknown outcome.
    pub fn retry_is_safe(self) -> bool {
        matches!(self, Self::Static)
    }
}

words! {
    /// What has to be so for a person's launch to yield a refresh token.
    RefreshNeeds {
        /// `online_access` or `offline_access`, as SMART says.
        Scope = "scope",
        /// `offline_access` alone.
        OfflineAccess = "offline-access",
        /// A confidential client that the vendor configured for it.
        ConfiguredClient = "configured-client",
        /// Nothing yields one.
        Never = "never",
    }
}

words! {
    /// How `fhirUser` is written.
    FhirUser {
        /// An absolute URL.
        Absolute = "absolute",
        /// `Practitioner/1`
        Relative = "relative",
        /// Either.
        Either = "either",
        /// Not there unless somebody maps it.
        Absent = "absent",
    }
}

/// Tokens and identity.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Refresh-token behaviour.
    pub rotation: Fact<Rotation>,
    /// What yields a refresh token.
    pub refresh_needs: Fact<RefreshNeeds>,
    /// Ask for `online_access` because it yields a refresh token for the session.
    pub online_access: Fact<bool>,
    /// Refresh when less than this remains, in seconds.
    pub refresh_margin_seconds: Fact<i64>,
    /// Refreshes closer together than this are throttled, in seconds.
    pub refresh_interval_seconds: Fact<Option<i64>>,
    /// A refresh token that is not used for this long dies, in seconds.
    pub refresh_idle_seconds: Fact<Option<i64>>,
    /// Refresh in the background at this interval because tokens die unused, in seconds.
    pub keep_alive_seconds: Fact<Option<i64>>,
    /// Lifetime of access tokens that is usual, in seconds; the answer decides.
    pub access_seconds: Fact<Option<i64>>,
    /// Lifetime assumed when `expires_in` is absent, in seconds.
    pub default_expires_seconds: Fact<i64>,
    /// Longest lifetime believed, in seconds.
    pub max_expires_seconds: Fact<i64>,
    /// Retries after an unknown outcome, for [`Rotation::Static`].
    pub static_retry_budget: Fact<u32>,
    /// Longest wait for an answer of a token endpoint, in milliseconds.
    pub timeout_ms: Fact<u64>,
    /// `need_patient_banner` comes as a text.
    pub banner_as_text: Fact<bool>,
    /// A clinician's standalone launch names no patient.
    pub no_patient_standalone: Fact<bool>,
    /// Members beside SMART's own. They are ignored, and never an error.
    pub extras: Fact<Vec<Text>>,
    /// The session at the EHR must be told that the person is active (`active_ttl`, `active_at`).
    pub active_presence: Fact<bool>,
    /// What older releases append to the pinned issuer in an id_token's `iss`. The keys are the pinned issuer's in any case.
    pub issuer_suffixes: Fact<Vec<Text>>,
    /// How `fhirUser` is written.
    pub fhir_user: Fact<FhirUser>,
}

impl Tokens {
    /// What SMART App Launch 2.2 and OpenID Connect ask for.
    pub(crate) fn standard() -> Self {
        Self {
            rotation: assumed(Rotation::Unknown),
            refresh_needs: assumed(RefreshNeeds::Scope),
            online_access: assumed(false),
            refresh_margin_seconds: assumed(60),
            refresh_interval_seconds: assumed(None),
            refresh_idle_seconds: assumed(None),
            keep_alive_seconds: assumed(None),
            access_seconds: assumed(None),
            default_expires_seconds: assumed(300),
            max_expires_seconds: assumed(3_600),
            static_retry_budget: assumed(2),
            timeout_ms: assumed(15_000),
            banner_as_text: assumed(false),
            no_patient_standalone: assumed(false),
            extras: assumed(Vec::new()),
            active_presence: assumed(false),
            issuer_suffixes: assumed(Vec::new()),
            fhir_user: assumed(FhirUser::Either),
        }
    }
}
