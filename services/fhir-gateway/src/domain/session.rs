//! Sessions as launch-auth resolved them, kept for a few seconds; revocations cut through the cache at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use dashmap::DashMap;
use sallyport_model::{
    AppId, Clock, Code, EncounterId, EndpointId, GrantId, LaunchId, Micros, PatientId, RegistrationId,
    Secret, TenantId, User, scope::ScopeSet,
};
use sallyport_proto::{
    convert,
    launch::v1::{ResolveRequest, ResolveResponse, launch_auth_client::LaunchAuthClient},
};
use sallyport_resilience::{Priority, Rate, TokenBucket};
use sallyport_rpc::{Transport, code_of, once_more, revocation::Watch};

use super::{holder::Holder, run::Run, shared_seen::SeenKey};
use crate::metrics::GatewayMetrics;

/// Sessions kept at most; beyond it the expired ones are swept, and if none is, the cache starts anew.
const MAX_CACHED: usize = 100_000;

/// An open session and the launch context in it. Holds patient data: no `Debug`.
pub(crate) struct Session {
    pub(crate) launch: LaunchId,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) app: AppId,
    pub(crate) grant: GrantId,
    pub(crate) user: User,
    pub(crate) user_display: String,
    pub(crate) patient: Option<PatientId>,
    pub(crate) encounter: Option<EncounterId>,
    pub(crate) granted: ScopeSet,
    /// As the EHR printed it, for records.
    pub(crate) granted_scope: String,
    pub(crate) intent: String,
    pub(crate) need_patient_banner: bool,
    pub(crate) fhir_context_json: String,
    pub(crate) idle_expires_at: Micros,
    pub(crate) absolute_expires_at: Micros,
    pub(crate) renewable: bool,
    pub(crate) token_expires_at: Micros,
    pub(crate) launch_traceparent: String,
    /// Keys the hashes by which replicas tell each other what this launch has seen.
    pub(crate) seen_key: SeenKey,
}

impl Session {
    /// Reads launch-auth's answer. A member that does not convert is a defect, never a default.
    fn read(answer: ResolveResponse, secret: &Secret<String>) -> Result<Self, Code> {
        let broken = |_| Code::Internal;
        let user = answer.user.ok_or(Code::IdentityInvalid)?;
        let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self {
            launch: convert::launch_id(&answer.launch_id).map_err(broken)?,
            tenant: convert::tenant(&answer.tenant).map_err(broken)?,
            endpoint: convert::endpoint(&answer.endpoint).map_err(broken)?,
            registration: convert::registration(&answer.registration).map_err(broken)?,
            app: AppId::parse(&answer.app).map_err(|_shape| Code::Internal)?,
            grant: convert::grant_id(&answer.grant_id).map_err(broken)?,
            user: User::try_from(user).map_err(|_field| Code::IdentityInvalid)?,
            user_display: answer.user_display,
            patient: parsed(optional(&answer.patient), PatientId::parse)?,
            encounter: parsed(optional(&answer.encounter), EncounterId::parse)?,
            granted: ScopeSet::parse(&answer.granted_scope),
            granted_scope: answer.granted_scope,
            intent: answer.intent,
            need_patient_banner: answer.need_patient_banner,
            fhir_context_json: answer.fhir_context_json,
            idle_expires_at: answer.idle_expires_at,
            absolute_expires_at: answer.absolute_expires_at,
            renewable: answer.renewable,
            token_expires_at: answer.token_expires_at,
            launch_traceparent: answer.launch_traceparent,
            seen_key: SeenKey::of(secret),
        })
    }

    /// When the session is over unless somebody does something.
    pub(crate) fn expires_at(&self) -> Micros {
        self.idle_expires_at.min(self.absolute_expires_at)
    }
}

