//! `docs/CONFORMANCE.md`: the same bytes for the same table, so that a stale page is found by comparing.

use super::table::{INFERNO_TESTS, Row, Table};

/// The page of a table whose tests all passed; with one that did not there is no page.
pub fn render(table: &Table) -> String {
    let mut page = String::from(
        "# Conformance\n\n\
         <!-- Generated from docs/conformance.toml and a test run by scripts/conformance; CI fails when it is stale. -->\n\n\
         What SMART App Launch 2.2 asks of a client, and the tests of ours that show it. *Inferno* is the number of the\n\
         requirement in the list of the SMART App Launch test kit, for the client: all 45 that its client suite tests\n\
         (marked ✓), and all 81 at the level SHALL that it does not. Each test named here ran and passed when this page\n\
         was written; the page is refused when one of them is gone, was skipped or fails.\n\n",
    );
    page.push_str(&summary(table));
    for part in &table.part {
        page.push_str(&format!("\n## {}\n\n{}\n\n", part.title, part.source));
        page.push_str("| | level | what is asked | Inferno | result | shown by |\n| --- | --- | --- | --- | --- | --- |\n");
        for row in &part.row {
            page.push_str(&line(row));
        }
    }
    page
}

fn summary(table: &Table) -> String {
    let count = |is: fn(&Row) -> bool| table.rows().filter(|row| is(row)).count();
    let tests: std::collections::BTreeSet<&String> = table.rows().flat_map(|row| &row.tests).collect();
    format!(
        "| rows | passed | planned | not applicable | tests named |\n| --- | --- | --- | --- | --- |\n\
         | {} | {} | {} | {} | {} |\n",
        count(|_| true),
        count(|row| !row.tests.is_empty()),
        count(|row| row.planned.is_some()),
        count(|row| row.not_applicable.is_some()),
        tests.len(),
    )
}

fn line(row: &Row) -> String {
    let numbers = row
        .inferno
        .iter()
        .map(|n| if INFERNO_TESTS.contains(n) { format!("{n}&nbsp;✓") } else { n.to_string() });
    let (result, evidence) = match (&row.planned, &row.not_applicable) {
        (Some(reason), _) => ("planned", reason.clone()),
        (_, Some(reason)) => ("not applicable", reason.clone()),
        (None, None) => ("passed", row.tests.iter().map(|t| shown(t)).collect::<Vec<_>>().join("<br>")),
    };
    format!(
        "| {} | {} | {} | {} | {result} | {evidence} |\n",
        row.id,
        row.level.as_str(),
        row.text,
        numbers.collect::<Vec<_>>().join(", ")
    )
}

/// `sallyport-smart::lib::pkce::tests::a` → smart: `pkce::tests::a`.
fn shown(test: &str) -> String {
    let mut words = test.splitn(3, "::");
    let package = words.next().unwrap_or_default();
    let (binary, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let package = package.strip_prefix("sallyport-").unwrap_or(package);
    let binary = if binary == "lib" { String::new() } else { format!(" {binary}") };
    format!("{package}{binary}: `{path}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_shown_without_what_is_the_same_everywhere() {
        assert_eq!(shown("sallyport-smart::lib::pkce::tests::a"), "smart: `pkce::tests::a`");
        assert_eq!(shown("sallyport-launch-auth::it::launch::b"), "launch-auth it: `launch::b`");
    }
}
