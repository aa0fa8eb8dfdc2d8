//! The reader's side: which launches and grants are dead, and whether that is known well enough to act on.

use std::{
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
    types::v1::{
        Heartbeat, WatchRevocationsResponse, revocation_event::What, watch_revocations_response::Item,
    },
};
use tonic::{Status, Streaming};

use super::rows::Rows;

/// Older knowledge than this refuses: the longest time between a revocation and its effect.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// How long a broken stream waits before it is opened again.
const RECONNECT: Duration = Duration::from_millis(200);

/// A stream that cannot be opened, or is silent, for this long is given up while another replica of the owner still has
/// the time to speak before what is known grows stale. Heartbeats come every second.
const GIVE_UP: Duration = Duration::from_millis(2_500);

struct Owner {
    /// The time by our clock at which the owner's table was last known to be read.
    fresh_at: AtomicI64,
}

struct State {
    clock: Arc<dyn Clock>,
    launches: Rows<LaunchId>,
    grants: Rows<GrantId>,
    owners: RwLock<Vec<Arc<Owner>>>,
}

/// Where the reader is in one owner's sequence, and how the owner's clock compares.
struct Place {
    /// The last sequence number seen; 0 asks for all.
    last: i64,
    /// When the stream that is open was asked for, by our clock.
    opened_at: Micros,
    /// When its first heartbeat was sent, by the owner's clock: not before we asked.
    first_beat: Option<Micros>,
}

/// What is revoked, as told by all owners. Cheap to clone and to ask.
#[derive(Clone)]
pub struct Watch(Arc<State>);

impl Watch {
    /// Knows nothing and is stale until every owner registered with [`Watch::follow`] has spoken.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(State { clock, launches: Rows::new(), grants: Rows::new(), owners: RwLock::default() }))
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
        self.0.launches.contains(&launch) || self.0.grants.contains(&grant)
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
            let mut place = Place { last: 0, opened_at: 0, first_beat: None };
            loop {
                place.opened_at = state.clock.now();
                place.first_beat = None;
                if let Ok(Ok(mut stream)) = tokio::time::timeout(GIVE_UP, open(place.last)).await {
                    while let Ok(Ok(Some(message))) = tokio::time::timeout(GIVE_UP, stream.message()).await {
                        if !state.take(&owner, message, &mut place) {
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
    /// Applies one message. `false` means that this stream is of no more use: open another one.
    fn take(&self, owner: &Owner, message: WatchRevocationsResponse, place: &mut Place) -> bool {
        match message.item {
            Some(Item::Heartbeat(beat)) => {
                // Rows are told before the heartbeat that counts them; at the start, older rows may have been dropped.
                if place.last == 0 {
                    place.last = beat.head;
                } else if beat.head != place.last {
                    // More than we were told, or less: a table that was restored has numbers to give again, and we would
                    // wait for them for ever.
                    place.last = 0;
                    return false;
                }
                self.heard(owner, &beat, place)
            }
            Some(Item::Event(event)) => {
                if place.last != 0 && event.sequence != place.last + 1 {
                    place.last = 0;
                    return false;
                }
                place.last = event.sequence;
                let now = self.clock.now();
                match event.what {
                    Some(What::Launch(id)) => {
                        if let Ok(id) = convert::launch_id(&id) {
                            self.launches.insert(id, now);
                        }
                    }
                    Some(What::Grant(id)) => {
                        if let Ok(id) = convert::grant_id(&id) {
                            self.grants.insert(id, now);
                        }
                    }
                    None => {}
                }
                true
            }
            None => true,
        }
    }

    /// How fresh a heartbeat makes us. The first one was sent after we asked; every later one is as much younger as the
    /// owner's clock says. So neither skew between clocks nor a heartbeat that waited somewhere makes us too sure.
    fn heard(&self, owner: &Owner, beat: &Heartbeat, place: &mut Place) -> bool {
        let now = self.clock.now();
        let first = *place.first_beat.get_or_insert(beat.sent_at);
        let read_since = beat.read_at.saturating_sub(first);
        let fresh_at = place.opened_at.saturating_add(read_since).min(now);
        owner.fresh_at.store(fresh_at, Ordering::Release);
        // The owner has just read its table and we are behind all the same: the way here is slow, or a clock was set.
        let is_read = beat.sent_at.saturating_sub(beat.read_at) < micros(GIVE_UP);
        !is_read || now.saturating_sub(fresh_at) < micros(GIVE_UP)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
