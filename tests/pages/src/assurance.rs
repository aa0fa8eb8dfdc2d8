//! `docs/ASSURANCE.md`: what the long suites tried, from the lines that `sallyport_testkit::assurance` writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::root;

/// Every suite the page must list, with what it shows. Their reports name them exactly so.
pub const SUITES: [(&str, &str); 21] = [
    (
        "two tabs, two patients",
        "interleaved calls of two launches in one browser: no answer holds the other patient",
    ),
    (
        "canaries in every sink",
        "tokens, codes, cookies and names do not turn up in logs, spans, metrics, files or the browser",
    ),
    (
        "wrong-patient oracle",
        "generated queries of two launches over every product the sandbox imitates: no answer holds another patient's canary",
    ),
    ("bad input", "each hostile request is answered with its one code, reflects nothing and reaches no EHR"),
    (
        "malicious input",
        "texts known from attacks, in every spelling and place: no answer is an error of ours, and the EHR is asked for the launch's own patient or for nothing",
    ),
    ("killed process", "whatever was answered before a SIGKILL stands in the audit log after the next start"),
    (
        "kill -9 of the worker during a crawl",
        "every patient is read and kept once, however often the worker dies",
    ),
    (
        "kill -9 of the worker during a bulk export",
        "the files that are kept are those of an export that nothing happened to",
    ),
    (
        "SIGSTOP of the worker beyond its lease",
        "a worker that stood still beyond its lease writes nothing, and every patient is kept once",
    ),
    ("EHR gone during a crawl", "the run waits, sets nobody aside and comes to its end"),
    ("refresh storm", "many calls on an expired token redeem its refresh token once"),
    (
        "rotation over many sealed rows while serving",
        "no call fails while keys are replaced, and every row opens under its new key",
    ),
    ("planted bugs", "each deliberate defect turns the test of its rule red"),
    (
        "authorisation matrix",
        "each method, caller, tenant and state, in process and over mutual TLS: nothing opens that should not",
    ),
    ("revocation to refusal", "a revocation is known to every gateway that follows the owners' tables"),
    ("revocation to refusal on all replicas", "a revocation is followed by a refusal at every replica"),
    (
        "kill -9 over the five processes under load",
        "no answer without its record, no call without its trace in the log, no grant lost",
    ),
    ("broker down under load", "records wait in the spools and arrive once each"),
    ("rolling restart of every service under load", "no read fails that is tried once more"),
    (
        "refresh storm over 3 gateways and 2 vaults, one vault killed",
        "one redemption, or `uncertain` with a way on",
    ),
    ("a server gone under a whole instance", "each server's outage is survived as docs/OPERATIONS.md says"),
];

/// One line of a suite.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    suite: String,
    scenario: String,
    unit: String,
    tried: u64,
    failed: u64,
    seed: Option<u64>,
    at: i64,
    commit: String,
}

const HEAD: [&str; 7] = ["suite", "scenario", "tried", "failed", "seed", "date", "commit"];

/// Reads every report below a folder.
///
/// # Errors
/// A file that holds anything else.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let files = std::fs::read_dir(folder).with_context(|| format!("no reports in {}", folder.display()))?;
    for file in files {
        let path = file?.path();
        for line in std::fs::read_to_string(&path)?.lines() {
            lines.push(serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()))?);
        }
    }
    Ok(lines)
}

/// The page.
///
/// # Errors
/// A suite that did not report, reported nothing tried, or is not on the list.
pub fn render(lines: &[Line]) -> anyhow::Result<String> {
    let listed: BTreeMap<&str, &str> = SUITES.into_iter().collect();
    let unlisted: BTreeSet<&str> =
        lines.iter().map(|l| l.suite.as_str()).filter(|suite| !listed.contains_key(suite)).collect();
    ensure!(unlisted.is_empty(), "suites that no line of tests/pages/src/assurance.rs names: {unlisted:?}");
    let mut page = String::from(
        "# Assurance\n\n\
         <!-- Written by scripts/assurance from what the suites reported. -->\n\n\
         What was tried, how often, and what failed. *Seed* repeats a run that starts from chance. A suite that ended\n\
         early counts as failed.\n\n## What each suite shows\n\n",
    );
    for (suite, shows) in SUITES {
        page.push_str(&format!("- **{suite}**: {shows}.\n"));
    }
    page.push_str(&format!(
        "\n## What was seen\n\n| {} |\n|{}\n",
        HEAD.join(" | "),
        " --- |".repeat(HEAD.len())
    ));
    for (suite, _) in SUITES {
        let mut own: Vec<&Line> = lines.iter().filter(|l| l.suite == suite).collect();
        own.sort_by(|a, b| (&a.scenario, a.at).cmp(&(&b.scenario, b.at)));
        ensure!(!own.is_empty(), "the suite \"{suite}\" did not report");
        for line in together(&own) {
            ensure!(line.tried > 0, "the suite \"{suite}\" tried nothing");
            page.push_str(&row(&line)?);
        }
    }
    Ok(page)
}

