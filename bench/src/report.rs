//! Figures with their spread, as a table and as JSON.

use serde::Serialize;

/// The least, the middle and the most of several rounds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let (low, high) = (at(values.len().saturating_sub(1) / 2), at(values.len() / 2));
        Self { min: at(0), median: f64::midpoint(low, high), max: at(values.len().saturating_sub(1)) }
    }
}

/// Lines of a table, printed when complete.
#[derive(Default)]
pub(crate) struct Table(String);

impl Table {
    /// A heading.
    pub(crate) fn heading(&mut self, text: &str) {
        self.0.push_str(&format!("\n{text}\n{:<28}{:>10}{:>10}{:>10}\n", "", "min", "median", "max"));
    }

    /// A figure.
    pub(crate) fn line(&mut self, name: &str, spread: Spread, digits: usize) {
        let Spread { min, median, max } = spread;
        self.0.push_str(&format!("{name:<28}{min:>10.digits$}{median:>10.digits$}{max:>10.digits$}\n"));
    }

    /// A sentence.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// Shows it.
    #[expect(clippy::print_stdout, reason = "the report is what the program is for")]
    pub(crate) fn print(&self) {
        println!("{}", self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_the_two() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
        assert!(Spread::of(vec![7.0]).median == 7.0 && Spread::of(Vec::new()).median == 0.0);
    }
}
