//! A map whose entries expire and which never outgrows its bounds: what expires first goes first.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sallyport_model::Micros;

/// What an entry weighs beside its own bytes: key twice referenced, index, times.
const OVERHEAD_BYTES: usize = 128;

pub(super) struct Expiring<V> {
    entries: HashMap<Arc<str>, Entry<V>>,
    /// By expiry, so that neither forgetting nor making room has to look at everything: a flood of keys costs each
    /// caller the same as one key does.
    order: BTreeSet<(Micros, Arc<str>)>,
    bytes: usize,
    max_bytes: usize,
}

struct Entry<V> {
    value: V,
    expires: Micros,
    bytes: usize,
}

impl<V> Expiring<V> {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeSet::new(), bytes: 0, max_bytes }
    }

    pub(super) fn get(&self, key: &str, now: Micros) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.expires > now).map(|entry| &entry.value)
    }

    /// Keeps `value`, which weighs `weight` bytes, until `expires`. One that would not fit into an empty map is not kept.
    pub(super) fn insert(&mut self, key: &str, value: V, weight: usize, expires: Micros, now: Micros) {
        self.remove(key);
        let bytes = weight.saturating_add(key.len()).saturating_add(OVERHEAD_BYTES);
        if expires <= now || bytes > self.max_bytes {
            return;
        }
        self.forget(now);
        while self.bytes.saturating_add(bytes) > self.max_bytes {
            let Some((_, first)) = self.order.pop_first() else { break };
            self.drop_entry(&first);
        }
        let key: Arc<str> = key.into();
        self.order.insert((expires, Arc::clone(&key)));
        self.entries.insert(key, Entry { value, expires, bytes });
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Some((key, entry)) = self.entries.remove_entry(key) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            self.order.remove(&(entry.expires, key));
        }
    }

    fn forget(&mut self, now: Micros) {
        while self.order.first().is_some_and(|(expires, _)| *expires <= now) {
            let Some((_, key)) = self.order.pop_first() else { break };
            self.drop_entry(&key);
        }
    }

    fn drop_entry(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_for(entries: usize) -> Expiring<u8> {
        Expiring::new(entries * (OVERHEAD_BYTES + 1 + 10))
    }

    fn consistent(map: &Expiring<u8>) {
        assert_eq!(map.entries.len(), map.order.len());
        assert_eq!(map.bytes, map.entries.values().map(|e| e.bytes).sum::<usize>());
        assert!(map.bytes <= map.max_bytes);
    }

    #[test]
    fn what_expires_first_makes_room() {
        let mut map = room_for(2);
        map.insert("a", 1, 10, 300, 0);
        map.insert("b", 2, 10, 200, 0);
        map.insert("c", 3, 10, 400, 0);
        assert_eq!((map.get("a", 0), map.get("b", 0), map.get("c", 0)), (Some(&1), None, Some(&3)));
        consistent(&map);
    }

    #[test]
    fn what_has_expired_is_gone_and_gives_its_room_back() {
        let mut map = room_for(1);
        map.insert("a", 1, 10, 100, 0);
        assert_eq!((map.get("a", 99), map.get("a", 100)), (Some(&1), None));
        map.insert("b", 2, 10, 300, 100);
        assert_eq!(map.entries.len(), 1);
        consistent(&map);
    }

    #[test]
    fn a_key_set_again_or_removed_is_counted_once() {
        let mut map = room_for(2);
        map.insert("a", 1, 10, 100, 0);
        map.insert("a", 2, 10, 200, 0);
        assert_eq!(map.get("a", 150), Some(&2));
        consistent(&map);
        map.remove("a");
        map.remove("never");
        assert_eq!((map.bytes, map.get("a", 0)), (0, None));
        consistent(&map);
    }

    #[test]
    fn what_is_too_large_or_dead_on_arrival_is_not_kept_and_displaces_nothing() {
        let mut map = room_for(1);
        map.insert("a", 1, 10, 100, 0);
        map.insert("b", 2, 10_000, 100, 0);
        map.insert("c", 3, usize::MAX, 100, 0);
        map.insert("d", 4, 10, 0, 0);
        assert_eq!(map.get("a", 0), Some(&1));
        assert_eq!(map.entries.len(), 1);
        consistent(&map);
    }
}
