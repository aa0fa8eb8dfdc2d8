//! What was revoked, by id, for as long as it can still matter.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

use sallyport_model::Micros;

/// Rows are kept this long: three times the longest session.
const KEEP: Micros = 24 * 3_600 * 1_000_000;

/// How often old rows are looked for. Not at every row: a tenant's end brings thousands of them at once.
const SWEEP_EVERY: Micros = 60 * 1_000_000;

struct Kept<K> {
    at: HashMap<K, Micros>,
    swept_at: Micros,
}

/// Ids with the time at which they were heard of.
pub(super) struct Rows<K>(RwLock<Kept<K>>);

impl<K: Hash + Eq> Rows<K> {
    pub(super) fn new() -> Self {
        Self(RwLock::new(Kept { at: HashMap::new(), swept_at: 0 }))
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).at.contains_key(key)
    }

    pub(super) fn insert(&self, key: K, now: Micros) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.at.insert(key, now);
        if now - kept.swept_at >= SWEEP_EVERY {
            kept.swept_at = now;
            kept.at.retain(|_, at| now - *at < KEEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_forgotten_when_no_session_can_be_that_old() {
        let rows = Rows::new();
        rows.insert(1, 0);
        rows.insert(2, KEEP - 1);
        assert!(rows.contains(&1) && rows.contains(&2));
        rows.insert(3, KEEP + SWEEP_EVERY);
        assert!(!rows.contains(&1) && rows.contains(&2) && rows.contains(&3));
    }
}
