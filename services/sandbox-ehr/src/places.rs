//! Where a request goes: `/{profile}/{tenant}` names one of the EHRs the sandbox plays, each with its own
//! FHIR base (`iss`), authorization server and tokens. Owns their URLs and the guard that refuses unknown
//! places and tokens that were issued by another place.

use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::config::Config;
use crate::denied::Denied;
use crate::digest::TokenDigest;
use crate::dress;
use crate::profile::{AuthorizationHost, Discovery, Issuer, Profile};
use crate::request_log::Kind;
use crate::state::{AppState, bearer};

/// One EHR of the sandbox: a vendor profile and a customer organisation on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name of the behaviour profile, first path segment.
    pub profile: String,
    /// Name of the organisation, second path segment.
    pub tenant: String,
}

impl Place {
    /// Reads the place from the first two segments of a path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let (profile, tenant) = (segments.next()?, segments.next()?);
        Some(Self { profile: profile.to_owned(), tenant: tenant.to_owned() })
    }
}

/// Absolute URLs of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// FHIR base URL without a trailing slash; the `iss` of a launch and the `aud` of an authorize request.
    pub fhir_base: String,
    /// Root of the authorization server, which may be on another host.
    pub authorization: String,
    /// What calls itself the issuer: the `iss` of callbacks (RFC 9207) and id tokens.
    pub issuer: String,
    /// Root of the place, for pages and documents that are neither FHIR nor OAuth.
    pub root: String,
}

impl Endpoints {
    pub(crate) fn new(config: &Config, discovery: &Discovery, place: &Place) -> Self {
        let below = |base: &str| format!("{}/{}/{}", base.trim_end_matches('/'), place.profile, place.tenant);
        let root = below(&config.public_base);
        let authorization = match discovery.host {
            AuthorizationHost::Same => format!("{root}/oauth"),
            AuthorizationHost::Other => format!("{}/oauth", below(&config.other_base())),
        };
        let fhir_base = format!("{root}/fhir");
        let issuer = match discovery.issuer {
            Issuer::AuthorizationServer => authorization.clone(),
            Issuer::FhirBase => fhir_base.clone(),
            Issuer::Elsewhere(address) => address.to_owned(),
        };
        Self { fhir_base, authorization, issuer, root }
    }

    fn oauth(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.authorization)
    }
    /// Authorization endpoint.
    #[must_use]
    pub fn authorize(&self) -> String {
        self.oauth("authorize")
    }
    /// Token endpoint; also the audience of client assertions (SMART 2.2 asymmetric authentication).
    #[must_use]
    pub fn token(&self) -> String {
        self.oauth("token")
    }
    /// RFC 7662 introspection endpoint.
    #[must_use]
    pub fn introspect(&self) -> String {
        self.oauth("introspect")
    }
    /// RFC 7009 revocation endpoint.
    #[must_use]
    pub fn revoke(&self) -> String {
        self.oauth("revoke")
    }
    /// RFC 7591 registration endpoint.
    #[must_use]
    pub fn register(&self) -> String {
        self.oauth("register")
    }
    /// Page where a person sees and withdraws what apps may do.
    #[must_use]
    pub fn manage(&self) -> String {
        self.oauth("manage")
    }
    /// JWK set with the public id token keys.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.oauth("jwks")
    }
    /// The style document of `smart_style_url`; a change of style is a change of URL (SMART 2.2).
    #[must_use]
    pub fn style(&self) -> String {
        format!("{}/style/v1.json", self.root)
    }
    /// The SMART user-access brand bundle.
    #[must_use]
    pub fn brands(&self) -> String {
        format!("{}/brands.json", self.root)
    }
}

/// Middleware in front of everything below `/{profile}/{tenant}`: inserts [`Place`] and its profile, answers
/// 404 for a place that does not exist, 401 for a token of another place and what the product answers to too
/// many requests; gives every answer the product's looks.
pub(crate) async fn guard(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    // Nesting strips what it matched from the request's own URI.
    let original = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri.path());
    let path = original.unwrap_or(request.uri().path());
    let known = Place::from_path(path)
        .filter(|place| state.config().has_tenant(&place.tenant))
        .and_then(|place| Some((Profile::named(&place.profile)?, place)));
    let kind = Kind::of(path);
    let Some((profile, place)) = known else {
        return (StatusCode::NOT_FOUND, "no EHR is configured at this address\n").into_response();
    };
    let foreign = bearer(request.headers())
        .and_then(|token| state.grants().place_of(&TokenDigest::of(token)))
        .is_some_and(|issued_at| issued_at != place);
    let admission = state.throttle().admit(profile, &place, kind, &state.clock().now());
    let answer = match &admission {
        Err(refused) => refused.answer(profile),
        Ok(_) if foreign => Denied::Unknown.into_response(),
        Ok(_) => {
            request.extensions_mut().insert(place);
            request.extensions_mut().insert(profile);
            next.run(request).await
        }
    };
    let mut answer = dress::dressed(profile, kind, answer);
    if let Ok(admitted) = &admission {
        admitted.tell(answer.headers_mut());
    }
    answer
}
