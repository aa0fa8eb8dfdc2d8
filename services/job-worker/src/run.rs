//! A run: one execution of a job, with what it pinned when it started.

use sallyport_model::{EndpointId, GrantId, JobId, RunId, TenantId, User};
use sallyport_registry::{Endpoint, Job, Zone};

use crate::store::Blockable;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Its batches are worked on, or wait for their time.
    Running,
    /// Somebody said to hold on; goes on from its checkpoints when told to.
    Paused,
    /// Ended before its end: by somebody, or because its authority changed. Can be retried from its checkpoints.
    Stopped,
    /// Every batch is done; some items may be in quarantine.
    Done,
}

impl RunState {
    /// The word in rows and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Paused, Self::Stopped, Self::Done].into_iter().find(|s| s.as_str() == text)
    }
}

/// What everything that is done for a run stands on. Holds who the grant is of: no `Debug`.
#[derive(Clone)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) id: RunId,
    /// Whose data.
    pub(crate) tenant: TenantId,
    /// The definition's id.
    pub(crate) job_id: JobId,
    /// The definition, as the tenant's file has it now; its pinned part is as when the run started.
    pub(crate) job: Job,
    /// Where.
    pub(crate) endpoint: Endpoint,
    /// The tenant's time.
    pub(crate) zone: Zone,
    /// How long what it proposes waits for somebody, in days.
    pub(crate) proposal_days: u32,
    /// The authorisation, once there is one.
    pub(crate) grant: Option<GrantId>,
    /// The user whose grant it is; nobody for a service's.
    pub(crate) user: Option<User>,
    /// The scopes that were granted when the run started, as the vault printed them.
    pub(crate) pinned_scope: String,
}

impl Run {
    /// The endpoint's id.
    pub(crate) fn endpoint_id(&self) -> &EndpointId {
        &self.endpoint.id
    }

    /// By what it can be kept from going on.
    pub(crate) fn blockable(&self) -> Blockable<'_> {
        Blockable {
            tenant: self.tenant.as_str(),
            vendor: self.endpoint.vendor.as_str(),
            endpoint: self.endpoint.id.as_str(),
            registration: self.job.registration.as_str(),
        }
    }
}
