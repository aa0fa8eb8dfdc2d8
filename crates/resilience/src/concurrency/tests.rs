use std::collections::HashMap;

use super::*;
use proptest::prelude::*;

fn admitted(entry: Entry) -> Slot {
    match entry {
        Entry::Admitted(slot) => slot,
        other => panic!("{other:?}"),
    }
}

fn waiting(entry: Entry) -> Ticket {
    match entry {
        Entry::Waiting(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_goes_before_background_work_that_came_first() {
    let mut limiter = Concurrency::new(1, 1, 4);
    let slot = admitted(limiter.request(Priority::Background));
    let job = waiting(limiter.request(Priority::Background));
    let person = waiting(limiter.request(Priority::Interactive));
    let mut next = limiter.release(slot);
    let (first, slot) = next.remove(0);
    assert_eq!((first, next.len()), (person, 0));
    assert_eq!(limiter.release(slot).remove(0).0, job);
}

#[test]
fn background_work_keeps_to_its_share() {
    let mut limiter = Concurrency::new(3, 1, 4);
    let _job = admitted(limiter.request(Priority::Background));
    waiting(limiter.request(Priority::Background));
    let _one = admitted(limiter.request(Priority::Interactive));
    let _two = admitted(limiter.request(Priority::Interactive));
    assert_eq!(limiter.running(), 3);
}

#[test]
fn the_queue_is_bounded_for_each_kind() {
    let mut limiter = Concurrency::new(1, 1, 1);
    let _slot = admitted(limiter.request(Priority::Interactive));
    waiting(limiter.request(Priority::Background));
    assert_eq!(limiter.request(Priority::Background), Entry::Full);
    waiting(limiter.request(Priority::Interactive));
    assert_eq!(limiter.request(Priority::Interactive), Entry::Full);
}

#[test]
fn who_leaves_the_queue_is_not_called() {
    let mut limiter = Concurrency::new(1, 1, 4);
    let slot = admitted(limiter.request(Priority::Interactive));
    let gone = waiting(limiter.request(Priority::Interactive));
    let stays = waiting(limiter.request(Priority::Interactive));
    assert_eq!(limiter.cancel(gone), Some(Vec::new()));
    assert_eq!(limiter.release(slot).remove(0).0, stays);
    assert_eq!(limiter.cancel(stays), None, "it runs: its slot has to come back");
}

proptest! {
    #[test]
    fn limits_hold_and_nothing_is_lost(
        limit in 1_usize..6,
        background_limit in 1_usize..6,
        steps in proptest::collection::vec(0_u8..4, 1..300),
    ) {
        let mut limiter = Concurrency::new(limit, background_limit, 5);
        let mut running: Vec<Slot> = Vec::new();
        let mut queue: HashMap<Ticket, Priority> = HashMap::new();
        for step in steps {
            let woken = match step {
                0 | 1 => {
                    let priority = if step == 0 { Priority::Interactive } else { Priority::Background };
                    match limiter.request(priority) {
                        Entry::Admitted(slot) => running.push(slot),
                        Entry::Waiting(ticket) => drop(queue.insert(ticket, priority)),
                        Entry::Full => {}
                    }
                    Vec::new()
                }
                2 => running.pop().map(|slot| limiter.release(slot)).unwrap_or_default(),
                _ => {
                    let ticket = queue.keys().next().copied();
                    ticket.and_then(|t| { queue.remove(&t); limiter.cancel(t) }).unwrap_or_default()
                }
            };
            for (ticket, slot) in woken {
                prop_assert_eq!(queue.remove(&ticket), Some(slot.0));
                running.push(slot);
            }
            let background = running.iter().filter(|s| s.0 == Priority::Background).count();
            prop_assert!(running.len() <= limit && background <= background_limit);
            prop_assert_eq!(limiter.running(), running.len());
            prop_assert_eq!(limiter.waiting(), queue.len());
            let person_waits = queue.values().any(|p| *p == Priority::Interactive);
            prop_assert!(!person_waits || running.len() == limit, "a person waits beside a free slot");
        }
    }
}
