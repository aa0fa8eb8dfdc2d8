//! Unwrapped keys, since when their keeper vouches for them, and the question in the background that renews this.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use sallyport_model::Micros;
use tokio::{runtime::Handle, task::AbortHandle};

use super::{DataKeyContext, Keeper, lock};
use crate::{DataKey, KeyError};

/// How long an unwrapped key is used after its keeper was asked for it last.
pub const PROOF_LASTS_MICROS: Micros = 5 * 60 * 1_000_000;

/// How old a proof gets before a key in use is proven again in the background.
const PROOF_IS_NEW_MICROS: Micros = 60 * 1_000_000;

/// Between two attempts for one key, so that a keeper that comes back is not met by everybody at once.
const BETWEEN_ATTEMPTS_MICROS: Micros = 10 * 1_000_000;

/// What is unwrapped, by whose and for what.
pub(super) type Open = Mutex<HashMap<DataKeyContext, Proven>>;

/// An unwrapped key and when its keeper vouched for it last.
pub(super) struct Proven {
    key: Arc<DataKey>,
    /// What is unwrapped to prove it again.
    wrapped: Arc<[u8]>,
    at: Micros,
    attempt: Option<Attempt>,
}

/// A question in the background. It ends with the key it asks for, and so with the ring.
struct Attempt {
    asked_at: Micros,
    task: AbortHandle,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proven {
    /// A key that was unwrapped after `asked_at`.
    pub(super) fn new(key: &Arc<DataKey>, wrapped: &[u8], asked_at: Micros) -> Self {
        Self { key: Arc::clone(key), wrapped: wrapped.into(), at: asked_at, attempt: None }
    }

    /// The key itself.
    pub(super) fn key(&self) -> Arc<DataKey> {
        Arc::clone(&self.key)
    }

    /// Whether it may be used.
    pub(super) fn is_fresh(&self, now: Micros) -> bool {
        if sallyport_model::planted!("data-key-outlives-its-proof") {
            return true;
        }
        // A clock that was turned back is no proof either.
        (0..PROOF_LASTS_MICROS).contains(&now.saturating_sub(self.at))
    }

    /// Whether its keeper should be asked again: the proof is no longer new, and nobody asks or asked just now.
    pub(super) fn is_due(&self, now: Micros) -> bool {
        if sallyport_model::planted!("data-key-never-proven-again") {
            return false;
        }
        let may_ask = |attempt: &Attempt| {
            attempt.task.is_finished() && now.saturating_sub(attempt.asked_at) >= BETWEEN_ATTEMPTS_MICROS
        };
        now.saturating_sub(self.at) >= PROOF_IS_NEW_MICROS && self.attempt.as_ref().is_none_or(may_ask)
    }
}

/// Asks the keeper again without waiting for its answer. Outside a runtime nobody can be asked, and the key serves until
/// its proof is over.
pub(super) fn prove_again(
    proven: &mut Proven,
    context: &DataKeyContext,
    keeper: &Arc<Keeper>,
    open: &Arc<Open>,
    now: Micros,
) {
    let Ok(runtime) = Handle::try_current() else { return };
    let (context, wrapped, keeper) = (context.clone(), Arc::clone(&proven.wrapped), Arc::clone(keeper));
    // Weak both: an answer is of use only while the ring is there and still holds this very key.
    let (open, key) = (Arc::downgrade(open), Arc::downgrade(&proven.key));
    let task = runtime.spawn(async move {
        let answer = keeper.unwrap(&context, &wrapped).await;
        if let Some(open) = open.upgrade() {
            settle(&mut lock(&open), &context, &key, now, answer.map(|_same_key| ()));
        }
    });
    proven.attempt = Some(Attempt { asked_at: now, task: task.abort_handle() });
}

/// What the keeper's answer means for the key that was asked for. One that was forgotten or unwrapped anew meanwhile is
/// another key.
pub(super) fn settle(
    open: &mut HashMap<DataKeyContext, Proven>,
    context: &DataKeyContext,
    asked_for: &Weak<DataKey>,
    asked_at: Micros,
    answer: Result<(), KeyError>,
) {
    let is_same = |proven: &&mut Proven| Weak::ptr_eq(&Arc::downgrade(&proven.key), asked_for);
    let Some(proven) = open.get_mut(context).filter(is_same) else { return };
    match answer {
        Ok(()) => proven.at = proven.at.max(asked_at),
        Err(error) if error.is_a_no() && !sallyport_model::planted!("data-key-survives-a-no") => {
            open.remove(context);
        }
        // Whoever could not be asked has said nothing: the proof there is stands until it is over.
        Err(_not_asked) => {}
    }
}
