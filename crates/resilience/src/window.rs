//! Two counters over the last while, in ten slices, so that what is old falls out without a timer.

use std::time::Duration;

use sallyport_model::Micros;

use crate::micros::micros;

const SLICES: usize = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    /// Which slice of time this is; one that is no longer in the window counts for nothing.
    number: i64,
    first: u64,
    second: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Window {
    slice_us: Micros,
    slices: [Slice; SLICES],
}

impl Window {
    pub(crate) fn new(length: Duration) -> Self {
        let slice_us = (micros(length) / SLICES as i64).max(1);
        Self { slice_us, slices: [Slice { number: i64::MIN, ..Slice::default() }; SLICES] }
    }

    pub(crate) fn add(&mut self, now: Micros, first: u64, second: u64) {
        let number = now.div_euclid(self.slice_us);
        let place = usize::try_from(number.rem_euclid(SLICES as i64)).unwrap_or(0);
        if let Some(slice) = self.slices.get_mut(place) {
            if slice.number != number {
                *slice = Slice { number, first: 0, second: 0 };
            }
            slice.first = slice.first.saturating_add(first);
            slice.second = slice.second.saturating_add(second);
        }
    }

    /// Both sums over the window that ends now.
    pub(crate) fn sums(&self, now: Micros) -> (u64, u64) {
        let newest = now.div_euclid(self.slice_us);
        let oldest = newest.saturating_sub(SLICES as i64);
        self.slices
            .iter()
            .filter(|slice| slice.number > oldest && slice.number <= newest)
            .fold((0, 0), |(a, b), s| (s.first.saturating_add(a), s.second.saturating_add(b)))
    }

    pub(crate) fn clear(&mut self) {
        self.slices = [Slice { number: i64::MIN, ..Slice::default() }; SLICES];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_counts_for_nothing() {
        let mut window = Window::new(Duration::from_secs(10));
        window.add(0, 1, 0);
        window.add(5_000_000, 1, 1);
        assert_eq!(window.sums(9_999_999), (2, 1));
        assert_eq!(window.sums(10_000_000), (1, 1));
        assert_eq!(window.sums(15_000_000), (0, 0));
    }

    #[test]
    fn a_place_used_again_forgets_its_old_slice() {
        let mut window = Window::new(Duration::from_secs(10));
        window.add(0, 7, 7);
        window.add(10_000_000, 1, 0);
        assert_eq!(window.sums(10_000_000), (1, 0));
    }

    #[test]
    fn a_clock_that_went_back_does_not_see_the_future() {
        let mut window = Window::new(Duration::from_secs(10));
        window.add(50_000_000, 1, 0);
        assert_eq!(window.sums(1_000_000), (0, 0));
    }
}
