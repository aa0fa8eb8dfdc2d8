//! The table itself, and what has to hold of it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::results::{Ended, Results};
use crate::root;

/// The client requirements that the SMART client suite of Inferno tests, by its numbers.
pub const INFERNO_TESTS: [u16; 45] = [
    3, 11, 12, 13, 20, 21, 22, 23, 32, 33, 34, 35, 37, 41, 42, 44, 45, 63, 64, 65, 66, 67, 68, 69, 70, 71,
    105, 229, 233, 235, 236, 237, 238, 267, 293, 294, 317, 323, 327, 328, 329, 330, 332, 333, 334,
];

/// The client requirements at the level SHALL that no suite of Inferno's tests.
pub const INFERNO_DOES_NOT_TEST: [u16; 81] = [
    1, 2, 4, 5, 6, 7, 29, 36, 39, 40, 47, 50, 51, 52, 60, 61, 62, 72, 93, 106, 108, 120, 121, 122, 124, 125,
    132, 135, 137, 141, 143, 146, 150, 151, 152, 153, 155, 156, 161, 166, 191, 196, 201, 202, 211, 215, 216,
    218, 219, 220, 225, 226, 227, 230, 232, 234, 264, 270, 290, 291, 295, 298, 301, 302, 307, 308, 309, 313,
    314, 315, 318, 319, 320, 321, 322, 325, 331, 345, 379, 415, 416,
];

/// All requirements, in the order of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Parts of the page.
    pub part: Vec<Part>,
}

/// Requirements that belong together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its heading.
    pub title: String,
    /// Where the requirements stand.
    pub source: String,
    /// The requirements.
    pub row: Vec<Row>,
}

/// How binding a requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Level {
    /// A duty.
    #[serde(rename = "SHALL")]
    Shall,
    /// A prohibition.
    #[serde(rename = "SHALL NOT")]
    ShallNot,
    /// A recommendation.
    #[serde(rename = "SHOULD")]
    Should,
    /// A recommendation not to.
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    /// A permission.
    #[serde(rename = "MAY")]
    May,
}

impl Level {
    /// As the specification writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shall => "SHALL",
            Self::ShallNot => "SHALL NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
        }
    }
}

/// One requirement with its evidence: tests, or the reason why there are none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Our name for it.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// What is asked, in our words.
    pub text: String,
    /// Its numbers in Inferno's list of client requirements.
    #[serde(default)]
    pub inferno: Vec<u16>,
    /// `package::binary::path` of each test that shows it.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Why it cannot apply to this product.
    pub not_applicable: Option<String>,
    /// Why it is not there yet, and what will bring it.
    pub planned: Option<String>,
}

