//! Migrations only expand: during a roll-out, and after a roll-back, the version before runs on the schema of this
//! one.

use std::path::Path;

use crate::workspace::{nobody, root};

/// What is wrong with one statement, given the tables that its own file creates. A lint over words, not a parser: what
/// it cannot judge it refuses.
fn fault(statement: &str, created: &[String]) -> Option<&'static str> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let has = |sequence: &[&str]| words.windows(sequence.len()).any(|window| window == sequence);
    if has(&["DROP"]) {
        return Some("DROP: the version before may still use it");
    }
    if has(&["RENAME"]) {
        return Some("RENAME: the version before knows the old name");
    }
    if has(&["TRUNCATE", "TABLE"]) {
        return Some("TRUNCATE: a migration keeps what is stored");
    }
    let is_alter = has(&["ALTER", "TABLE"]);
    if is_alter && (has(&["TYPE"]) || has(&["SET", "DATA"])) {
        return Some("a column's type is changed");
    }
    if is_alter && has(&["SET", "NOT", "NULL"]) {
        return Some("a column becomes NOT NULL: the version before may write NULL");
    }
    if is_alter && (has(&["ADD", "CONSTRAINT"]) || has(&["ADD", "CHECK"]) || has(&["ADD", "UNIQUE"])) {
        return Some("a constraint is added: the version before may break it");
    }
    if is_alter && has(&["ADD", "COLUMN"]) && has(&["NOT", "NULL"]) && !has(&["DEFAULT"]) {
        return Some("a NOT NULL column without a default: the version before does not write it");
    }
    if has(&["CREATE", "UNIQUE", "INDEX"]) {
        let table = words.iter().skip_while(|word| **word != "ON").nth(1).map(|t| name_of(t));
        if !table.is_some_and(|table| created.contains(&table)) {
            return Some("a unique index on an older table: the version before may break it");
        }
    }
    None
}

fn name_of(word: &str) -> String {
    word.split('(').next().unwrap_or_default().to_owned()
}

/// The faults of one file.
fn faults(sql: &str) -> Vec<&'static str> {
    let text: String = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
        .to_uppercase()
        .replace('(', " (");
    let statements: Vec<&str> = text.split(';').collect();
    let created: Vec<String> = statements
        .iter()
        .filter_map(|statement| {
            let words: Vec<&str> = statement.split_whitespace().collect();
            match words.as_slice() {
                ["CREATE", "TABLE", "IF", "NOT", "EXISTS", name, ..] | ["CREATE", "TABLE", name, ..] => {
                    Some(name_of(name))
                }
                _ => None,
            }
        })
        .collect();
    statements.iter().filter_map(|statement| fault(statement, &created)).collect()
}

#[test]
fn migrations_only_expand() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let services = std::fs::read_dir(root().join("services")).unwrap();
    for service in services.map(|entry| entry.unwrap().path()) {
        for database in ["sqlite", "postgres"] {
            let Ok(files) = std::fs::read_dir(service.join("migrations").join(database)) else { continue };
            for file in files.map(|entry| entry.unwrap().path()) {
                count += 1;
                let sql = std::fs::read_to_string(&file).unwrap();
                wrong.extend(faults(&sql).into_iter().map(|fault| format!("{}: {fault}", short(&file))));
            }
        }
    }
    assert!(count >= 6, "the migrations were found");
    nobody("migrations that the version before cannot run on", wrong);
}

fn short(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

#[test]
fn what_narrows_a_schema_is_noticed() {
    for narrowing in [
        "DROP TABLE grants",
        "ALTER TABLE grants DROP COLUMN state",
        "ALTER TABLE grants RENAME COLUMN state TO status",
        "alter table grants\n  alter column version type integer",
        "ALTER TABLE grants ALTER COLUMN reason SET NOT NULL",
        "ALTER TABLE grants ADD COLUMN service TEXT NOT NULL",
        "ALTER TABLE grants ADD CONSTRAINT positive CHECK (version > 0)",
        "CREATE UNIQUE INDEX once ON grants(launch_id)",
    ] {
        assert_eq!(faults(narrowing).len(), 1, "{narrowing}");
    }
    for expanding in [
        "ALTER TABLE grants ADD COLUMN service TEXT",
        "ALTER TABLE grants ADD COLUMN service TEXT NOT NULL DEFAULT ''",
        "CREATE TABLE runs (id BIGINT NOT NULL); CREATE UNIQUE INDEX once ON runs (id)",
        "CREATE INDEX by_launch ON grants (launch_id) -- never DROP it",
    ] {
        assert_eq!(faults(expanding), Vec::<&str>::new(), "{expanding}");
    }
}
