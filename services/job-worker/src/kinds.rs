//! The kinds of jobs. A kind says what a run consists of and what is to be done for one item; leases, fencing,
//! checkpoints, limits, windows, identity and quarantine are the engine's.
//!
//! A new kind is one type that implements [`Kind`], listed in [`kind_of`].

pub(crate) mod bulk_export;
pub(crate) mod care_gap_scan;
pub(crate) mod cohort;
pub(crate) mod crawl;

pub(crate) use care_gap_scan::{KEPT_AS, PROPOSAL};

use std::sync::Arc;

use sallyport_model::{Code, PatientId};
use sallyport_registry::{Endpoint, Feature, Job, JobKind};

use crate::{
    batch::{Batch, Fenced},
    gateway::Gateway,
    halt::Halt,
    run::Run,
};

/// One thing to do: a patient to read, a file to fetch. Its bytes are the kind's own and may hold patient data: they are
/// sealed at rest, and this type has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Item(Arc<[u8]>);

impl Item {
    /// From whatever the kind needs to find it again.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// An item that is a patient.
    pub(crate) fn patient(id: &PatientId) -> Self {
        Self::new(id.expose().as_bytes())
    }

    /// What the kind wrote.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The patient that this item is.
    pub(crate) fn as_patient(&self) -> Option<PatientId> {
        PatientId::parse(std::str::from_utf8(&self.0).ok()?).ok()
    }
}

/// What a run consists of, in the order in which it is worked on. The engine cuts it into batches of the definition's size.
pub(crate) struct Plan {
    /// Every item. Empty is refused: a run over nobody is a mistake, and never a run over all.
    pub(crate) items: Vec<Item>,
}

/// What a run would come to, as well as can be told before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreseen {
    pub(crate) items: i64,
    /// Calls to the EHR.
    pub(crate) calls: i64,
}

/// What came of an item that was worked on to its end: a transaction that holds its effects, to be committed by the engine
/// together with the checkpoint that says "done".
pub(crate) struct Done {
    /// Begun with [`Batch::begin`] and written to; not committed.
    pub(crate) effects: Fenced,
    /// Further items that came to light (a manifest's files), in batches of their own after the run's present ones. They
    /// are committed in the same transaction.
    pub(crate) more: Vec<Item>,
}

impl From<Fenced> for Done {
    fn from(effects: Fenced) -> Self {
        Self { effects, more: Vec::new() }
    }
}

/// Why an item was not done.
pub(crate) enum Fault {
    /// It cannot be done now, whatever the item: stop here, keep the checkpoint. Comes out of the engine's own methods and
    /// goes through by `?`.
    Halt(Halt),
    /// This item is at fault, and others may not be. After the definition's attempts it is put into quarantine with this
    /// code, and its neighbours go on.
    Item(Code),
}

impl From<Halt> for Fault {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// A kind of job.
#[async_trait::async_trait]
pub(crate) trait Kind: Send + Sync + 'static {
    /// Whether a definition is one that this kind can work on at that endpoint: its cohort, its `[job.options]`. Called by
    /// `sallyport config check` and before a run starts. The error is the end of a sentence that starts with the job's name.
    fn check(&self, job: &Job, feature: &Feature, endpoint: &Endpoint) -> Result<(), String>;

    /// What a run would come to, for a dry run: no call, no grant; `run.pinned_scope` is all that the feature asks for.
    ///
    /// # Errors
    /// [`Fault::Item`] names the obstacle.
    async fn foresee(&self, run: &Run) -> Result<Foreseen, Fault>;

    /// What a run consists of. Called under the lease of its first batch; may call the gateway, must not write.
    ///
    /// # Errors
    /// [`Fault::Item`] ends the run with that code.
    async fn plan(&self, run: &Run, gateway: &Gateway) -> Result<Plan, Fault>;

    /// Does one item. Called again from the last checkpoint after a crash, a pause or a [`Halt::Later`], so effects go
    /// through [`Batch::begin`] or are files that a checkpoint accounts for. Long items call [`Batch::go_on`] between
    /// steps and [`Batch::save`] to keep what they have so far.
    async fn item(&self, batch: &mut Batch, item: &Item) -> Result<Done, Fault>;
}

/// The implementation of a kind.
pub(crate) fn kind_of(kind: JobKind) -> Option<Arc<dyn Kind>> {
    match kind {
        JobKind::Crawl => Some(Arc::new(crawl::Crawl)),
        JobKind::BulkExport => Some(Arc::new(bulk_export::BulkExport)),
        JobKind::CareGapScan => Some(Arc::new(care_gap_scan::CareGapScan)),
    }
}
