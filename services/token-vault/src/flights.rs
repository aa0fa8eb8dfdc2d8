//! One refresh per grant within this process: whoever comes second waits and reads what the first has stored. Over
//! processes the lease in the row does the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sallyport_model::GrantId;
use tokio::sync::OwnedMutexGuard;

/// The turns that are being waited for.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<GrantId, Weak<tokio::sync::Mutex<()>>>>);

impl Flights {
    /// Waits for this grant's turn. The guard travels into the task that refreshes, so that a caller who gives up does
    /// not let the next one in too early.
    pub(crate) async fn turn(&self, grant: GrantId) -> OwnedMutexGuard<()> {
        let mutex = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|_, mutex| mutex.strong_count() > 0);
            match waiting.get(&grant).and_then(Weak::upgrade) {
                Some(mutex) => mutex,
                None => {
                    let mutex = Arc::new(tokio::sync::Mutex::new(()));
                    waiting.insert(grant, Arc::downgrade(&mutex));
                    mutex
                }
            }
        };
        mutex.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_turn_at_a_time_per_grant() {
        let clock = sallyport_model::TestClock::at(1_000_000);
        let (grant, other) = (GrantId::new(&clock), GrantId::new(&clock));
        let flights = Arc::new(Flights::default());
        let inside = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (flights, inside) = (Arc::clone(&flights), Arc::clone(&inside));
            tasks.push(tokio::spawn(async move {
                let _turn = flights.turn(grant).await;
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
            }));
        }
        let _unrelated = flights.turn(other).await;
        for task in tasks {
            task.await.unwrap();
        }
    }
}
