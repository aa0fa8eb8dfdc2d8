//! Whether every record that a service spooled arrived: its spool numbers them without a gap, over all tenants.

use std::collections::BTreeMap;

/// Numbers of a spool that nobody has seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Which spool.
    pub spool: String,
    /// The first missing number.
    pub first: i64,
    /// The last missing number.
    pub last: i64,
}

/// The numbers seen of each spool, kept as stretches.
#[derive(Debug, Clone, Default)]
pub struct Spools {
    /// First to last of each stretch, by spool.
    seen: BTreeMap<String, BTreeMap<i64, i64>>,
}

impl Spools {
    /// Notes that a number was seen. `false` when it had been seen before.
    pub fn saw(&mut self, spool: &str, number: i64) -> bool {
        if !self.seen.contains_key(spool) {
            self.seen.insert(spool.to_owned(), BTreeMap::new());
        }
        let Some(stretches) = self.seen.get_mut(spool) else { return false };
        let before = stretches.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let first = match before {
            Some((first, last)) if last.checked_add(1) == Some(number) => first,
            _ => number,
        };
        let last = match number.checked_add(1).and_then(|next| stretches.remove(&next)) {
            Some(last) => last,
            None => number,
        };
        stretches.insert(first, last);
        true
    }

    /// What is missing between the first and the last number seen of each spool.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (spool, stretches) in &self.seen {
            let mut ended = None;
            for (first, last) in stretches {
                if let Some(before) = ended {
                    gaps.push(Gap { spool: spool.clone(), first: before + 1, last: first - 1 });
                }
                ended = Some(*last);
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_come_in_any_order_leave_the_gaps_that_are_left() {
        let mut spools = Spools::default();
        for number in [5, 1, 2, 9, 4, 8] {
            assert!(spools.saw("a", number));
        }
        assert!(!spools.saw("a", 4), "a number that comes twice is told");
        assert!(spools.saw("b", 7));
        let gap = |first, last| Gap { spool: "a".to_owned(), first, last };
        assert_eq!(spools.gaps(), [gap(3, 3), gap(6, 7)]);
        for number in [3, 6, 7] {
            assert!(spools.saw("a", number));
        }
        assert_eq!(spools.gaps(), []);
    }

    #[test]
    fn the_ends_of_the_numbers_are_numbers_like_others() {
        let mut spools = Spools::default();
        for number in [i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert!(spools.saw("a", number));
        }
        assert_eq!(spools.gaps().len(), 1);
    }
}
