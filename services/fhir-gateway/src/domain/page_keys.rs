//! The keys that seal page links: one current key over all replicas, wrapped by the key-encryption key, in the shared
//! store. A key is made here and works here at once; sharing it is a background matter, so no call waits for the store
//! or the key service, and without them links work in the process that made them.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use sallyport_keyring::{DataKey, DataKeyContext, Keyring};
use sallyport_kv::Kv;
use sallyport_model::{Clock, Micros, TenantId};
use tokio::sync::watch;
use uuid::Uuid;

use crate::metrics::GatewayMetrics;

/// How often the replicas look which key is current.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a call waits for a key of another replica.
const LEARN_WAIT: Duration = Duration::from_secs(1);

/// Names the key that replicas seal with.
const CURRENT: &str = "gateway:page-key";

const PURPOSE: &str = "page links";

#[derive(Clone)]
struct Current {
    id: Uuid,
    key: Arc<DataKey>,
    made_at: Micros,
    /// Something was sealed with it, so others may have to open that.
    is_used: Arc<AtomicBool>,
}

impl Current {
    fn new(clock: &dyn Clock) -> Self {
        let id = sallyport_model::RecordId::new(clock).uuid();
        let is_used = Arc::new(AtomicBool::new(false));
        Self { id, key: Arc::new(DataKey::generate()), made_at: clock.now(), is_used }
    }
}

struct Known {
    key: Arc<DataKey>,
    dies_at: Micros,
}

/// The keys of this process, by id.
pub(crate) struct KeyBook {
    clock: Arc<dyn Clock>,
    /// How long a key seals, and how long what it sealed can be opened afterwards.
    life: Micros,
    current: RwLock<Current>,
    known: DashMap<Uuid, Known>,
}

impl KeyBook {
    /// A book with a fresh key.
    pub(crate) fn new(clock: Arc<dyn Clock>, life: Micros) -> Self {
        let current = Current::new(clock.as_ref());
        let book = Self { clock, life, current: RwLock::new(current.clone()), known: DashMap::new() };
        book.keep(current.id, Arc::clone(&current.key), current.made_at);
        book
    }

    /// The key to seal with, and its id.
    pub(crate) fn sealing(&self) -> (Uuid, Arc<DataKey>) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.is_used.store(true, Ordering::Release);
        (current.id, Arc::clone(&current.key))
    }

    /// The key of that id, if this process knows it.
    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<DataKey>> {
        self.known.get(&id).map(|known| Arc::clone(&known.key))
    }

    fn keep(&self, id: Uuid, key: Arc<DataKey>, made_at: Micros) {
        let now = self.clock.now();
        self.known.retain(|_, known| known.dies_at > now);
        let dies_at = made_at.saturating_add(self.life.saturating_mul(2));
        self.known.insert(id, Known { key, dies_at });
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seal_with(&self, current: Current) {
        self.keep(current.id, Arc::clone(&current.key), current.made_at);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }

    fn is_due(&self, made_at: Micros) -> bool {
        self.clock.now() >= made_at.saturating_add(self.life)
    }
}

/// Shares the book's keys with other replicas.
pub(crate) struct SharedKeys {
    book: Arc<KeyBook>,
    kv: Arc<dyn Kv>,
    ring: Keyring,
    metrics: Arc<GatewayMetrics>,
}

/// What the store holds of a key.
struct Stored {
    made_at: Micros,
    wrapped: Vec<u8>,
}

impl SharedKeys {
    pub(crate) fn new(
        book: Arc<KeyBook>,
        kv: Arc<dyn Kv>,
        ring: Keyring,
        metrics: Arc<GatewayMetrics>,
    ) -> Self {
        Self { book, kv, ring, metrics }
    }

    /// Learns a key of another replica, once: the store and the key service are asked for each key, not for each link.
    pub(crate) async fn learn(&self, id: Uuid) {
        if self.book.get(id).is_some() {
            return;
        }
        self.metrics.hop("kv");
        let learning = async {
            let stored = self.stored(id).await?;
            let key = self.open(id, &stored).await?;
            self.book.keep(id, key, stored.made_at);
            Some(())
        };
        // Not learned: the link is refused, and the search is run again.
        let _learned = tokio::time::timeout(LEARN_WAIT, learning).await;
    }

    /// Looks until shutdown that every replica seals with the same key and can open what the others sealed.
    pub(crate) async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.agree().await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _over = shutdown.wait_for(|over| *over) => return,
            }
        }
    }

    /// Seals with the key that the store calls current; offers one where there is none or it is old. Two replicas that
    /// offer one at once both keep theirs known, and agree on the later one at the next look.
    pub(crate) async fn agree(&self) {
        let own = self.book.current();
        let named = match self.kv.get(CURRENT).await {
            Ok(named) => named.and_then(|bytes| Uuid::from_slice(&bytes).ok()),
            Err(_away) => return self.renew_alone(&own),
        };
        if let Some(id) = named {
            let is_there = self.stored(id).await;
            if let Some(stored) = is_there
                && !self.book.is_due(stored.made_at)
            {
                if id != own.id {
                    self.adopt(id, &stored, &own).await;
                }
                return;
            }
        }
        let offered =
            if self.book.is_due(own.made_at) { Current::new(self.book.clock.as_ref()) } else { own.clone() };
        self.book.seal_with(offered.clone());
        if self.publish(&offered).await.is_some() {
            let _named = self.kv.set(CURRENT, offered.id.as_bytes().to_vec(), self.life(1)).await;
        }
    }

    /// Without the store a key is still replaced when it is old.
    fn renew_alone(&self, own: &Current) {
        if self.book.is_due(own.made_at) {
            self.book.seal_with(Current::new(self.book.clock.as_ref()));
        }
    }

    async fn adopt(&self, id: Uuid, stored: &Stored, own: &Current) {
        let Some(key) = self.open(id, stored).await else { return };
        if own.is_used.load(Ordering::Acquire) {
            self.publish(own).await;
        }
        let is_used = Arc::new(AtomicBool::new(false));
        self.book.seal_with(Current { id, key, made_at: stored.made_at, is_used });
    }

    async fn publish(&self, current: &Current) -> Option<()> {
        let place = place(current.id);
        if self.kv.get(&place).await.ok()?.is_some() {
            return Some(());
        }
        let wrapped = self.ring.wrap(&context(current.id), &current.key).await.ok()?;
        let mut value = current.made_at.to_be_bytes().to_vec();
        value.extend_from_slice(&wrapped);
        self.kv.set(&place, value, self.life(2)).await.ok()
    }

    async fn stored(&self, id: Uuid) -> Option<Stored> {
        let value = self.kv.get(&place(id)).await.ok()??;
        let (made_at, wrapped) = value.split_first_chunk::<8>()?;
        Some(Stored { made_at: Micros::from_be_bytes(*made_at), wrapped: wrapped.to_vec() })
    }

    async fn open(&self, id: Uuid, stored: &Stored) -> Option<Arc<DataKey>> {
        self.ring.open(&context(id), &stored.wrapped).await.ok()
    }

    fn life(&self, times: u32) -> Duration {
        Duration::from_micros(u64::try_from(self.book.life).unwrap_or(0)).saturating_mul(times)
    }
}

fn place(id: Uuid) -> String {
    format!("{CURRENT}:{id}")
}

/// A wrapped key opens as a key for page links of that id and as nothing else: whoever can write to the store cannot
/// give us a key of theirs.
fn context(id: Uuid) -> DataKeyContext {
    DataKeyContext { tenant: TenantId::system(), purpose: PURPOSE, key_id: id }
}
