//! The reader's side: which launches and grants are dead, and whether that is known well enough to act on.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sallyport_model::{Clock, GrantId, LaunchId, Micros};
use sallyport_proto::{
    convert,
    types::v1::{WatchRevocationsResponse, revocation_event::What, watch_revocations_response::Item},
};
use tonic::{Status, Streaming};

/// Older knowledge than this refuses: the longest time between a revocation and its effect.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// Rows are kept this long: three times the longest session.
const KEEP: Duration = Duration::from_secs(24 * 3_600);

/// How long a broken stream waits before it is opened again.
const RECONNECT: Duration = Duration::from_millis(200);

struct Owner {
    /// The time by our clock at which the owner's table was last known to be read.
    fresh_at: AtomicI64,
}

struct State {
    clock: Arc<dyn Clock>,
    launches: RwLock<HashMap<LaunchId, Micros>>,
    grants: RwLock<HashMap<GrantId, Micros>>,
    owners: RwLock<Vec<Arc<Owner>>>,
}

/// What is revoked, as told by all owners. Cheap to clone and to ask.
#[derive(Clone)]
pub struct Watch(Arc<State>);

impl Watch {
    /// Knows nothing and is stale until every owner registered with [`Watch::follow`] has spoken.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(State {
            clock,
            launches: RwLock::default(),
            grants: RwLock::default(),
            owners: RwLock::default(),
        }))
    }

    /// Whether every owner's table was read within [`STALE_AFTER`]. No owner at all is stale.
    pub fn is_fresh(&self) -> bool {
        let limit = micros(STALE_AFTER);
        let now = self.0.clock.now();
        let owners = self.0.owners.read().unwrap_or_else(PoisonError::into_inner);
        !owners.is_empty() && owners.iter().all(|o| now - o.fresh_at.load(Ordering::Acquire) <= limit)
    }

    /// Whether the launch or its grant was revoked.
    pub fn is_revoked(&self, launch: LaunchId, grant: GrantId) -> bool {
        let launches = self.0.launches.read().unwrap_or_else(PoisonError::into_inner);
        let grants = self.0.grants.read().unwrap_or_else(PoisonError::into_inner);
        launches.contains_key(&launch) || grants.contains_key(&grant)
    }

    /// Follows one owner for ever: `open(after)` opens its stream. End the task to stop.
    pub fn follow<F, Fut>(&self, open: F) -> impl Future<Output = ()> + Send + use<F, Fut>
    where
        F: Fn(i64) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Streaming<WatchRevocationsResponse>, Status>> + Send,
    {
        let owner = Arc::new(Owner { fresh_at: AtomicI64::new(i64::MIN / 2) });
        self.0.owners.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&owner));
        let state = Arc::clone(&self.0);
        async move {
            let mut last = 0;
            loop {
                if let Ok(mut stream) = open(last).await {
                    // A silent stream is a broken one: heartbeats come every second.
                    while let Ok(Ok(Some(message))) =
                        tokio::time::timeout(STALE_AFTER, stream.message()).await
                    {
                        if !state.take(&owner, message, &mut last) {
                            break;
                        }
                    }
                }
                tokio::time::sleep(RECONNECT).await;
            }
        }
    }
}

impl State {
    /// Applies one message. `false` means a gap: start again from zero.
    fn take(&self, owner: &Owner, message: WatchRevocationsResponse, last: &mut i64) -> bool {
        match message.item {
            Some(Item::Heartbeat(beat)) => {
                // Rows are told before the heartbeat that counts them; at the start, older rows may have been dropped.
                if *last == 0 {
                    *last = beat.head;
                } else if beat.head > *last {
                    *last = 0;
                    return false;
                }
                let age = beat.sent_at.saturating_sub(beat.read_at).max(0);
                owner.fresh_at.store(self.clock.now().saturating_sub(age), Ordering::Release);
                true
            }
            Some(Item::Event(event)) => {
                if *last != 0 && event.sequence != *last + 1 {
                    *last = 0;
                    return false;
                }
                *last = event.sequence;
                let now = self.clock.now();
                match event.what {
                    Some(What::Launch(id)) => {
                        if let Ok(id) = convert::launch_id(&id) {
                            insert(&self.launches, id, now);
                        }
                    }
                    Some(What::Grant(id)) => {
                        if let Ok(id) = convert::grant_id(&id) {
                            insert(&self.grants, id, now);
                        }
                    }
                    None => {}
                }
                true
            }
            None => true,
        }
    }
}

fn insert<K: std::hash::Hash + Eq>(map: &RwLock<HashMap<K, Micros>>, key: K, now: Micros) {
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    map.insert(key, now);
    map.retain(|_, at| now - *at < micros(KEEP));
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
