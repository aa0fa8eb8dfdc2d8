//! A batch in the hands of this worker: what a kind sees of its lease, and the fenced transactions in which alone it may
//! write.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use sallyport_db::Tx;
use sallyport_model::{BatchId, Code, Micros, RunId, planted};
use sallyport_rpc::revocation::Watch;
use tokio::{sync::watch, time::Instant};

use crate::{
    gateway::Gateway,
    halt::{Halt, Wait},
    kinds::Item,
    run::Run,
    sealing::{Sealed, Sealer, Sealing},
    store::{self, Lease, Store},
};

/// What the heartbeat knows of a lease, shared with whoever works under it.
pub(crate) struct Hold {
    /// By the database's clock, for whoever it is told to.
    pub(crate) expires_at: AtomicI64,
    /// By this machine's monotonic clock: asked before the database was, so never too late.
    pub(crate) valid_until: std::sync::Mutex<Instant>,
    /// Turned true when the work has to stop.
    pub(crate) stop: watch::Sender<bool>,
    /// The endpoint's closed window.
    pub(crate) held: std::sync::Mutex<(Micros, Option<Wait>)>,
}

impl Hold {
    /// Whether the lease is still ours, as far as can be told without asking.
    fn is_valid(&self) -> bool {
        // A planted defect goes with the one in the store: nobody looks at the time.
        planted!("job-fencing-ignored") || Instant::now() < *lock(&self.valid_until)
    }
}

/// A poisoned lock only means that a holder panicked between two complete states.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A transaction under the lease's fence: whatever is written with it commits together with the checkpoint, or not at all.
pub(crate) struct Fenced {
    tx: Tx,
}

impl Fenced {
    /// To write with, by a function of a file under `store/`.
    pub(crate) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    pub(crate) fn into_tx(self) -> Tx {
        self.tx
    }
}

/// A batch under a lease.
pub(crate) struct Batch {
    run: Arc<Run>,
    lease: Lease,
    items: Vec<Item>,
    checkpoint: Option<Vec<u8>>,
    pub(crate) parts: Parts,
    /// When time under the lease was last accounted for.
    marked_at: Instant,
}

/// What a batch stands on.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) sealing: Sealing,
    pub(crate) sealer: Sealer,
    pub(crate) gateway: Gateway,
    pub(crate) hold: Arc<Hold>,
    pub(crate) revoked: Watch,
    pub(crate) clock: Arc<dyn sallyport_model::Clock>,
    /// For what a kind does to a patient beside reading.
    pub(crate) audit: sallyport_audit_client::AuditClient,
    /// Where the files of exports are.
    pub(crate) exports: Arc<std::path::Path>,
    /// How many plain bytes a frame of such a file holds at most.
    pub(crate) frame_bytes: usize,
}

impl Batch {
    pub(crate) fn new(
        run: Arc<Run>,
        lease: Lease,
        items: Vec<Item>,
        checkpoint: Option<Vec<u8>>,
        parts: Parts,
    ) -> Self {
        Self { run, lease, items, checkpoint, parts, marked_at: Instant::now() }
    }

    /// The run, with its definition and authority.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// The run, to be kept.
    pub(crate) fn shared_run(&self) -> Arc<Run> {
        Arc::clone(&self.run)
    }

