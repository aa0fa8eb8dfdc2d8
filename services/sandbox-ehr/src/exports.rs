//! Bulk exports under way: who asked for what, when it is ready by the sandbox's clock, and whether the same may be
//! asked for again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::digest::handle;
use crate::places::Place;
use crate::profile::BulkRules;

/// One export.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) place: Place,
    pub(crate) client: String,
    pub(crate) group: String,
    /// Types that are exported, each a file.
    pub(crate) kinds: Vec<String>,
    /// Only what changed since, as it was sent.
    pub(crate) since: Option<String>,
    /// The address that was asked.
    pub(crate) request: String,
    pub(crate) started_at: i64,
}

/// Why an export does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// The same group was exported a short time ago.
    TooSoon,
    /// Another one has not been deleted.
    Busy,
}

/// All exports by their names.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    by_name: Mutex<HashMap<String, Export>>,
    last: Mutex<HashMap<(Place, String, String), i64>>,
}

impl Exports {
    /// Starts an export and gives it a name.
    pub(crate) fn start(&self, rules: &BulkRules, export: Export) -> Result<String, NotStarted> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |other: &Export| other.place == export.place && other.client == export.client;
        if rules.one_at_a_time && by_name.values().any(is_same) {
            return Err(NotStarted::Busy);
        }
        let key = (export.place.clone(), export.client.clone(), export.group.clone());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |pause| last.get(&key).is_some_and(|at| export.started_at < at + pause);
        if rules.same_group_pause_seconds.is_some_and(is_recent) {
            return Err(NotStarted::TooSoon);
        }
        last.insert(key, export.started_at);
        let name = handle();
        by_name.insert(name.clone(), export);
        Ok(name)
    }

    /// An export of this place.
    pub(crate) fn get(&self, name: &str, place: &Place) -> Option<Export> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name).filter(|export| export.place == *place).cloned()
    }

    /// Removes an export of this client; false where it has none of this name.
    pub(crate) fn remove(&self, name: &str, place: &Place, client: &str) -> bool {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own =
            by_name.get(name).is_some_and(|export| export.place == *place && export.client == client);
        is_own && by_name.remove(name).is_some()
    }
}
