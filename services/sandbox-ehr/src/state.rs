//! The one shared state of a running sandbox EHR: the records, who may sign in, the registered apps,
//! launches, grants, faults and the request log. Everything lives in memory behind one `Arc`.
//!
//! FHIR handlers need three things from here: [`AppState::records_at`], [`AppState::authorise`] and
//! [`AppState::endpoints`]. Which EHR answers (the base URL's two first path segments) is in the request
//! extension [`Place`]; the guard in `places.rs` has already refused unknown places, and tokens of another
//! place, before a FHIR handler runs.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;

use crate::clients::Clients;
use crate::clinicians::Clinicians;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::Records;
use crate::denied::Denied;
use crate::digest::TokenDigest;
use crate::exports::Exports;
use crate::faults::FaultRules;
use crate::grants::Grants;
use crate::launches::Launches;
use crate::oauth::assertion::SeenAssertions;
use crate::oauth::flows::Flows;
use crate::oauth::keys::SigningKeys;
use crate::places::{Endpoints, Place};
use crate::profile::{Population, Profile};
use crate::request_log::RequestLog;
use crate::throttle::Throttle;
use crate::written::Written;

/// What a valid access token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Granted scopes, one per entry, as granted (v1 or v2 syntax).
    pub scopes: Vec<String>,
    /// The patient in context (bare id), to which all `patient/` scopes are bound.
    pub patient: Option<String>,
    /// The encounter in context (bare id).
    pub encounter: Option<String>,
    /// The signed-in user as a relative reference, for example `Practitioner/abc`.
    pub user: Option<String>,
    /// The client the token was issued to.
    pub client_id: String,
}

/// Shared state, cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The synthetic (or imported) health records that most profiles share.
    pub records: Arc<Records>,
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    clock: Clock,
    clinicians: Clinicians,
    clients: Clients,
    launches: Launches,
    flows: Flows,
    grants: Grants,
    keys: SigningKeys,
    assertions: SeenAssertions,
    faults: FaultRules,
    log: RequestLog,
    throttle: Throttle,
    exports: Exports,
    large: OnceLock<Arc<Records>>,
    written: Written,
}

impl AppState {
    pub(crate) fn new(config: Config, records: Records, keys: SigningKeys) -> Self {
        let clinicians = Clinicians::from_records(&records);
        let clients = Clients::new(&config.clients);
        let inner = Inner {
            clinicians,
            clients,
            config,
            clock: Clock::system(),
            launches: Launches::default(),
            flows: Flows::default(),
            grants: Grants::default(),
            keys,
            assertions: SeenAssertions::default(),
            faults: FaultRules::default(),
            log: RequestLog::default(),
            throttle: Throttle::default(),
            exports: Exports::default(),
            large: OnceLock::new(),
            written: Written::default(),
        };
        Self { records: Arc::new(records), inner: Arc::new(inner) }
    }

    /// Checks the bearer token of a FHIR request.
    ///
    /// # Errors
    /// [`Denied`] says why and renders itself as the 401 answer (RFC 6750 §3).
    pub fn authorise(&self, headers: &HeaderMap) -> Result<TokenInfo, Denied> {
        let token = bearer(headers).ok_or(Denied::Missing)?;
        let active = self.grants().check_access(&TokenDigest::of(token), self.clock().now_seconds())?;
        Ok(TokenInfo {
            scopes: active.scopes,
            patient: active.grant.patient,
            encounter: active.grant.encounter,
            user: active.grant.user.map(|clinician| format!("Practitioner/{clinician}")),
            client_id: active.grant.client_id,
        })
    }

    /// All URLs of the EHR at `place`, absolute (FHIR base, authorize, token, …).
    #[must_use]
    pub fn endpoints(&self, place: &Place) -> Endpoints {
        Endpoints::new(&self.inner.config, &self.profile(place).discovery, place)
    }

    /// How the EHR at `place` behaves.
    #[must_use]
    pub fn profile(&self, place: &Place) -> &'static Profile {
        Profile::named(&place.profile).unwrap_or(&Profile::STRICT)
    }

    /// The records of the EHR at `place`, with what was written there. A large population is made when it is first
    /// looked at.
    #[must_use]
    pub fn records_at(&self, place: &Place) -> Arc<Records> {
        self.inner.written.at(place).unwrap_or_else(|| self.unwritten(place))
    }

    /// Writes to the records of the EHR at `place`; nobody else writes there meanwhile.
    pub(crate) fn write_at<T>(&self, place: &Place, write: impl FnOnce(&mut Records) -> T) -> T {
        self.inner.written.change(place, || self.unwritten(place), write)
    }

    fn unwritten(&self, place: &Place) -> Arc<Records> {
        match self.profile(place).data.population {
            Population::Shared => Arc::clone(&self.records),
            Population::Large { patients, observations } => {
                let made = || Arc::new(Records::large(self.inner.config.seed, patients, observations));
                Arc::clone(self.inner.large.get_or_init(made))
            }
        }
    }

    /// The configuration the sandbox was built with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The sandbox's clock; tests may move it forward over `/_admin/clock`.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn clinicians(&self) -> &Clinicians {
        &self.inner.clinicians
    }
    pub(crate) fn clients(&self) -> &Clients {
        &self.inner.clients
    }
    pub(crate) fn launches(&self) -> &Launches {
        &self.inner.launches
    }
    pub(crate) fn flows(&self) -> &Flows {
        &self.inner.flows
    }
    pub(crate) fn grants(&self) -> &Grants {
        &self.inner.grants
    }
    pub(crate) fn keys(&self) -> &SigningKeys {
        &self.inner.keys
    }
    pub(crate) fn assertions(&self) -> &SeenAssertions {
        &self.inner.assertions
    }
    pub(crate) fn faults(&self) -> &FaultRules {
        &self.inner.faults
    }
    pub(crate) fn log(&self) -> &RequestLog {
        &self.inner.log
    }
    pub(crate) fn exports(&self) -> &Exports {
        &self.inner.exports
    }
    pub(crate) fn throttle(&self) -> &Throttle {
        &self.inner.throttle
    }
}

/// The bearer token of a request; the scheme is case-insensitive (RFC 9110 §11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
