//! The adapter for one process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sallyport_model::{Clock, Micros};

use crate::{Kv, Permit, Rate, Unavailable};

/// Beyond this many keys the ones that expire first are dropped, so that strangers cannot fill the memory.
const MAX_KEYS: usize = 100_000;

struct State {
    values: HashMap<String, (Vec<u8>, Micros)>,
    /// GCRA's theoretical arrival time per key.
    arrivals: HashMap<String, Micros>,
}

/// Values and permits in this process's memory.
pub struct InProcess {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl InProcess {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::new(State { values: HashMap::new(), arrivals: HashMap::new() }) }
    }
}

#[async_trait::async_trait]
impl Kv for InProcess {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let now = self.clock.now();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(state.values.get(key).filter(|(_, expires)| *expires > now).map(|(value, _)| value.clone()))
    }

    async fn set(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), Unavailable> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.values.len() >= MAX_KEYS {
            state.values.retain(|_, (_, expires)| *expires > now);
            let first = state.values.iter().min_by_key(|(_, (_, expires))| *expires).map(|(k, _)| k.clone());
            if let Some(first) = first.filter(|_| state.values.len() >= MAX_KEYS) {
                state.values.remove(&first);
            }
        }
        state.values.insert(key.to_owned(), (value, now + micros(ttl)));
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), Unavailable> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).values.remove(key);
        Ok(())
    }

    async fn permit(&self, key: &str, rate: Rate) -> Result<Permit, Unavailable> {
        let now = self.clock.now();
        let step = micros(rate.per) / i64::from(rate.permits.max(1));
        let tolerance = step * i64::from(rate.burst.max(1) - 1);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.arrivals.len() >= MAX_KEYS {
            state.arrivals.retain(|_, arrival| *arrival > now);
        }
        // A memory full of active keys means an attack: whoever is new waits.
        if state.arrivals.len() >= MAX_KEYS && !state.arrivals.contains_key(key) {
            return Ok(Permit::RetryAfter(rate.per));
        }
        let arrival = state.arrivals.get(key).copied().unwrap_or(now).max(now);
        if arrival - now > tolerance {
            let wait = u64::try_from(arrival - now - tolerance).unwrap_or(0);
            return Ok(Permit::RetryAfter(Duration::from_micros(wait)));
        }
        state.arrivals.insert(key.to_owned(), arrival + step);
        Ok(Permit::Allowed)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;

    use super::*;

    fn store() -> (Arc<TestClock>, InProcess) {
        let clock = Arc::new(TestClock::at(1_000_000));
        let store = InProcess::new(Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, store)
    }

    #[tokio::test]
    async fn a_value_is_gone_after_its_time() {
        let (clock, store) = store();
        store.set("k", vec![1], Duration::from_secs(10)).await.unwrap();
        assert_eq!(store.get("k").await.unwrap(), Some(vec![1]));
        clock.advance(Duration::from_secs(10));
        assert_eq!(store.get("k").await.unwrap(), None);
    }

    #[tokio::test]
    async fn exactly_the_burst_is_allowed_at_once_and_the_rate_after_it() {
        let (clock, store) = store();
        let rate = Rate { permits: 10, per: Duration::from_secs(10), burst: 5 };
        let mut allowed = 0;
        for _ in 0..30 {
            if store.permit("k", rate).await.unwrap() == Permit::Allowed {
                allowed += 1;
            }
        }
        assert_eq!(allowed, 5);
        assert_eq!(store.permit("k", rate).await.unwrap(), Permit::RetryAfter(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(store.permit("k", rate).await.unwrap(), Permit::Allowed);
        assert_eq!(store.permit("other", rate).await.unwrap(), Permit::Allowed);
    }
}
