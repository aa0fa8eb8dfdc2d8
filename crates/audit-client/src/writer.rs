//! The one writer: whatever waits becomes one group, one write and one `fdatasync`, and is acknowledged together.
//!
//! When a commit fails, the file is never synced again. Everything not acknowledged is written to a new segment, and
//! until that one and its directory entry are synced no call may start (invariant 4).

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prost::Message as _;
use sallyport_model::TenantId;
use sallyport_proto::audit::v1::Record;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    AuditError,
    frame::MAX_PAYLOAD_BYTES,
    log::{Log, Unacknowledged},
    metrics::Labels,
    seal::Sealer,
    spool::Shared,
};

/// How many records one `fdatasync` covers at most; bounds the time the first of them waits for sealing.
const MAX_GROUP: usize = 1_024;

/// How long an outcome may stay in memory when no intent comes to take it along.
const LINGER: Duration = Duration::from_millis(50);

/// Between attempts to commit a new segment after a failure: 50 ms, doubling to 2 s.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// What the client sends.
pub(crate) enum Entry {
    /// A record; with `done` somebody waits for it.
    Record { record: Box<Record>, traceparent: String, done: Option<Done> },
    /// Answered when everything sent before is durable.
    Flush(Done),
}

pub(crate) type Done = oneshot::Sender<Result<(), AuditError>>;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    sealer: Sealer,
    log: Log,
    next_sequence: u64,
    /// Sealed and not yet known to be durable, oldest first.
    unacknowledged: VecDeque<Unacknowledged>,
    waiting: Vec<Done>,
    /// Since when something is in memory that nobody waits for.
    lingering_since: Option<Instant>,
    retry: Option<(Instant, Duration)>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, sealer: Sealer, log: Log, next_sequence: u64) -> Self {
        Self {
            shared,
            sealer,
            log,
            next_sequence,
            unacknowledged: VecDeque::new(),
            waiting: Vec::new(),
            lingering_since: None,
            retry: None,
        }
    }

    /// Runs until every client is gone, then makes durable what is left.
    pub(crate) async fn run(mut self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let mut group = Vec::new();
        loop {
            let room = MAX_GROUP - self.unacknowledged.len().min(MAX_GROUP - 1);
            let received = match self.wake_at() {
                None => entries.recv_many(&mut group, room).await,
                Some(instant) => {
                    match tokio::time::timeout_at(instant, entries.recv_many(&mut group, room)).await {
                        Ok(received) => received,
                        Err(_elapsed) => {
                            self.commit().await;
                            continue;
                        }
                    }
                }
            };
            if received == 0 {
                break;
            }
            for entry in group.drain(..) {
                self.take(entry).await;
            }
            let due = self.wake_at().is_some_and(|instant| Instant::now() >= instant);
            if self.retry.is_some() && !due {
                // Broken: what came in stays in memory for the next attempt, and nobody is told that it is safe.
                self.answer(Err(AuditError::Unavailable));
            } else if due || !self.waiting.is_empty() || self.unacknowledged.len() >= MAX_GROUP {
                self.commit().await;
            }
        }
        if !self.unacknowledged.is_empty() {
            self.retry = None;
            self.commit().await;
        }
        if !self.unacknowledged.is_empty() {
            tracing::error!(
                code = "audit.unavailable",
                records = self.unacknowledged.len(),
                "audit records could not be written before the end"
            );
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        match self.retry {
            Some((instant, _)) => Some(instant),
            None => self.lingering_since.map(|since| since + LINGER),
        }
    }

    /// Seals one entry into memory.
    async fn take(&mut self, entry: Entry) {
        let (record, traceparent, done) = match entry {
            Entry::Flush(done) => {
                self.waiting.push(done);
                return;
            }
            Entry::Record { record, traceparent, done } => (record, traceparent, done),
        };
        let traceparent =
            if sallyport_model::planted!("token-in-queue") { record.detail.clone() } else { traceparent };
        let size = u64::try_from(record.encoded_len()).unwrap_or(u64::MAX);
        self.shared.queued_bytes.fetch_sub(size, Ordering::AcqRel);
        match self.seal(&record, traceparent).await {
            Ok(sealed) => {
                self.unacknowledged.push_back(sealed);
                if let Some(done) = done {
                    self.waiting.push(done);
                } else {
                    self.lingering_since.get_or_insert_with(Instant::now);
                }
            }
            Err(error) => {
                if let Some(done) = done {
                    // The caller may have given up; it releases nothing then either.
                    let _caller_gone = done.send(Err(error));
                } else {
                    tracing::error!(
                        code = "audit.outcome_lost",
                        reason = error.label(),
                        "outcome not sealed"
                    );
                }
            }
        }
    }

    async fn seal(&mut self, record: &Record, traceparent: String) -> Result<Unacknowledged, AuditError> {
        let tenant = TenantId::parse(&record.tenant).map_err(|_alphabet| AuditError::Incomplete("tenant"))?;
        let bytes = record.encode_to_vec();
        if bytes.len() > MAX_PAYLOAD_BYTES / 2 {
            return Err(AuditError::TooLarge);
        }
        self.sealer.prepare(&tenant).await?;
        let sequence = self.next_sequence;
        let sealed = self.sealer.seal(&tenant, sequence, &bytes, traceparent)?;
        self.next_sequence += 1;
        Ok(Unacknowledged {
            key: sealed.key,
            labels: Labels::of(record),
            payload: sealed.record.encode_to_vec(),
        })
    }

    /// Makes everything in memory durable: on the current segment, or, once that failed, on a new one.
    async fn commit(&mut self) {
        let appended = self.retry.is_none()
            && self.log.append(&mut self.unacknowledged, self.next_sequence).await.is_ok();
        let committed = appended || {
            self.shared.broken.store(true, Ordering::Release);
            self.log.begin_again(&mut self.unacknowledged, self.next_sequence).await.is_ok()
        };
        self.lingering_since = None;
        if committed {
            self.retry = None;
            self.shared.acknowledged_below.store(self.next_sequence, Ordering::Release);
            self.shared.broken.store(false, Ordering::Release);
            self.shared.show_level();
            self.shared.announce();
            self.answer(Ok(()));
        } else {
            let pause = self.retry.map_or(FIRST_RETRY, |(_, pause)| (pause * 2).min(LAST_RETRY));
            self.retry = Some((Instant::now() + pause, pause));
            self.answer(Err(AuditError::Unavailable));
        }
    }

    fn answer(&mut self, result: Result<(), AuditError>) {
        for done in self.waiting.drain(..) {
            // The caller may have given up; its record is durable all the same.
            let _caller_gone = done.send(result);
        }
    }
}
