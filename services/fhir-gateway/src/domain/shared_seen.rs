//! What a launch has seen, told to the other replicas through the shared store. The store holds hashes keyed by the
//! launch's own cookie, so that it tells nobody which references they are, or whose.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use sallyport_fhir::{
    ResourceType,
    params::{Ownership, TypeRule},
};
use sallyport_kv::Unavailable;
use sallyport_model::{Clock, Secret};

use super::{holder::Holder, seen::SeenByLaunch, store::Store};

/// How long an answer waits until the other replicas can know what it refers to. Beyond it the answer leaves, and a
/// replica that does not know refuses (`fhir.patient_denied`) until this one has told it with a later answer.
const PUBLISH_WAIT: Duration = Duration::from_millis(50);

/// How long a call that only another replica can vouch for waits.
const RECALL_WAIT: Duration = Duration::from_millis(250);

/// References looked up for one call, and told with one answer; more wait for the next.
const RECALL_MOST: usize = 200;
const PUBLISH_MOST: usize = 1_000;

/// The key of one launch's hashes.
#[derive(Clone)]
pub(crate) struct SeenKey(hmac::Key);

impl SeenKey {
    /// From the cookie, which every replica that serves the launch gets and the store never does.
    pub(crate) fn of(secret: &Secret<String>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// Where the store keeps that a reference was seen.
    fn place(&self, resource_type: ResourceType, id: &str) -> String {
        let message = format!("seen reference\0{resource_type}\0{id}");
        let tag = hmac::sign(&self.0, message.as_bytes());
        format!("gateway:seen:{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }
}

/// The store, as the place of what was seen.
pub(crate) struct SharedSeen {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl SharedSeen {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Asks whether another replica has seen `wanted`, and remembers those it has. `false` when nothing was learned.
    pub(crate) async fn recall(
        &self,
        holder: Holder<'_>,
        seen: &SeenByLaunch,
        wanted: &[(ResourceType, String)],
    ) -> bool {
        let Some(key) = holder.seen_key().filter(|_| !wanted.is_empty()) else { return false };
        let found = self.store.ask(RECALL_WAIT, |kv| async move {
            let lookups = wanted.iter().take(RECALL_MOST).map(|(resource_type, id)| {
                let place = key.place(*resource_type, id);
                let kv = &kv;
                async move {
                    let value = kv.get(&place).await?;
                    Ok::<_, Unavailable>(value.is_some().then_some((*resource_type, id.as_str())))
                }
            });
            Ok(join_all(lookups).await)
        });
        let Some(found) = found.await else { return false };
        let known: Vec<_> = found.into_iter().filter_map(|lookup| lookup.ok().flatten()).collect();
        let is_any = !known.is_empty();
        seen.recalled(known.into_iter());
        is_any
    }

    /// Tells the other replicas what this launch saw here and was not told yet. With `everything` also what belongs to
    /// the patient: only a launch that may read what is attached to it (Provenance) ever asks for that.
    pub(crate) async fn publish(&self, holder: Holder<'_>, seen: &SeenByLaunch, everything: bool) {
        let Some(key) = holder.seen_key() else { return };
        let left = holder.dies_at().saturating_sub(self.clock.now());
        let Ok(ttl @ 1..) = u64::try_from(left) else { return };
        let news = seen.untold(PUBLISH_MOST, |resource_type| everything || is_shared(resource_type));
        if news.is_empty() {
            return;
        }
        let ttl = Duration::from_micros(ttl);
        let items = &news;
        let written = self.store.ask(PUBLISH_WAIT, |kv| async move {
            let writes = items.iter().map(|(resource_type, id)| {
                let place = key.place(*resource_type, id);
                let kv = &kv;
                async move { kv.set(&place, vec![1], ttl).await }
            });
            join_all(writes).await.into_iter().collect::<Result<Vec<()>, Unavailable>>()
        });
        if written.await.is_some() {
            seen.told(&news);
        }
    }
}

/// Whether the type is nobody's, so that reading it takes a reference.
fn is_shared(resource_type: ResourceType) -> bool {
    TypeRule::of(resource_type).is_some_and(|rule| rule.ownership == Ownership::Shared)
}
