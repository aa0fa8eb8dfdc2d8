//! Statements over many rows at once: a message of two hundred records takes a handful of round trips, not a thousand.

/// Values one statement binds at most; SQLite's bound is 32,766, Postgres' 65,535.
const MAX_VALUES: usize = 6_000;

/// How many rows of `columns` values fit into one statement.
pub(super) fn rows_per_statement(columns: usize) -> usize {
    (MAX_VALUES / columns.max(1)).max(1)
}

/// `($1, $2), ($3, $4)` for `rows` rows of `columns` values, numbered after the first `before` values.
pub(super) fn rows(before: usize, rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let first = before + row * columns;
        format!("({})", marks(first, columns))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$1, $2, $3`: `count` marks numbered after the first `before` values.
pub(super) fn marks(before: usize, count: usize) -> String {
    (1..=count).map(|n| format!("${}", before + n)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_numbered_without_gap() {
        assert_eq!(rows(0, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(rows(1, 2, 1), "($2), ($3)");
        assert_eq!(marks(2, 3), "$3, $4, $5");
        assert_eq!(marks(0, 0), "");
    }

    #[test]
    fn a_statement_stays_below_the_bounds_of_both_databases() {
        for columns in 1..=40 {
            assert!(rows_per_statement(columns) * columns <= 32_766);
        }
    }
}
