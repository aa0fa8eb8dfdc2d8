//! What replicas share, with eyes and a switch: a store that can be away or hang.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sallyport_kv::{InProcess, Kv, Permit, Rate, Unavailable};
use sallyport_model::Clock;

/// A key-value store for all replicas of one test.
pub(crate) struct Store {
    inner: InProcess,
    is_away: AtomicBool,
    hangs: AtomicBool,
    /// Everything that was ever set.
    pub(crate) written: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Store {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: InProcess::new(clock),
            is_away: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            written: Mutex::default(),
        }
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    pub(crate) fn set_hanging(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.written.lock().unwrap().keys().any(|key| key.starts_with(prefix))
    }

    async fn answer(&self) -> Result<(), Unavailable> {
        while self.hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.is_away.load(Ordering::SeqCst) { Err(Unavailable) } else { Ok(()) }
    }
}

#[tonic::async_trait]
impl Kv for Store {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.answer().await?;
        self.inner.get(key).await
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Unavailable> {
        self.answer().await?;
        self.written.lock().unwrap().insert(key.to_owned(), value.clone());
        self.inner.set(key, value, ttl).await
    }

    async fn delete(&self, key: &str) -> Result<(), Unavailable> {
        self.answer().await?;
        self.inner.delete(key).await
    }

    async fn permits(&self, key: &str, rate: Rate, count: u32) -> Result<Permit, Unavailable> {
        self.answer().await?;
        self.inner.permits(key, rate, count).await
    }
}
