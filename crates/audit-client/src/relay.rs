//! The relay: takes acknowledged records from the spool to the queue, at least once, in order.
//!
//! A batch is taken off the spool only after the queue has taken responsibility. Spool id, sequence and record id stay
//! the same when a batch is published again, so the store takes each record once.

use std::{
    collections::HashSet,
    fs, io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prost::Message as _;
use sallyport_model::ServiceName;
use sallyport_proto::audit::v1::{SealedBatch, SealedRecord};
use sallyport_queue::{AUDIT_RECORDS, Message, Queue};
use tokio::{sync::watch, time::Instant};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::{
    cursor::Cursor,
    reader::{Look, Reader},
    segment,
    spool::Shared,
    trace::link_producers,
};

/// A batch goes out when it holds this many records …
const MIN_BATCH: usize = 50;
/// … or when its first record has waited this long …
const MAX_WAIT: Duration = Duration::from_millis(200);
/// … and never holds more than this: a message per record costs more than the call it records.
const MAX_BATCH: usize = 200;
/// A batch ends before its records exceed this, so that a message stays far below the queue's limit.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Between attempts to publish the same batch: 100 ms, doubling to 5 s.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// The relay of one spool. It must run for the spool not to fill up.
pub struct Relay {
    shared: Arc<Shared>,
    service: ServiceName,
    cursor: Cursor,
    reader: Option<Reader>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("service", &self.service).finish_non_exhaustive()
    }
}

struct Batch {
    message: Message,
    records: usize,
    span: Span,
    /// Where the relay stands once it is accepted.
    after: Cursor,
}

impl Relay {
    pub(crate) fn new(shared: Arc<Shared>, service: ServiceName, cursor: Cursor) -> Self {
        let reader = Reader::new(Arc::clone(&shared), cursor);
        Self { shared, service, cursor, reader: Some(reader) }
    }

    /// Relays until `shutdown` turns true (or its sender is gone). What is not accepted by then stays in the spool.
    pub async fn run(mut self, queue: Arc<dyn Queue>, mut shutdown: watch::Receiver<bool>) {
        tokio::select! {
            () = self.relay(queue.as_ref()) => {}
            // Dropping a publish half-way is safe: the batch is published again after the next start.
            _ended = shutdown.wait_for(|stop| *stop) => {}
        }
    }

    async fn relay(&mut self, queue: &dyn Queue) {
        self.remove_relayed().await;
        loop {
            let batch = self.gather().await;
            let span = batch.span.clone();
            self.publish(queue, &batch.message, batch.records).instrument(span).await;
            self.cursor = batch.after;
            self.keep_cursor(false).await;
            self.shared.relayed_below.send_replace(self.cursor.relayed_below);
            self.shared.show_level();
        }
    }

    /// Waits for the next batch.
    async fn gather(&mut self) -> Batch {
        let mut progress = self.shared.progress.subscribe();
        let mut deadline = None;
        loop {
            progress.mark_unchanged();
            let look = self.look().await;
            let Some(reader) = self.reader.as_mut() else { continue };
            let waiting = reader.pending.len();
            let is_due = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if waiting >= MIN_BATCH || (waiting > 0 && (is_due || look == Look::Complete)) {
                return self.take_batch();
            }
            if waiting == 0 && look == Look::Complete && self.leave_segment().await {
                continue;
            }
            if waiting > 0 {
                deadline.get_or_insert_with(|| Instant::now() + MAX_WAIT);
            }
            match deadline {
                Some(deadline) => {
                    let _either = tokio::time::timeout_at(deadline, progress.changed()).await;
                }
                None => drop(progress.changed().await),
            }
        }
    }

    /// Reads on, off the async threads. Reading errors are waited out: the records are safe where they are.
    async fn look(&mut self) -> Look {
        loop {
            let Some(mut reader) = self.reader.take() else {
                // A read was interrupted; start again from what is known to be relayed.
                self.reader = Some(Reader::new(Arc::clone(&self.shared), self.cursor));
                continue;
            };
            let read = tokio::task::spawn_blocking(move || {
                let look = reader.look();
                (reader, look)
            });
            match read.await {
                Ok((reader, Ok(look))) => {
                    self.reader = Some(reader);
                    return look;
                }
                Ok((_, Err(error))) => {
                    tracing::error!(reason = %error.kind(), "the audit spool cannot be read");
                }
                Err(_cancelled) => {}
            }
            tokio::time::sleep(FIRST_RETRY).await;
        }
    }