    /// The way to the EHR, on the run's authority.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.parts.gateway
    }

    /// This batch.
    pub(crate) fn id(&self) -> BatchId {
        self.lease.batch()
    }

    /// Its run.
    pub(crate) fn run_id(&self) -> RunId {
        self.lease.run()
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The time.
    pub(crate) fn now(&self) -> Micros {
        self.parts.clock.now()
    }

    /// The database, for reading; writing is done through [`Batch::begin`].
    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    /// Whatever a kind keeps is sealed with this; `place` is the row's own key and the field.
    pub(crate) fn seal(&self, place: (&[u8], &str), value: &[u8]) -> Sealed {
        self.parts.sealer.seal(place, value)
    }

    /// A keyed hash: equal inputs give equal values for this tenant, and nothing can be guessed from them.
    pub(crate) fn index(&self, domain: &str, value: &[u8]) -> [u8; 32] {
        self.parts.sealer.index(domain, value)
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// When it does not open, or the keys cannot be had.
    pub(crate) async fn open(
        &self,
        data_key: uuid::Uuid,
        place: (&[u8], &str),
        sealed: &[u8],
    ) -> Result<sallyport_model::Secret<Vec<u8>>, Halt> {
        self.parts.sealing.open(&self.run.tenant, data_key, place, sealed).await
    }

    /// The blind index under which a patient's results are kept.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub(crate) async fn subject(&self, patient: &sallyport_model::PatientId) -> Result<[u8; 32], Halt> {
        let endpoint = self.run.endpoint_id().as_str();
        self.parts.sealing.subject(&self.run.tenant, endpoint, patient.expose().as_bytes()).await
    }

    /// What was saved within the present item, by this worker or one before it.
    pub(crate) fn checkpoint(&self) -> Option<&[u8]> {
        self.checkpoint.as_deref()
    }

    /// Whether the work may go on. Long items ask between their steps; the engine asks before each item, the gateway
    /// before each call.
    ///
    /// # Errors
    /// [`Halt`], to be passed on.
    pub(crate) fn go_on(&self) -> Result<(), Halt> {
        go_on(&self.run, &self.parts.hold, &self.parts.revoked, self.now())
    }

    /// Begins a transaction under the lease's fence.
    ///
    /// # Errors
    /// [`Halt::Stale`] when the lease is somebody else's, [`Halt::Asked`] when the run does not go on.
    pub(crate) async fn begin(&self) -> Result<Fenced, Halt> {
        let fence = self.parts.store.fence(self.id(), self.run_id(), self.lease.epoch).await?;
        let (tx, is_running) = fence.ok_or(Halt::Stale)?;
        if !is_running {
            return Err(Halt::Asked);
        }
        Ok(Fenced { tx })
    }

    /// Begins one for putting the batch back, which a run that was stopped must not keep from happening.
    pub(crate) async fn begin_last(&self) -> Result<Fenced, Halt> {
        let fence = self.parts.store.fence(self.id(), self.run_id(), self.lease.epoch).await?;
        fence.map(|(tx, _)| Fenced { tx }).ok_or(Halt::Stale)
    }

    /// Commits effects together with a checkpoint within the item: after a crash the item is called again with it.
    ///
    /// # Errors
    /// [`Halt`], to be passed on; then nothing was written, unless the database was lost while it committed.
    pub(crate) async fn save(&mut self, effects: Fenced, checkpoint: &[u8]) -> Result<(), Halt> {
        let mut tx = effects.into_tx();
        let sealed = self.seal((self.id().uuid().as_bytes(), "checkpoint"), checkpoint);
        let busy = self.busy();
        store::checkpoint(&mut tx, self.id(), &sealed.bytes, busy).await?;
        store::count_calls(&mut tx, self.run_id(), self.parts.gateway.calls_made()).await?;
        tx.commit().await?;
        self.checkpoint = Some(checkpoint.to_vec());
        Ok(())
    }

    /// The items that are not done, the present one first.
    pub(crate) fn rest(&self) -> &[Item] {
        let done = usize::try_from(self.lease.position).unwrap_or(usize::MAX);
        self.items.get(done..).unwrap_or_default()
    }

    /// Moves on to the next item, which has been committed.
    pub(crate) fn advanced(&mut self) {
        self.lease.position += 1;
        self.lease.attempts = 0;
        self.checkpoint = None;
    }

    /// The time under the lease since it was last asked for, in microseconds.
    pub(crate) fn busy(&mut self) -> i64 {
        let now = Instant::now();
        let busy = now.duration_since(self.marked_at);
        self.marked_at = now;
        i64::try_from(busy.as_micros()).unwrap_or(i64::MAX)
    }
}

/// Whether work on a run may go on.
pub(crate) fn go_on(run: &Run, hold: &Hold, revoked: &Watch, now: Micros) -> Result<(), Halt> {
    if !hold.is_valid() {
        return Err(Halt::Stale);
    }
    if *hold.stop.borrow() {
        return Err(Halt::Asked);
    }
    if !revoked.is_fresh() {
        return Err(Halt::Failed(Code::RevocationStale));
    }
    if let Some(grant) = run.grant {
        // A job has no launch; the vault writes the grant's own id in its place.
        if revoked.is_revoked(sallyport_model::LaunchId::from_uuid(grant.uuid()), grant) {
            return Err(Halt::Authority { code: Code::GrantRevoked, scope: String::new() });
        }
    }
    if let Err(closed) = run.job.hours.check(now, &run.zone) {
        return Err(Halt::Later { not_before: closed.until, why: Wait::Window });
    }
    let (until, why) = *lock(&hold.held);
    if now < until {
        return Err(Halt::Later { not_before: until, why: why.unwrap_or(Wait::Vendor) });
    }
    Ok(())
}

impl Hold {
    /// A lease as it was just taken.
    pub(crate) fn new(expires_at: Micros, valid_until: Instant) -> Self {
        Self {
            expires_at: AtomicI64::new(expires_at),
            valid_until: std::sync::Mutex::new(valid_until),
            stop: watch::Sender::new(false),
            held: std::sync::Mutex::new((0, None)),
        }
    }

    /// When the lease ends, by the database's clock.
    pub(crate) fn expires_at(&self) -> Micros {
        self.expires_at.load(Ordering::Acquire)
    }

    /// The endpoint is closed until then.
    pub(crate) fn close(&self, until: Micros, why: Wait) {
        let mut held = lock(&self.held);
        if held.0 < until {
            *held = (until, Some(why));
        }
    }
}
