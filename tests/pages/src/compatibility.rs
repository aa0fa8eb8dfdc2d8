//! `docs/COMPATIBILITY.md` and `docs/compatibility.json`: what the contract suite found on each product, cell by cell.
//!
//! A cell keeps the day on which it became what it is, and the best that it ever was: one that got worse is refused until
//! `CHANGELOG.md` says so.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// What was found, from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was not tried: what it needs did not work.
    Unverified,
    /// It was refused with a stable code.
    Unsupported,
    /// Something else came out, and the reason is told.
    Degraded,
    /// What the EHR holds came out.
    Verified,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Unsupported => "unsupported",
            Self::Degraded => "degraded",
            Self::Verified => "verified",
        }
    }
}

/// A cell. `since` and `best` are kept by the matrix, not found by a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The product that was imitated.
    pub profile: String,
    /// The vendor profile by which it was spoken to.
    pub vendor: String,
    /// The feature under which the calls ran.
    pub feature: String,
    /// The resource type, with what the search was limited to.
    pub resource: String,
    /// `launch`, `read`, `search`, `page` or `error`.
    pub interaction: String,
    /// What was found.
    pub state: State,
    /// Why it is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The test that found it.
    pub test: String,
    /// The version of the chart's mapping.
    pub mapping: String,
    /// The app's version.
    pub version: String,
    /// The day on which it became this.
    #[serde(default)]
    pub since: String,
    /// The best that it ever was.
    #[serde(default)]
    pub best: Option<State>,
}

type Key = (String, String, String, String);

impl Cell {
    fn key(&self) -> Key {
        let key = [&self.profile, &self.feature, &self.resource, &self.interaction];
        let [profile, feature, resource, interaction] = key.map(Clone::clone);
        (profile, feature, resource, interaction)
    }

    /// The same with what the committed cell has kept.
    fn after(mut self, committed: Option<&Self>, today: &str) -> Self {
        let is_same = |old: &&Self| Self { since: String::new(), best: None, ..(*old).clone() } == self;
        let since = committed.filter(is_same).map_or(today, |old| old.since.as_str()).to_owned();
        self.best = committed.and_then(|old| old.best).max(Some(self.state));
        self.since = since;
        self
    }
}

/// Every product's cells.
#[derive(Debug, Default)]
pub struct Matrix(BTreeMap<Key, Cell>);

/// Reads the rows of a run: one file per product.
///
/// # Errors
/// When there are none, a file is none, a cell has no test or stands twice.
pub fn found(folder: &Path) -> anyhow::Result<Vec<Cell>> {
    let mut cells: Vec<Cell> = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("no rows in {}", folder.display()))? {
        let path = entry?.path();
        let rows: Vec<Cell> = serde_json::from_str(&std::fs::read_to_string(&path)?)
            .with_context(|| format!("{} holds no rows", path.display()))?;
        cells.extend(rows);
    }
    ensure!(!cells.is_empty(), "the contract suite wrote no rows");
    let mut seen = std::collections::BTreeSet::new();
    for cell in &cells {
        ensure!(!cell.test.is_empty(), "{:?} has no test", cell.key());
        ensure!(seen.insert(cell.key()), "{:?} stands twice", cell.key());
    }
    Ok(cells)
}

impl Matrix {
    /// The committed one; empty when there is none yet.
    ///
    /// # Errors
    /// When it is no matrix.
    pub fn committed() -> anyhow::Result<Self> {
        let path = crate::root().join("docs/compatibility.json");
        let text = std::fs::read_to_string(path).unwrap_or_else(|_missing| "[]".to_owned());
        let cells: Vec<Cell> = serde_json::from_str(&text).context("docs/compatibility.json")?;
        Ok(Self(cells.into_iter().map(|cell| (cell.key(), cell)).collect()))
    }

    /// What a run found, with what the cells have kept. Cells that the run did not find are gone.
    #[must_use]
    pub fn with(self, found: Vec<Cell>) -> Self {
        let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        self.with_on(found, &today)
    }

    fn with_on(self, found: Vec<Cell>, today: &str) -> Self {
        let kept = |cell: Cell| (cell.key(), cell.clone().after(self.0.get(&cell.key()), today));
        Self(found.into_iter().map(kept).collect())
    }

    /// Holds what got worse against the changelog.
    ///
    /// # Errors
    /// A cell that was better once, without its line.
    pub fn judge(&self, changelog: &str) -> anyhow::Result<()> {
        for cell in self.0.values().filter(|cell| cell.best > Some(cell.state)) {
            let line = format!("compatibility: {} {} {}", cell.profile, cell.resource, cell.interaction);
            ensure!(
                changelog.contains(&line),
                "{line} was {} and is {}: CHANGELOG.md must say why, with these words",
                cell.best.unwrap_or(cell.state).as_str(),
                cell.state.as_str()
            );
        }
        Ok(())
    }

    /// For programs.
    ///
    /// # Errors
    /// Never, for cells are text.
    pub fn json(&self) -> anyhow::Result<String> {
        let cells: Vec<&Cell> = self.0.values().collect();
        Ok(format!("{}\n", serde_json::to_string_pretty(&cells)?))
    }

