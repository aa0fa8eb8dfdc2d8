//! When an EHR takes another export: the product's own rule, and what it said to the last kick-off, over all replicas.
//!
//! The shared store remembers both. While it does not answer, the EHR's own refusal is what paces us.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_model::{Code, Micros};
use sallyport_vendors::Profile;

use super::{Action, Outcome};
use crate::{
    Gateway,
    domain::run::{Run, Whose},
    error::Refusal,
};

/// How long a step waits for the store.
const STORE_WAIT: Duration = Duration::from_millis(250);

/// Refuses a kick-off that the EHR would refuse.
pub(super) async fn may_kick_off(gateway: &Gateway, run: &Run) -> Result<(), Refusal> {
    let keys: Vec<String> = [Some(busy(run)), same(run)].into_iter().flatten().collect();
    let told = gateway.store.ask(STORE_WAIT, |kv| async move {
        let mut told = Vec::new();
        for key in &keys {
            told.extend(kv.get(key).await?);
        }
        Ok(told)
    });
    let now = gateway.clock.now();
    let until = told.await.unwrap_or_default().iter().filter_map(|bytes| instant(bytes)).max();
    match until.filter(|until| *until > now) {
        Some(until) => Err(wait(until.saturating_sub(now))),
        None => Ok(()),
    }
}

/// Remembers what a step showed: an export that was begun, or that the EHR takes none now, or that one was ended.
pub(super) async fn learn(
    gateway: &Gateway,
    run: &Run,
    profile: &Profile,
    action: &Action,
    outcome: &Result<Outcome, Refusal>,
) {
    let now = gateway.clock.now();
    match (action, outcome) {
        (Action::KickOff(_), Ok(Outcome::Accepted(_))) => {
            if let Some((key, seconds)) = same(run).zip(*profile.bulk.repeat_seconds) {
                remember(gateway, key, now, seconds).await;
            }
        }
        (Action::KickOff(_), Err(refusal)) if refusal.code == Code::BulkWait => {
            let seconds = refusal.retry_after.and_then(|s| i64::try_from(s).ok()).unwrap_or(0);
            remember(gateway, busy(run), now, seconds).await;
        }
        (Action::Delete(_), Ok(_)) => {
            let busy = busy(run);
            let _told = gateway.store.ask(STORE_WAIT, |kv| async move { kv.delete(&busy).await }).await;
        }
        _ => {}
    }
}

async fn remember(gateway: &Gateway, key: String, now: Micros, seconds: i64) {
    let Ok(ttl @ 1..) = u64::try_from(seconds) else { return };
    let until = now.saturating_add(seconds.saturating_mul(1_000_000));
    let (value, ttl) = (until.to_string().into_bytes(), Duration::from_secs(ttl));
    let _told = gateway.store.ask(STORE_WAIT, |kv| async move { kv.set(&key, value, ttl).await }).await;
}

fn wait(micros: Micros) -> Refusal {
    let seconds = u64::try_from(micros.saturating_add(999_999).div_euclid(1_000_000)).unwrap_or(0);
    Refusal { retry_after: Some(seconds.max(1)), ..Refusal::new(Code::BulkWait) }
}

/// The client at the endpoint: the EHR takes no export of it.
fn busy(run: &Run) -> String {
    format!("gateway:export:{}:{}:{}", run.tenant, run.endpoint, run.registration)
}

/// The same cohort by the same client. Not of a list: the store learns nothing of who is in it, and the products that mind
/// a repetition know groups alone.
fn same(run: &Run) -> Option<String> {
    match &run.whose {
        Whose::Group(id) => {
            let id = digest::digest(&digest::SHA256, id.expose().as_bytes());
            Some(format!("{}:group:{}", busy(run), URL_SAFE_NO_PAD.encode(id.as_ref())))
        }
        Whose::Everyone => Some(format!("{}:everyone", busy(run))),
        Whose::Patients(_) => None,
    }
}

fn instant(bytes: &[u8]) -> Option<Micros> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