    fn take_batch(&mut self) -> Batch {
        let mut after = self.cursor;
        let mut records = Vec::new();
        let mut keys = Vec::new();
        let mut key_ids = HashSet::new();
        let mut bytes = 0;
        if let Some(reader) = self.reader.as_mut() {
            after.segment = reader.segment();
            while let Some(stored) = reader.pending.front() {
                let is_full = records.len() >= MAX_BATCH || bytes + stored.bytes > MAX_BATCH_BYTES;
                if is_full && !records.is_empty() {
                    break;
                }
                let Some(stored) = reader.pending.pop_front() else { break };
                bytes += stored.bytes;
                after.offset = stored.end;
                let sequence = u64::try_from(stored.record.spool_sequence).unwrap_or(0);
                after.relayed_below = after.relayed_below.max(sequence.saturating_add(1));
                if key_ids.insert(stored.record.key_id.clone()) {
                    keys.extend(reader.keys.get(&stored.record.key_id).cloned());
                }
                records.push(stored.record);
            }
        }
        let batch_id = batch_id(&records);
        let count = records.len();
        let span = tracing::info_span!(
            "audit.relay.publish",
            otel.kind = "producer",
            messaging.destination.name = AUDIT_RECORDS,
            messaging.batch.message_count = count,
        );
        link_producers(&span, &records);
        let service = self.service.as_str().to_owned();
        let batch = SealedBatch { batch_id: batch_id.as_bytes().to_vec(), service, records, keys };
        Batch { message: Message::new(batch_id, batch.encode_to_vec()), records: count, span, after }
    }

    /// Publishes until the queue has taken responsibility.
    async fn publish(&self, queue: &dyn Queue, message: &Message, records: usize) {
        let mut pause = FIRST_RETRY;
        loop {
            match queue.publish(AUDIT_RECORDS, message.clone()).await {
                Ok(()) => {
                    self.shared.metrics.published("accepted");
                    return;
                }
                Err(error) => {
                    self.shared.metrics.published(error.label());
                    tracing::warn!(reason = error.label(), records, "audit records wait for the queue");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// Goes on to the next segment and removes this one. `false` when there is no next one yet.
    async fn leave_segment(&mut self) -> bool {
        let Some(reader) = self.reader.as_mut() else { return false };
        if !reader.next_segment() {
            return false;
        }
        self.cursor = Cursor { segment: reader.segment(), offset: 0, ..self.cursor };
        // A segment may go only when the cursor behind it would survive a power cut.
        if self.keep_cursor(true).await {
            self.remove_relayed().await;
        }
        true
    }

    async fn keep_cursor(&self, durable: bool) -> bool {
        let (cursor, shared) = (self.cursor, Arc::clone(&self.shared));
        let stored = tokio::task::spawn_blocking(move || cursor.store(&shared.directory, durable)).await;
        if let Ok(Err(error)) = &stored {
            tracing::warn!(reason = %error.kind(), "the relay's position is not stored, batches may be published again");
        }
        matches!(stored, Ok(Ok(())))
    }

    /// Removes the segments before the cursor.
    async fn remove_relayed(&self) {
        let (before, shared) = (self.cursor.segment, Arc::clone(&self.shared));
        let removed = tokio::task::spawn_blocking(move || remove_before(&shared, before)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(reason = %error.kind(), "a relayed audit segment is still there");
        }
    }
}

fn remove_before(shared: &Shared, number: u64) -> io::Result<()> {
    let relayed: Vec<_> =
        shared.segments().range(..number).map(|(number, state)| (*number, *state)).collect();
    for (number, state) in relayed {
        let path = segment::path(&shared.directory, number);
        let gone = if state.damaged {
            fs::rename(&path, path.with_extension("damaged"))
        } else {
            fs::remove_file(&path)
        };
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        shared.segments().remove(&number);
        shared.disk_bytes.fetch_sub(state.acknowledged, Ordering::AcqRel);
    }
    Ok(())
}

/// The same for the same records: spool id mixed with first sequence number and count.
fn batch_id(records: &[SealedRecord]) -> Uuid {
    let first = records.first();
    let spool = first.and_then(|r| Uuid::parse_str(&r.spool_id).ok()).unwrap_or_default().as_u128();
    let sequence = first.map_or(0, |r| u128::from(r.spool_sequence.unsigned_abs()));
    let count = records.len() as u128;
    uuid::Builder::from_custom_bytes((spool ^ (sequence << 64) ^ count).to_be_bytes()).into_uuid()
}