impl Table {
    /// Reads `docs/conformance.toml`.
    ///
    /// # Errors
    /// When it is no such table, or is not complete.
    pub fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(root().join("docs/conformance.toml"))?;
        Self::parse(&text)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// When it is none, or is not complete.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: Self = toml::from_str(text).context("docs/conformance.toml")?;
        let wrong = table.incomplete();
        ensure!(wrong.is_empty(), "docs/conformance.toml:\n  {}", wrong.join("\n  "));
        Ok(table)
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.part.iter().flat_map(|part| &part.row)
    }

    fn incomplete(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
        let mut numbers: BTreeMap<u16, usize> = BTreeMap::new();
        for row in self.rows() {
            *ids.entry(&row.id).or_default() += 1;
            row.inferno.iter().for_each(|n| *numbers.entry(*n).or_default() += 1);
            let evidence = [!row.tests.is_empty(), row.not_applicable.is_some(), row.planned.is_some()];
            if evidence.iter().filter(|is_there| **is_there).count() != 1 {
                wrong.push(format!("{}: needs tests, or a reason why there are none, and not both", row.id));
            }
            if [&row.not_applicable, &row.planned]
                .iter()
                .any(|r| r.as_ref().is_some_and(|r| r.trim().len() < 20))
            {
                wrong.push(format!("{}: the reason is no sentence", row.id));
            }
        }
        wrong.extend(
            ids.iter().filter(|(_, n)| **n > 1).map(|(id, n)| format!("{id}: stands there {n} times")),
        );
        for number in INFERNO_TESTS.iter().chain(&INFERNO_DOES_NOT_TEST) {
            let times = numbers.get(number).copied().unwrap_or(0);
            if times != 1 {
                wrong.push(format!("Inferno's requirement {number} stands in {times} rows"));
            }
        }
        wrong
    }

    /// Holds the table against a test run.
    ///
    /// # Errors
    /// Every test that is named and did not run, or did not pass.
    pub fn judge(&self, results: &Results) -> anyhow::Result<()> {
        let mut wrong = Vec::new();
        for row in self.rows() {
            for test in &row.tests {
                match results.of(test) {
                    Some(Ended::Passed) => {}
                    Some(Ended::Failed) => wrong.push(format!("{}: {test} failed", row.id)),
                    Some(Ended::Ignored) => wrong.push(format!("{}: {test} was ignored", row.id)),
                    None => wrong.push(format!("{}: {test} did not run", row.id)),
                }
            }
        }
        ensure!(wrong.is_empty(), "requirements without their evidence:\n  {}", wrong.join("\n  "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with every number of Inferno's in one row, and a row as given.
    fn with(row: &str) -> anyhow::Result<Table> {
        let numbers: Vec<u16> = INFERNO_TESTS.into_iter().chain(INFERNO_DOES_NOT_TEST).collect();
        Table::parse(&format!(
            "[[part]]\ntitle = \"t\"\nsource = \"s\"\n[[part.row]]\nid = \"ALL\"\nlevel = \"SHALL\"\ntext = \"x\"\n\
             inferno = {numbers:?}\ntests = [\"p::it::a\"]\n[[part.row]]\nlevel = \"MAY\"\ntext = \"y\"\n{row}\n"
        ))
    }

    #[test]
    fn a_row_has_tests_or_a_reason_and_never_both_or_neither() {
        let reason = "a reason that is a whole sentence";
        assert!(with("id = \"B\"\ntests = [\"p::it::b\"]").is_ok());
        assert!(with(&format!("id = \"B\"\nplanned = \"{reason}\"")).is_ok());
        for row in [
            "id = \"B\"".to_owned(),
            "id = \"B\"\nplanned = \"later\"".to_owned(),
            format!("id = \"B\"\ntests = [\"p::it::b\"]\nplanned = \"{reason}\""),
            format!("id = \"B\"\nnot_applicable = \"{reason}\"\nplanned = \"{reason}\""),
            "id = \"ALL\"\ntests = [\"p::it::b\"]".to_owned(),
            "id = \"B\"\ninferno = [3]\ntests = [\"p::it::b\"]".to_owned(),
            "id = \"B\"\ntest = [\"p::it::b\"]".to_owned(),
        ] {
            assert!(with(&row).is_err(), "{row}");
        }
    }

    #[test]
    fn a_requirement_that_is_left_out_is_missed() {
        let error = Table::parse(
            "[[part]]\ntitle = \"t\"\nsource = \"s\"\n[[part.row]]\nid = \"A\"\nlevel = \"SHALL\"\ntext = \"x\"\n\
             tests = [\"p::it::a\"]\n",
        );
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.contains("Inferno's requirement 3 ") && error.contains("requirement 416 "), "{error}");
    }

    #[test]
    fn a_test_that_did_not_run_or_did_not_pass_is_no_evidence() {
        let table = with("id = \"B\"\ntests = [\"p::it::b\"]").unwrap();
        for (lines, holds) in [
            ("ok a\nok b\n", true),
            ("ok a\n", false),
            ("ok a\nfailed b\n", false),
            ("ok a\nignored b\n", false),
        ] {
            let mut results = Results::default();
            results.add("p::it", lines).unwrap();
            assert_eq!(table.judge(&results).is_ok(), holds, "{lines}");
        }
    }
}
