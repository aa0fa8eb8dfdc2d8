//! Access tokens, kept sealed under a random key of this process; the vault is asked on a miss or after a refusal.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use sallyport_keyring::DataKey;
use sallyport_model::{
    Clock, Code, FeatureId, GrantId, Micros, RegistrationId, Secret, TenantId, scope::ScopeSet,
};
use sallyport_proto::{
    convert,
    vault::v1::{
        AccessTokenRequest, AccessTokenResponse, ClientCredentialsRequest,
        token_vault_client::TokenVaultClient,
    },
};
use sallyport_rpc::{Transport, code_of, once_more};
use tokio::{sync::Mutex, time::Instant};

use super::session::sha256;
use crate::metrics::GatewayMetrics;

/// A token is not used in its last seconds: the call itself takes time.
const MARGIN: Micros = 5_000_000;

/// Longest use of a cached token without asking the vault, so that a narrowed grant is noticed.
const KEEP: Micros = 60_000_000;

/// An access token for one call.
pub(crate) struct Token {
    pub(crate) secret: Secret<String>,
    /// What the last token response granted.
    pub(crate) granted: Arc<ScopeSet>,
    /// Whose it is.
    pub(crate) whose: Arc<GrantOf>,
}

/// Where a grant is good, and to whom it was given. Empty names where the vault does not say.
pub(crate) struct GrantOf {
    pub(crate) endpoint: String,
    pub(crate) registration: String,
    /// Given to the registration itself, not to a person.
    pub(crate) is_service: bool,
}

struct Sealed {
    bytes: Vec<u8>,
    granted: Arc<ScopeSet>,
    whose: Arc<GrantOf>,
    usable_until: Micros,
}

struct Inner {
    vault: TokenVaultClient<Transport>,
    clock: Arc<dyn Clock>,
    metrics: Arc<GatewayMetrics>,
    key: DataKey,
    cache: DashMap<GrantId, Sealed>,
    /// One question per grant at a time.
    asking: DashMap<GrantId, Arc<Mutex<()>>>,
}

/// The tokens of this process.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

impl Tokens {
    pub(crate) fn new(vault: Transport, clock: Arc<dyn Clock>, metrics: Arc<GatewayMetrics>) -> Self {
        Self(Arc::new(Inner {
            vault: TokenVaultClient::new(vault),
            clock,
            metrics,
            key: DataKey::generate(),
            cache: DashMap::new(),
            asking: DashMap::new(),
        }))
    }

    /// The token of a grant. `rejected` is the one that the EHR has just refused.
    pub(crate) async fn get(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        rejected: Option<&Secret<String>>,
        deadline: Instant,
    ) -> Result<Token, Code> {
        let rejected = rejected.map(|token| sha256(token.expose().as_bytes()));
        if let Some(token) = self.0.cached(grant, rejected.as_ref()) {
            return Ok(token);
        }
        // In a task of its own: a caller that stops waiting must not break off a refresh that is under way.
        let (inner, tenant) = (Arc::clone(&self.0), tenant.clone());
        let asked = tokio::spawn(tracing::Instrument::in_current_span(async move {
            inner.ask(&tenant, grant, rejected).await
        }));
        match tokio::time::timeout_at(deadline, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panicked)) => Err(Code::Internal),
            Err(_elapsed) => Err(Code::DependencyDown),
        }
    }

    /// Opens a grant of a registration by itself, for looking at its endpoint: the grant, and what was granted.
    pub(crate) async fn open_service(
        &self,
        tenant: &TenantId,
        registration: &RegistrationId,
        feature: &FeatureId,
    ) -> Result<(GrantId, String), Code> {
        self.0.metrics.hop("token-vault");
        let mut request = tonic::Request::new(ClientCredentialsRequest {
            tenant: tenant.as_str().to_owned(),
            registration: registration.as_str().to_owned(),
            feature: feature.as_str().to_owned(),
        });
        request.set_timeout(Duration::from_secs(30));
        let answer = self.0.vault.clone().client_credentials(request).await;
        let opened = answer.map_err(|status| code_of(&status))?.into_inner();
        let grant = convert::grant_id(&opened.grant_id).map_err(|_shape| Code::Internal)?;
        Ok((grant, opened.granted_scope))
    }

    /// Forgets a grant's token, e.g. when its session was revoked.
    pub(crate) fn forget(&self, grant: GrantId) {
        self.0.cache.remove(&grant);
    }

    /// Forgets tokens that have died.
    pub(crate) fn sweep(&self) {
        let now = self.0.clock.now();
        self.0.cache.retain(|_, sealed| sealed.usable_until > now);
        self.0.asking.retain(|_, lock| Arc::strong_count(lock) > 1);
    }
}

impl Inner {
    fn cached(&self, grant: GrantId, rejected: Option<&[u8; 32]>) -> Option<Token> {
        let sealed = self.cache.get(&grant)?;
        if self.clock.now() >= sealed.usable_until {
            return None;
        }
        let opened = self.key.open(&place(grant), &sealed.bytes).ok()?;
        if rejected.is_some_and(|digest| *digest == sha256(opened.expose())) {
            return None;
        }
        let text = std::str::from_utf8(opened.expose()).ok()?;
        Some(Token {
            secret: Secret::new(text.to_owned()),
            granted: Arc::clone(&sealed.granted),
            whose: Arc::clone(&sealed.whose),
        })
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        rejected: Option<[u8; 32]>,
    ) -> Result<Token, Code> {
        let lock = Arc::clone(&self.asking.entry(grant).or_default());
        let _only_one = lock.lock().await;
        if let Some(token) = self.cached(grant, rejected.as_ref()) {
            return Ok(token);
        }
        self.metrics.hop("token-vault");
        let message = AccessTokenRequest {
            tenant: tenant.as_str().to_owned(),
            grant_id: convert::id_bytes(grant.uuid()),
            rejected_sha256: rejected.map(Vec::from).unwrap_or_default(),
        };
        // The vaults agree on who refreshes; asking another one while the first is lost waits for that refresh.
        let answer = once_more(|| {
            let mut vault = self.vault.clone();
            let mut request = tonic::Request::new(message.clone());
            request.set_timeout(Duration::from_secs(30));
            async move { vault.access_token(request).await }
        });
        self.keep(grant, answer.await.map_err(|status| code_of(&status))?.into_inner())
    }

    fn keep(&self, grant: GrantId, answer: AccessTokenResponse) -> Result<Token, Code> {
        let secret = Secret::new(answer.access_token);
        if secret.expose().is_empty() {
            return Err(Code::Internal);
        }
        let now = self.clock.now();
        let granted = Arc::new(ScopeSet::parse(&answer.granted_scope));
        let (endpoint, registration) = (answer.endpoint, answer.registration);
        let whose = Arc::new(GrantOf { endpoint, registration, is_service: answer.is_service });
        let usable_until = answer.expires_at.saturating_sub(MARGIN).min(now.saturating_add(KEEP));
        let bytes = self.key.seal(&place(grant), secret.expose().as_bytes());
        let sealed = Sealed { bytes, granted: Arc::clone(&granted), whose: Arc::clone(&whose), usable_until };
        self.cache.insert(grant, sealed);
        Ok(Token { secret, granted, whose })
    }
}

/// Associated data: a token sealed for one grant opens for no other.
fn place(grant: GrantId) -> Vec<u8> {
    format!("access\0{grant}").into_bytes()
}