    /// For people: a line per resource and interaction, a column per product, then why.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Compatibility\n\n\
             <!-- Generated from a run of tests/contract by scripts/compatibility; CI fails when it is stale. -->\n\n\
             What the contract suite found when it asked each product through the gateway and compared what came out with\n\
             what the EHR holds. The products are imitated by the sandbox EHR from published facts\n\
             ([SANDBOX-PROFILES.md](SANDBOX-PROFILES.md)): a cell says how Sallyport deals with what is known of a product, not\n\
             that its vendor has certified anything, and what is known with which confidence is in [VENDORS.md](VENDORS.md).\n\n\
             ✓ verified · ◐ degraded, with the reason below · ✗ unsupported, refused with a code · – unverified, because what it needs did not\n\
             work. `sallyport matrix --tenant TENANT` answers for the endpoints of a tenant; programs read `compatibility.json`.\n\n",
        );
        let mut products: Vec<&str> = self.0.values().map(|cell| cell.profile.as_str()).collect();
        products.dedup();
        let mut lines: BTreeMap<(&str, &str, &str), BTreeMap<&str, State>> = BTreeMap::new();
        for cell in self.0.values() {
            let line = (cell.feature.as_str(), cell.resource.as_str(), cell.interaction.as_str());
            lines.entry(line).or_default().insert(&cell.profile, cell.state);
        }
        page.push_str(&format!("| feature | resource | interaction | {} |\n", products.join(" | ")));
        page.push_str(&format!("| --- | --- | --- |{}\n", " --- |".repeat(products.len())));
        for ((feature, resource, interaction), states) in &lines {
            let marks: Vec<&str> =
                products.iter().map(|product| mark(states.get(product).copied())).collect();
            page.push_str(&format!("| {feature} | {resource} | {interaction} | {} |\n", marks.join(" | ")));
        }
        page.push_str("\n## Why not verified\n\n| product | resource | interaction | state | why | since |\n| --- | --- | --- | --- | --- | --- |\n");
        for cell in self.0.values().filter(|cell| cell.state != State::Verified) {
            let why = cell.why.as_deref().unwrap_or("").replace('|', "\\|");
            page.push_str(&format!(
                "| {} | {} | {} | {} | {why} | {} |\n",
                cell.profile,
                cell.resource,
                cell.interaction,
                cell.state.as_str(),
                cell.since
            ));
        }
        page.push_str(&unverified(self.0.values()));
        page.push_str("\n## Shown by\n\n| product | vendor profile | test | mapping | version | since |\n| --- | --- | --- | --- | --- | --- |\n");
        for product in &products {
            let of: Vec<&Cell> = self.0.values().filter(|cell| cell.profile == *product).collect();
            let Some(first) = of.first() else { continue };
            let since = of.iter().map(|cell| cell.since.as_str()).max().unwrap_or_default();
            page.push_str(&format!(
                "| {product} | `{}` | `{}` | {} | {} | {since} |\n",
                first.vendor, first.test, first.mapping, first.version
            ));
        }
        page
    }
}

/// What nobody could verify of the products themselves: a cell above stands on these.
fn unverified<'c>(cells: impl Iterator<Item = &'c Cell>) -> String {
    let mut text = String::from(
        "\n## Unverified: what no vendor says and nobody has seen\n\n\
         The products are imitated, and spoken to, as the value says until somebody finds out. `sallyport certify` at a real endpoint does.\n\n\
         | product | vendor profile | fact | taken to be |\n| --- | --- | --- | --- |\n",
    );
    let products: BTreeMap<&str, &str> =
        cells.map(|cell| (cell.profile.as_str(), cell.vendor.as_str())).collect();
    for (product, vendor) in products {
        let Some(profile) = sallyport_vendors::all().iter().find(|profile| profile.id == vendor) else {
            continue;
        };
        for (fact, value) in sallyport_vendors::page::open_questions(profile) {
            let value = value.replace('|', "\\|").replace('<', "&lt;");
            text.push_str(&format!("| {product} | `{vendor}` | `{fact}` | {value} |\n"));
        }
    }
    text
}

fn mark(state: Option<State>) -> &'static str {
    match state {
        Some(State::Verified) => "✓",
        Some(State::Degraded) => "◐",
        Some(State::Unsupported) => "✗",
        Some(State::Unverified) => "–",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(state: State) -> Cell {
        let text = |text: &str| text.to_owned();
        Cell {
            profile: text("epic"),
            vendor: text("epic"),
            feature: text("patient-summary"),
            resource: text("Condition"),
            interaction: text("search"),
            state,
            why: None,
            test: text("products::a"),
            mapping: text("2026.1"),
            version: text("0.1.0"),
            since: String::new(),
            best: None,
        }
    }

    fn after(matrix: Matrix, state: State, day: &str) -> Matrix {
        matrix.with_on(vec![cell(state)], day)
    }

    #[test]
    fn a_cell_keeps_its_day_until_it_changes() {
        let first = after(Matrix::default(), State::Degraded, "2026-01-01");
        let same = after(first, State::Degraded, "2026-01-02");
        assert!(same.page().contains("2026-01-01"));
        let better = after(same, State::Verified, "2026-01-03");
        assert!(better.page().contains("2026-01-03") && !better.page().contains("2026-01-01"));
    }

    #[test]
    fn what_nobody_could_verify_of_a_product_stands_beside_its_cells() {
        let page = after(Matrix::default(), State::Verified, "2026-01-01").page();
        assert!(page.contains("| epic | `epic` | `registration.approval_days` | none |"), "{page}");
        assert!(!page.contains("`oauth.pkce`"), "what the vendor says is not open");
    }

    #[test]
    fn what_got_worse_needs_its_line_in_the_changelog_for_as_long_as_it_is() {
        let good = after(Matrix::default(), State::Verified, "2026-01-01");
        assert!(good.judge("").is_ok());
        let worse = after(after(good, State::Degraded, "2026-01-02"), State::Degraded, "2026-01-03");
        assert!(worse.judge("nothing about it").is_err());
        assert!(worse.judge("- compatibility: epic Condition search: it loses pages.").is_ok());
    }
}
