//! The authorization request and how a client shows who it is.

use crate::{Fact, fact::assumed, setting::words};

words! {
    /// What is asked of the EHR about PKCE. S256 is sent in any case: no product is known that refuses it, and a server
    /// that knows nothing of it ignores it (RFC 6749 §3.1).
    Pkce {
        /// Refuse the launch when discovery does not offer S256 (SMART 2.2 conformance).
        Required = "required",
        /// Send it although discovery does not offer it: some releases do it without saying so.
        Sent = "sent",
    }
}

words! {
    /// What the `aud` of the authorization request is.
    Audience {
        /// The `iss` as it was received, or the base as it was registered: servers compare strings.
        AsReceived = "as-received",
        /// The same without its trailing slash.
        WithoutSlash = "without-slash",
        /// Not sent at all: the server refuses requests that have one.
        Omitted = "omitted",
    }
}

impl Audience {
    /// What is sent for a base; `None`: nothing.
    pub fn of(self, base: &str) -> Option<&str> {
        match self {
            Self::AsReceived => Some(base),
            Self::WithoutSlash => Some(base.strip_suffix('/').unwrap_or(base)),
            Self::Omitted => None,
        }
    }
}

words! {
    /// How a client shows who it is at the token endpoint.
    Method {
        /// Only PKCE.
        Public = "public",
        /// `client_secret_basic`
        Basic = "client_secret_basic",
        /// `client_secret_post`
        Post = "client_secret_post",
        /// `private_key_jwt`
        Assertion = "private_key_jwt",
    }
}

words! {
    /// Signatures of client assertions that the product verifies.
    Algorithm {
        /// RSA.
        Rs384 = "RS384",
        /// ECDSA P-384.
        Es384 = "ES384",
    }
}

words! {
    /// What the `aud` of a client assertion is.
    AssertionAudience {
        /// The token endpoint's URL (SMART 2.2 client-confidential-asymmetric).
        TokenUrl = "token-url",
        /// The authorization server's issuer (draft-ietf-oauth-rfc7523bis).
        Issuer = "issuer",
    }
}

words! {
    /// Whose proof an introspection carries.
    Introspection {
        /// The client's own, as at the token endpoint (RFC 7662 §2.1).
        ByClient = "by-client",
        /// An access token of the grant, as a Bearer token.
        ByAccessToken = "by-access-token",
        /// The product does not introspect.
        None = "none",
    }
}

/// Authorization and client authentication.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// What is asked about PKCE.
    pub pkce: Fact<Pkce>,
    /// `aud` of the authorization request.
    pub audience: Fact<Audience>,
    /// Send a nonce with `openid`.
    pub send_nonce: Fact<bool>,
    /// Refuse an id_token without the nonce that was sent.
    pub nonce_required: Fact<bool>,
    /// Prefer POST at the authorize endpoint when it is advertised.
    pub authorize_post: Fact<bool>,
    /// Methods that a registration may use.
    pub methods: Fact<Vec<Method>>,
    /// Signatures of assertions.
    pub algorithms: Fact<Vec<Algorithm>>,
    /// Audience of assertions.
    pub assertion_audience: Fact<AssertionAudience>,
    /// Send `client_id` in the body for confidential clients too, when a code is exchanged.
    pub client_id_at_exchange: Fact<bool>,
    /// The same when a token is refreshed.
    pub client_id_at_refresh: Fact<bool>,
    /// Form-encode id and secret before Basic (RFC 6749 §2.3.1); SMART's example does not.
    pub basic_form_encodes: Fact<bool>,
    /// Whose proof an introspection carries.
    pub introspection: Fact<Introspection>,
    /// A background client needs credentials other than those of the person's client.
    pub separate_backend_client: Fact<bool>,
}

impl OAuth {
    /// What SMART App Launch 2.2 asks for.
    pub(crate) fn standard() -> Self {
        Self {
            pkce: assumed(Pkce::Required),
            audience: assumed(Audience::AsReceived),
            send_nonce: assumed(true),
            nonce_required: assumed(false),
            authorize_post: assumed(false),
            methods: assumed(Method::ALL.to_vec()),
            algorithms: assumed(Algorithm::ALL.to_vec()),
            assertion_audience: assumed(AssertionAudience::TokenUrl),
            client_id_at_exchange: assumed(false),
            client_id_at_refresh: assumed(false),
            basic_form_encodes: assumed(false),
            introspection: assumed(Introspection::ByClient),
            separate_backend_client: assumed(false),
        }
    }
}
