//! For whom a call is made: a person's session or a job's run. The pipeline is the same for both.

use std::sync::Arc;

use sallyport_model::{Authority, EndpointId, LaunchId, Micros, TenantId};

use super::{run::Run, session::Session, shared_seen::SeenKey};

/// Who holds the authority to make a call.
#[derive(Clone, Copy)]
pub(crate) enum Holder<'a> {
    /// A person, by an open session.
    Session(&'a Arc<Session>),
    /// A job's run, for as long as its batch has its lease.
    Run(&'a Arc<Run>),
}

impl<'a> From<&'a Arc<Session>> for Holder<'a> {
    fn from(session: &'a Arc<Session>) -> Self {
        Self::Session(session)
    }
}

impl<'a> From<&'a Arc<Run>> for Holder<'a> {
    fn from(run: &'a Arc<Run>) -> Self {
        Self::Run(run)
    }
}

/// What a run has seen is remembered for so long after its batch's lease: other batches of it follow.
const RUN_REMEMBERED: Micros = 24 * 3_600 * 1_000_000;

impl<'a> Holder<'a> {
    pub(crate) fn authority(self) -> Authority {
        match self {
            Self::Session(session) => Authority::Launch(session.launch),
            Self::Run(run) => Authority::Run(run.id),
        }
    }

    pub(crate) fn tenant(self) -> &'a TenantId {
        match self {
            Self::Session(session) => &session.tenant,
            Self::Run(run) => &run.tenant,
        }
    }

    pub(crate) fn endpoint(self) -> &'a EndpointId {
        match self {
            Self::Session(session) => &session.endpoint,
            Self::Run(run) => &run.endpoint,
        }
    }

    /// The launch, where it is one.
    pub(crate) fn launch(self) -> Option<LaunchId> {
        match self {
            Self::Session(session) => Some(session.launch),
            Self::Run(_) => None,
        }
    }

    /// The run, where it is one.
    pub(crate) fn run(self) -> Option<&'a Arc<Run>> {
        match self {
            Self::Session(_) => None,
            Self::Run(run) => Some(run),
        }
    }

    /// Until when what it has seen matters.
    pub(crate) fn dies_at(self) -> Micros {
        match self {
            Self::Session(session) => session.absolute_expires_at,
            Self::Run(run) => run.expires_at.saturating_add(RUN_REMEMBERED),
        }
    }

    /// The key under which replicas tell each other what was seen. A run has none: what keeps a launch's key secret is
    /// the person's cookie. A reference that another replica met is refused here until it is met here as well.
    pub(crate) fn seen_key(self) -> Option<&'a SeenKey> {
        match self {
            Self::Session(session) => Some(&session.seen_key),
            Self::Run(_) => None,
        }
    }
}
