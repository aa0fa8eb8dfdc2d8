//! How many calls run at once to one endpoint; people before jobs.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Who wants to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person waits.
    Interactive,
    /// A job; never takes the last quarter.
    Background,
}

/// A bound on calls at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Concurrency {
    limit: u32,
    running: Arc<AtomicU32>,
}

/// A call's place; given back when dropped.
#[derive(Debug)]
pub struct Slot(Arc<AtomicU32>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Concurrency {
    /// At most `limit` at once.
    pub fn new(limit: u32) -> Self {
        Self { limit, running: Arc::default() }
    }

    /// Takes a place, or says there is none.
    pub fn take(&self, lane: Lane) -> Option<Slot> {
        let limit = match lane {
            Lane::Interactive => self.limit,
            Lane::Background => self.limit - self.limit / 4,
        };
        let taken =
            self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < limit).then_some(n + 1));
        taken.is_ok().then(|| Slot(Arc::clone(&self.running)))
    }

    /// How many run.
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_leave_room_for_people_and_places_come_back() {
        let limit = Concurrency::new(4);
        let jobs: Vec<_> = (0..4).filter_map(|_| limit.take(Lane::Background)).collect();
        assert_eq!(jobs.len(), 3);
        let person = limit.take(Lane::Interactive);
        assert!(person.is_some() && limit.take(Lane::Interactive).is_none());
        drop(jobs);
        assert_eq!(limit.running(), 1);
    }
}