/// A scenario that ran more than once, on one database after the other for example, is one row.
fn together(lines: &[&Line]) -> Vec<Line> {
    let mut rows: Vec<Line> = Vec::new();
    for line in lines {
        let same = |row: &&mut Line| {
            (&row.scenario, &row.unit, row.seed, &row.commit)
                == (&line.scenario, &line.unit, line.seed, &line.commit)
        };
        match rows.iter_mut().find(same) {
            Some(row) => {
                row.tried += line.tried;
                row.failed += line.failed;
                row.at = row.at.max(line.at);
            }
            None => rows.push((*line).clone()),
        }
    }
    rows
}

fn row(line: &Line) -> anyhow::Result<String> {
    let at = jiff::Timestamp::from_second(line.at)?.strftime("%Y-%m-%d");
    let seed = line.seed.map_or_else(|| "none".to_owned(), |seed| seed.to_string());
    let commit = line.commit.get(..12).unwrap_or(&line.commit);
    ensure!(!commit.is_empty(), "{}: a report without a commit", line.suite);
    Ok(format!(
        "| {} | {} | {} {} | {} | {seed} | {at} | `{commit}` |\n",
        line.suite, line.scenario, line.tried, line.unit, line.failed
    ))
}

/// The committed page.
///
/// # Errors
/// When there is none.
pub fn committed() -> anyhow::Result<String> {
    std::fs::read_to_string(root().join("docs/ASSURANCE.md")).context("docs/ASSURANCE.md is not there")
}

/// Whether a page lists every suite, each row whole and none failed. It holds dates, so it is not compared byte by byte.
///
/// # Errors
/// What is missing or malformed.
pub fn check(page: &str) -> anyhow::Result<()> {
    let head = format!("| {} |", HEAD.join(" | "));
    let rows = page.lines().skip_while(|line| *line != head).skip(2);
    let mut seen = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [suite, _scenario, tried, failed, seed, date, commit] = cells.as_slice() else {
            anyhow::bail!("docs/ASSURANCE.md: {row}");
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (count, unit) = tried.split_once(' ').unwrap_or_default();
        let is_date = date.parse::<jiff::civil::Date>().is_ok();
        let is_commit = commit.len() >= 9 && commit.trim_matches('`').bytes().all(|b| b.is_ascii_hexdigit());
        let is_whole = is_number(count) && count != "0" && !unit.is_empty() && is_date && is_commit;
        ensure!(is_whole && (*seed == "none" || is_number(seed)), "docs/ASSURANCE.md: {row}");
        ensure!(*failed == "0", "docs/ASSURANCE.md tells of failures: {row}");
        seen.insert((*suite).to_owned());
    }
    let missing: Vec<&str> = SUITES.iter().map(|(suite, _)| *suite).filter(|s| !seen.contains(*s)).collect();
    ensure!(missing.is_empty(), "docs/ASSURANCE.md does not list {missing:?}: run scripts/assurance");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let line = |suite: &str| Line {
            suite: suite.to_owned(),
            scenario: "embedded".to_owned(),
            unit: "calls".to_owned(),
            tried: 10,
            failed: 0,
            seed: Some(7),
            at: 1_790_000_000,
            commit: "0123456789abcdef".to_owned(),
        };
        SUITES.iter().map(|(suite, _)| line(suite)).collect()
    }

    #[test]
    fn a_page_of_all_suites_is_whole() {
        let page = render(&lines()).unwrap();
        assert!(
            page.contains("| bad input | embedded | 10 calls | 0 | 7 | 2026-09-21 | `0123456789ab` |"),
            "{page}"
        );
        check(&page).unwrap();
    }

    #[test]
    fn a_scenario_that_ran_twice_is_one_row() {
        let mut lines = lines();
        let bad_input = lines.iter().find(|line| line.suite == "bad input").unwrap().clone();
        lines.push(Line { failed: 1, ..bad_input });
        let page = render(&lines).unwrap();
        assert!(
            page.contains("| bad input | embedded | 20 calls | 1 | 7 | 2026-09-21 | `0123456789ab` |"),
            "{page}"
        );
    }

    #[test]
    fn a_suite_that_is_missing_unknown_idle_or_of_no_commit_makes_no_page() {
        let with = |change: fn(&mut Vec<Line>)| {
            let mut lines = lines();
            change(&mut lines);
            render(&lines)
        };
        assert!(with(|l| l.truncate(1)).is_err());
        assert!(with(|l| l[0].suite = "another".to_owned()).is_err());
        assert!(with(|l| l[0].tried = 0).is_err());
        assert!(with(|l| l[0].commit.clear()).is_err());
    }

    #[test]
    fn a_committed_page_with_a_failure_a_gap_or_a_broken_row_is_refused() {
        let page = render(&lines()).unwrap();
        for (from, to) in [
            ("| 0 | 7 | 2026", "| 1 | 7 | 2026"),
            ("| bad input |", "| other |"),
            ("| 2026-09-21 |", "| yesterday |"),
            ("`0123456789ab`", ""),
            (" 10 calls ", " 0 calls "),
        ] {
            let broken = page.replacen(from, to, 1);
            assert!(broken != page && check(&broken).is_err(), "{from}");
        }
        assert!(check("").is_err());
    }
}
