//! What a launch has seen: references made by resources that were checked and released to it.
//!
//! Types that are nobody's (Practitioner, Medication, Binary …) may be read only when they are in here (invariant 3).
//! Kept in this process; other replicas are told and asked by `shared_seen.rs`.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use dashmap::DashMap;
use sallyport_fhir::ResourceType;
use sallyport_model::{Authority, Micros};

pub(crate) type Item = (ResourceType, Arc<str>);

#[derive(Default)]
struct Launch {
    set: HashSet<Item>,
    order: VecDeque<Item>,
    /// What other replicas were not told yet, in the order it was seen.
    untold: VecDeque<Item>,
}

/// The references of one launch, bounded; the oldest go first.
pub(crate) struct SeenByLaunch {
    inner: Mutex<Launch>,
    most: usize,
    dies_at: Micros,
}

impl SeenByLaunch {
    /// Whether a checked resource of this launch was, or refers to, that one.
    pub(crate) fn has(&self, resource_type: ResourceType, id: &str) -> bool {
        let item = (resource_type, Arc::from(id));
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).set.contains(&item)
    }

    /// Remembers references met in this process.
    pub(crate) fn add<'a>(&self, items: impl Iterator<Item = (ResourceType, &'a str)>) {
        self.keep(items, true);
    }

    /// Remembers references that another replica met.
    pub(crate) fn recalled<'a>(&self, items: impl Iterator<Item = (ResourceType, &'a str)>) {
        self.keep(items, false);
    }

    /// Up to `most` references that other replicas were not told yet and `is_for_others` says are worth it; the rest is
    /// dropped. They stay until [`SeenByLaunch::told`].
    pub(crate) fn untold(&self, most: usize, is_for_others: impl Fn(ResourceType) -> bool) -> Vec<Item> {
        let mut launch = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        launch.untold.retain(|item| is_for_others(item.0));
        launch.untold.iter().take(most).cloned().collect()
    }

    /// The references that [`SeenByLaunch::untold`] gave were told.
    pub(crate) fn told(&self, told: &[Item]) {
        let mut launch = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let told: HashSet<&Item> = told.iter().collect();
        launch.untold.retain(|item| !told.contains(item));
    }

    fn keep<'a>(&self, items: impl Iterator<Item = (ResourceType, &'a str)>, is_news: bool) {
        let mut launch = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (resource_type, id) in items {
            let item: Item = (resource_type, Arc::from(id));
            if launch.set.insert(item.clone()) {
                if is_news && launch.untold.len() < self.most {
                    launch.untold.push_back(item.clone());
                }
                launch.order.push_back(item);
            }
            if launch.order.len() > self.most
                && let Some(oldest) = launch.order.pop_front()
            {
                launch.set.remove(&oldest);
            }
        }
    }
}

/// All launches and runs of this process.
pub(crate) struct Seen {
    launches: DashMap<Authority, Arc<SeenByLaunch>>,
    most: usize,
}

impl Seen {
    pub(crate) fn new(most: usize) -> Self {
        Self { launches: DashMap::new(), most }
    }

    /// A launch's references; `seed` gives the first ones, known from the launch context itself.
    pub(crate) fn of<'a>(
        &self,
        authority: impl Into<Authority>,
        dies_at: Micros,
        seed: impl FnOnce() -> Vec<(ResourceType, String)> + 'a,
    ) -> Arc<SeenByLaunch> {
        let launch = authority.into();
        if let Some(found) = self.launches.get(&launch) {
            return Arc::clone(&found);
        }
        let fresh = || {
            let seen = SeenByLaunch { inner: Mutex::default(), most: self.most, dies_at };
            seen.add(seed().iter().map(|(t, id)| (*t, id.as_str())));
            Arc::new(seen)
        };
        Arc::clone(&self.launches.entry(launch).or_insert_with(fresh))
    }

    /// Forgets launches whose sessions cannot be open any more.
    pub(crate) fn sweep(&self, now: Micros) {
        self.launches.retain(|_, seen| seen.dies_at > now);
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, TestClock};

    use super::*;

    #[test]
    fn a_launch_remembers_its_own_references_up_to_its_bound() {
        let clock = TestClock::at(1_700_000_000_000_000);
        let (a, b) = (LaunchId::new(&clock), LaunchId::new(&clock));
        let seen = Seen::new(2);
        let of = |launch| seen.of(launch, 10, || vec![(ResourceType::Practitioner, "me".to_owned())]);
        of(a).add([(ResourceType::Medication, "1")].into_iter());
        assert!(of(a).has(ResourceType::Medication, "1") && of(a).has(ResourceType::Practitioner, "me"));
        assert!(!of(b).has(ResourceType::Medication, "1"));
        of(a).add([(ResourceType::Medication, "2"), (ResourceType::Medication, "2")].into_iter());
        assert!(of(a).has(ResourceType::Medication, "2") && !of(a).has(ResourceType::Practitioner, "me"));
        seen.sweep(10);
        assert!(!of(a).has(ResourceType::Medication, "2"));
    }
}
