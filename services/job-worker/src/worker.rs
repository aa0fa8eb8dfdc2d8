//! What everything of a worker stands on.

use std::sync::Arc;

use sallyport_audit_client::AuditClient;
use sallyport_model::{
    Clock, Code, EndpointId, GrantId, JobId, Micros, RunId, TenantId, User, code::Kind as CodeKind,
};
use sallyport_proto::{
    gateway::v1::fhir_gateway_client::FhirGatewayClient, types::v1 as types,
    vault::v1::token_vault_client::TokenVaultClient,
};
use sallyport_queue::Queue;
use sallyport_registry::{Entry, Job, Registry, Zone};
use sallyport_rpc::{Transport, revocation::Watch};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    config::Config,
    halt::Halt,
    metrics::JobMetrics,
    pace::Pace,
    run::{Run, RunState},
    sealing::Sealing,
    store::{RunRow, Store},
};

/// Shared by everything of a worker.
pub(crate) struct Worker {
    /// Who it is over its restarts: what it had in hand when it died, it takes back.
    pub(crate) id: Uuid,
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Store,
    pub(crate) sealing: Sealing,
    pub(crate) gateway: FhirGatewayClient<Transport>,
    pub(crate) vault: TokenVaultClient<Transport>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) pace: Pace,
    pub(crate) revoked: Watch,
    pub(crate) audit: AuditClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: JobMetrics,
    /// Something became ready: the outbox is looked at without waiting.
    pub(crate) wake: Notify,
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// A run as it was found.
pub(crate) struct Found {
    pub(crate) run: Run,
    pub(crate) state: RunState,
}

impl Worker {
    /// Now.
    pub(crate) fn now(&self) -> Micros {
        self.clock.now()
    }

    /// A job's definition with the registration it hangs on.
    pub(crate) fn definition(&self, tenant: &TenantId, job: &JobId) -> Result<(&Job, Entry<'_>), Code> {
        let job = self.registry.job(tenant, job).ok_or(Code::JobUnknown)?;
        let entry = self.registry.registration(&job.registration).ok_or(Code::JobUnknown)?;
        if entry.tenant.id != *tenant { Err(Code::JobUnknown) } else { Ok((job, entry)) }
    }

    /// A run with its definition. What was pinned must be as it was.
    pub(crate) async fn run(&self, id: RunId) -> Result<Found, Halt> {
        let row = self.store.run(id).await?.ok_or(Halt::Failed(Code::RunUnknown))?;
        let state = RunState::parse(&row.state).ok_or(Halt::Failed(Code::Internal))?;
        let gone = || Halt::Authority { code: Code::JobDefinitionChanged, scope: String::new() };
        let tenant = TenantId::parse(&row.tenant).map_err(|_shape| gone())?;
        let job_id = JobId::parse(&row.job).map_err(|_shape| gone())?;
        let (job, entry) = self.definition(&tenant, &job_id).map_err(|_code| gone())?;
        let zone = Zone::parse(&entry.tenant.time_zone).ok_or_else(gone)?;
        let same_place = EndpointId::parse(&row.endpoint).is_ok_and(|id| id == entry.endpoint.id);
        if job.pin() != row.pin || !same_place {
            return Err(gone());
        }
        let user = self.user_of(&tenant, &row).await?;
        let run = Run {
            id,
            tenant,
            job_id,
            job: job.clone(),
            endpoint: entry.endpoint.clone(),
            zone,
            proposal_days: entry.tenant.proposal_days,
            grant: row.grant_id.map(GrantId::from_uuid),
            user,
            pinned_scope: row.pinned_scope,
        };
        Ok(Found { run, state })
    }

    async fn user_of(&self, tenant: &TenantId, row: &RunRow) -> Result<Option<User>, Halt> {
        let (Some(sealed), Some(key)) = (&row.user_sealed, row.data_key_id) else { return Ok(None) };
        let bytes = self.sealing.open(tenant, key, (row.run_id.as_bytes(), "user"), sealed).await?;
        let text = std::str::from_utf8(bytes.expose()).map_err(|_ours| Halt::Failed(Code::Internal))?;
        user_from(text).map(Some).ok_or(Halt::Failed(Code::Internal))
    }

    /// Whether the process ends.
    pub(crate) fn is_ending(&self) -> bool {
        *self.shutdown.borrow()
    }
}

/// A user as it is sealed: issuer, subject and fhirUser on three lines.
pub(crate) fn user_text(user: &types::User) -> String {
    format!("{}\n{}\n{}", user.issuer, user.subject, user.fhir_user)
}

fn user_from(text: &str) -> Option<User> {
    let mut lines = text.split('\n');
    let (issuer, subject) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    let fhir_user = lines.next().filter(|line| !line.is_empty()).map(str::to_owned);
    Some(User { issuer, subject, fhir_user })
}

/// Whether a refusal of the vault's is the EHR's or an operator's last word, rather than something that passes.
pub(crate) fn is_last_word(code: Code) -> bool {
    match code.kind() {
        CodeKind::Denied | CodeKind::Unauthenticated | CodeKind::NotFound | CodeKind::Invalid => true,
        CodeKind::Upstream => matches!(code, Code::ExchangeRefused | Code::ExchangeClientRefused),
        _ => false,
    }
}
