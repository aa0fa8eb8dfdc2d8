//! The adapter for one process.

mod expiring;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sallyport_model::{Clock, Micros};

use crate::{Kv, Permit, Rate, Unavailable, gcra};
use expiring::Expiring;

/// Values beyond this make others go, so that strangers cannot fill the memory.
const MAX_VALUE_BYTES: usize = 64 << 20;

/// The same for limiters, about 100,000 of them. Those that would be free again first go first: somebody who floods
/// with new keys gets none of them unlimited for long, and the busy ones stay limited.
const MAX_LIMITER_BYTES: usize = 16 << 20;

/// Values and permits in this process's memory.
pub struct InProcess {
    clock: Arc<dyn Clock>,
    values: Mutex<Expiring<Vec<u8>>>,
    /// When each limiter is full again.
    limiters: Mutex<Expiring<gcra::Arrival>>,
}

impl InProcess {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::bounded(clock, MAX_VALUE_BYTES, MAX_LIMITER_BYTES)
    }

    fn bounded(clock: Arc<dyn Clock>, value_bytes: usize, limiter_bytes: usize) -> Self {
        let (values, limiters) = (Expiring::new(value_bytes), Expiring::new(limiter_bytes));
        Self { clock, values: Mutex::new(values), limiters: Mutex::new(limiters) }
    }

    fn values(&self) -> MutexGuard<'_, Expiring<Vec<u8>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Kv for InProcess {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(self.values().get(key, self.clock.now()).cloned())
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Unavailable> {
        let now = self.clock.now();
        let expires = now.saturating_add(Micros::try_from(ttl.as_micros()).unwrap_or(Micros::MAX));
        let weight = value.len();
        self.values().insert(key, value, weight, expires, now);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Unavailable> {
        self.values().remove(key);
        Ok(())
    }

    async fn permits(&self, key: &str, rate: Rate, count: u32) -> Result<Permit, Unavailable> {
        let now = self.clock.now();
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        match gcra::take(limiters.get(key, now).copied(), now, rate, count) {
            Ok(arrival) => {
                limiters.insert(key, arrival, size_of::<gcra::Arrival>(), arrival.full_again(), now);
                Ok(Permit::Allowed)
            }
            Err(wait) => Ok(Permit::RetryAfter(wait)),
        }
    }
}

#[cfg(test)]
mod tests;
