//! How many calls may run at one upstream at once, with a bounded queue in which interactive work goes first.
//!
//! The machine decides who runs; the caller keeps what is needed to wake a [`Ticket`] (e.g. a oneshot channel).
//! Background work runs only in its own share of the slots and never while somebody interactive waits. It can starve
//! under a flood of people: that is the intent, its deadline tells its owner.

use std::collections::VecDeque;

use crate::Priority;

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// Leave to run one call. Not `Clone`: it goes back once, through [`Concurrency::release`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is not released is lost"]
pub struct Slot(Priority);

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// Run now.
    Admitted(Slot),
    /// Run when [`Concurrency::release`] or [`Concurrency::cancel`] names this ticket.
    Waiting(Ticket),
    /// Nobody more may wait: answer "busy".
    Full,
}

/// The limiter of one upstream.
#[derive(Debug)]
pub struct Concurrency {
    limit: usize,
    background_limit: usize,
    queue_limit: usize,
    running: usize,
    running_background: usize,
    interactive: VecDeque<Ticket>,
    background: VecDeque<Ticket>,
    next_ticket: u64,
}

impl Concurrency {
    /// `limit` calls at once, of which at most `background_limit` in the background; `queue_limit` may wait of each kind.
    pub fn new(limit: usize, background_limit: usize, queue_limit: usize) -> Self {
        Self {
            limit,
            background_limit: background_limit.min(limit),
            queue_limit,
            running: 0,
            running_background: 0,
            interactive: VecDeque::new(),
            background: VecDeque::new(),
            next_ticket: 0,
        }
    }

    /// Asks to run one call.
    pub fn request(&mut self, priority: Priority) -> Entry {
        let nobody_before = match priority {
            Priority::Interactive => self.interactive.is_empty(),
            Priority::Background => self.interactive.is_empty() && self.background.is_empty(),
        };
        if nobody_before && self.has_room(priority) {
            return Entry::Admitted(self.start(priority));
        }
        let queue = match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        };
        if queue.len() >= self.queue_limit {
            return Entry::Full;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        queue.push_back(ticket);
        Entry::Waiting(ticket)
    }

    /// A call ended. Answers whom to start in its place: nobody or one, except after background work was held back.
    #[must_use = "the admitted must be woken"]
    #[expect(clippy::needless_pass_by_value, reason = "a slot goes back once")]
    pub fn release(&mut self, slot: Slot) -> Vec<(Ticket, Slot)> {
        self.running = self.running.saturating_sub(1);
        if slot.0 == Priority::Background {
            self.running_background = self.running_background.saturating_sub(1);
        }
        self.admit()
    }

    /// Somebody no longer wants to wait. `None` when the ticket is not waiting (it was admitted: release its slot);
    /// otherwise whom to start, because the one that left may have held others back.
    #[must_use = "the admitted must be woken"]
    pub fn cancel(&mut self, ticket: Ticket) -> Option<Vec<(Ticket, Slot)>> {
        let before = self.waiting();
        self.interactive.retain(|t| *t != ticket);
        self.background.retain(|t| *t != ticket);
        (self.waiting() < before).then(|| self.admit())
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.interactive.len() + self.background.len()
    }

    fn admit(&mut self) -> Vec<(Ticket, Slot)> {
        let mut admitted = Vec::new();
        loop {
            let priority =
                if self.interactive.is_empty() { Priority::Background } else { Priority::Interactive };
            if !self.has_room(priority) {
                return admitted;
            }
            let next = match priority {
                Priority::Interactive => self.interactive.pop_front(),
                Priority::Background => self.background.pop_front(),
            };
            let Some(ticket) = next else { return admitted };
            admitted.push((ticket, self.start(priority)));
        }
    }

    fn has_room(&self, priority: Priority) -> bool {
        self.running < self.limit
            && (priority == Priority::Interactive || self.running_background < self.background_limit)
    }

    fn start(&mut self, priority: Priority) -> Slot {
        self.running += 1;
        if priority == Priority::Background {
            self.running_background += 1;
        }
        Slot(priority)
    }
}

#[cfg(test)]
mod tests;