fn parsed<T, E>(text: Option<String>, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, Code> {
    text.map(|text| parse(&text).map_err(|_shape| Code::ContextInvalid)).transpose()
}

type Key = (LaunchId, [u8; 32]);

struct Cached {
    session: Arc<Session>,
    at: Micros,
}

/// Opens sessions by handle and cookie.
pub(crate) struct Sessions {
    launch: LaunchAuthClient<Transport>,
    watch: Watch,
    clock: Arc<dyn Clock>,
    metrics: Arc<GatewayMetrics>,
    keep: Micros,
    cache: DashMap<Key, Cached>,
    failures: Mutex<TokenBucket>,
}

/// Cookies that open nothing are recorded up to this rate; a flood of made-up ones must not fill the audit log.
const RECORDED_FAILURES: Rate = Rate { permits: 10, per: Duration::from_secs(1), burst: 100 };

impl Sessions {
    pub(crate) fn new(
        launch: Transport,
        watch: Watch,
        clock: Arc<dyn Clock>,
        keep: Duration,
        metrics: Arc<GatewayMetrics>,
    ) -> Self {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(0);
        let failures = Mutex::new(TokenBucket::new(RECORDED_FAILURES, 0, clock.now()));
        Self {
            launch: LaunchAuthClient::new(launch),
            watch,
            clock,
            metrics,
            keep,
            cache: DashMap::new(),
            failures,
        }
    }

    /// Whether one more cookie that opened nothing may be recorded.
    pub(crate) fn may_record_failure(&self) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.take(Priority::Interactive, 1, self.clock.now()).is_ok()
    }

    /// Forgets what would be asked for again anyway.
    pub(crate) fn sweep(&self) {
        let oldest = self.clock.now() - self.keep;
        self.cache.retain(|_, cached| cached.at > oldest);
    }

    /// The open session of `launch` whose cookie holds `secret`.
    pub(crate) async fn open(&self, launch: LaunchId, secret: &Secret<String>) -> Result<Arc<Session>, Code> {
        if !self.watch.is_fresh() {
            return Err(Code::RevocationStale);
        }
        let key = (launch, sha256(secret.expose().as_bytes()));
        let session = match self.cached(&key) {
            Some(session) => session,
            None => self.resolve(key, secret).await?,
        };
        self.check(&session)?;
        Ok(session)
    }

    /// Whether the session may still be acted on: asked before a call and again before its answer is released.
    pub(crate) fn check(&self, session: &Session) -> Result<(), Code> {
        if !self.watch.is_fresh() {
            return Err(Code::RevocationStale);
        }
        if self.watch.is_revoked(session.launch, session.grant) {
            self.forget(session.launch);
            return Err(Code::SessionRevoked);
        }
        if self.clock.now() >= session.expires_at() {
            self.forget(session.launch);
            return Err(Code::SessionExpired);
        }
        Ok(())
    }

    /// Whether a run may still act: its grant stands and its batch has its lease.
    pub(crate) fn check_run(&self, run: &Run) -> Result<(), Code> {
        self.check_runs_grant(run)?;
        if self.clock.now() >= run.expires_at && !sallyport_model::planted!("run-outlives-its-lease") {
            return Err(Code::RunExpired);
        }
        Ok(())
    }

    /// Whether a run's grant stands.
    pub(crate) fn check_runs_grant(&self, run: &Run) -> Result<(), Code> {
        if !self.watch.is_fresh() {
            return Err(Code::RevocationStale);
        }
        // No launch is behind a job's grant; the grant's own id stands for none.
        if self.watch.is_revoked(LaunchId::from_uuid(run.grant.uuid()), run.grant) {
            return Err(Code::GrantRevoked);
        }
        Ok(())
    }

    /// Whether whoever holds the authority may still act on it.
    pub(crate) fn check_holder(&self, holder: Holder<'_>) -> Result<(), Code> {
        match holder {
            Holder::Session(session) => self.check(session),
            Holder::Run(run) => self.check_run(run),
        }
    }

    /// Whether it is known which sessions were ended.
    pub(crate) fn are_known(&self) -> bool {
        self.watch.is_fresh()
    }

    /// Whether the authorisation behind an earlier approval may still be used, with no session at hand.
    pub(crate) fn check_grant(&self, launch: LaunchId, grant: GrantId) -> Result<(), Code> {
        if !self.watch.is_fresh() {
            return Err(Code::RevocationStale);
        }
        if self.watch.is_revoked(launch, grant) { Err(Code::SessionRevoked) } else { Ok(()) }
    }

    fn cached(&self, key: &Key) -> Option<Arc<Session>> {
        let now = self.clock.now();
        let found = self.cache.get(key)?;
        let is_usable = now - found.at < self.keep && now < found.session.expires_at();
        is_usable.then(|| Arc::clone(&found.session))
    }

    async fn resolve(&self, key: Key, secret: &Secret<String>) -> Result<Arc<Session>, Code> {
        self.metrics.hop("launch-auth");
        let request = ResolveRequest {
            launch_id: convert::id_bytes(key.0.uuid()),
            session_secret: secret.expose().clone(),
        };
        let answer = once_more(|| {
            let (mut launch, request) = (self.launch.clone(), request.clone());
            async move { launch.resolve(request).await }
        });
        let answer = answer.await.map_err(|status| code_of(&status))?.into_inner();
        let session = Session::read(answer, secret)?;
        if session.launch != key.0 {
            return Err(Code::SessionMissing);
        }
        let session = Arc::new(session);
        if self.cache.len() >= MAX_CACHED {
            self.sweep();
            if self.cache.len() >= MAX_CACHED {
                self.cache.clear();
            }
        }
        self.cache.insert(key, Cached { session: Arc::clone(&session), at: self.clock.now() });
        Ok(session)
    }

    fn forget(&self, launch: LaunchId) {
        self.cache.retain(|key, _| key.0 != launch);
    }
}

/// The digest by which a secret is recognised without being kept.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
