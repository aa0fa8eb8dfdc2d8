//! What an operator reads before moving an endpoint.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_clinical::{
    FhirVersion, Mapping, Section,
    reconcile::{Change, ChangeKind},
};
use serde::Serialize;

use super::folder::Records;
use crate::cli::ReconcileArgs;

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The mapping that is.
    pub from: Mapping,
    /// The mapping that would be.
    pub to: Mapping,
    /// What the records are written in.
    pub fhir_version: FhirVersion,
    /// How many charts were looked at.
    pub charts: usize,
    /// In how many something would change.
    pub changed_charts: usize,
    /// How many resources they are made of.
    pub resources: usize,
    /// How many were in no chart: of no section, or of nobody.
    pub left_out: usize,
    /// What of a live chart could not be read, by section, and so was not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// What would change, by section and element.
    pub lines: Vec<Line>,
    #[serde(skip)]
    shows_values: bool,
    /// Entries of a live chart are named by the ids of somebody's records.
    #[serde(skip)]
    shows_ids: bool,
}

/// One element that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// In which section.
    pub section: Section,
    /// Which element of its entries; empty for whole entries.
    pub element: String,
    /// How.
    pub kind: ChangeKind,
    /// Of how many entries.
    pub entries: usize,
    /// In how many charts.
    pub charts: usize,
    /// One of the entries; of a live chart only when values were asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// Before and after with how many entries, the commonest first; only when values were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Values>,
}

/// A value and what would stand in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Values {
    /// With the first mapping.
    pub before: Option<String>,
    /// With the second.
    pub after: Option<String>,
    /// In how many entries.
    pub entries: usize,
}

/// Distinct values that a line shows.
const MAX_VALUES: usize = 10;

impl Report {
    pub(super) fn new(
        args: &ReconcileArgs,
        from: Mapping,
        fhir_version: FhirVersion,
        records: &Records,
    ) -> Self {
        Self {
            from,
            to: args.to,
            fhir_version,
            charts: records.charts.len(),
            changed_charts: 0,
            resources: records.charts.values().flat_map(BTreeMap::values).map(Vec::len).sum(),
            left_out: records.left_out,
            unread: records.unread.iter().cloned().collect(),
            lines: Vec::new(),
            shows_values: args.values,
            shows_ids: args.values || args.bundles.is_some(),
        }
    }

    /// Adds what would change in one chart.
    pub(super) fn chart(&mut self, changes: Vec<Change>) {
        self.changed_charts += usize::from(!changes.is_empty());
        let mut met = BTreeSet::new();
        for change in changes {
            let element = without_indices(&change.element);
            let is_this =
                |l: &Line| (l.section, l.kind) == (change.section, change.kind) && l.element == element;
            let at = self.lines.iter().position(is_this).unwrap_or_else(|| {
                self.lines.push(Line {
                    section: change.section,
                    element,
                    kind: change.kind,
                    entries: 0,
                    charts: 0,
                    example: if self.shows_ids { change.entry.clone() } else { String::new() },
                    values: Vec::new(),
                });
                self.lines.len() - 1
            });
            let Some(line) = self.lines.get_mut(at) else { continue };
            line.entries += 1;
            line.charts += usize::from(met.insert(at));
            if self.shows_values && (change.before.is_some() || change.after.is_some()) {
                line.value(change.before, change.after);
            }
        }
        self.lines.sort_by(|a, b| (a.section, &a.element, a.kind).cmp(&(b.section, &b.element, b.kind)));
    }
}

impl Line {
    fn value(&mut self, before: Option<String>, after: Option<String>) {
        let at = self.values.iter().position(|v| v.before == before && v.after == after);
        if let Some(values) = at.and_then(|at| self.values.get_mut(at)) {
            values.entries += 1;
        } else if self.values.len() < MAX_VALUES {
            self.values.push(Values { before, after, entries: 1 });
        }
        self.values.sort_by_key(|v| std::cmp::Reverse(v.entries));
    }
}

/// `codings[0].code` and `codings[1].code` are one element.
fn without_indices(element: &str) -> String {
    let mut parts = element.split('[');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        name.push_str("[]");
        name.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    name
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to, fhir_version, charts, resources, .. } = self;
        writeln!(
            f,
            "Mapping {from} and {to} over {charts} charts of {resources} resources (FHIR {fhir_version})"
        )?;
        if self.left_out > 0 {
            writeln!(f, "  {} resources belong to no chart and were left out", self.left_out)?;
        }
        for told in &self.unread {
            writeln!(f, "  not compared, {told}")?;
        }
        for line in &self.lines {
            let element = if line.element.is_empty() { "(whole entries)" } else { &line.element };
            let kind = match line.kind {
                ChangeKind::Added => "added",
                ChangeKind::Removed => "removed",
                ChangeKind::Changed => "changed",
                ChangeKind::Moved => "in another order",
            };
            write!(
                f,
                "  {:<13} {element:<34} {kind}: {} entries in {} charts",
                line.section.as_str(),
                line.entries,
                line.charts
            )?;
            if !line.example.is_empty() {
                write!(f, ", such as {}", line.example)?;
            }
            writeln!(f)?;
            for Values { before, after, entries } in &line.values {
                let shown = |value: &Option<String>| value.as_deref().unwrap_or("nothing").to_owned();
                writeln!(f, "      {} -> {} ({entries})", shown(before), shown(after))?;
            }
        }
        if self.lines.is_empty() {
            return writeln!(f, "Nothing would change.");
        }
        writeln!(f, "{} of {charts} charts would change.", self.changed_charts)?;
        if !self.shows_values {
            writeln!(f, "--values shows what to what; values are patient data.")?;
        }
        writeln!(f, "To move an endpoint: mapping = \"{to}\" in its tenant file.")
    }
}
