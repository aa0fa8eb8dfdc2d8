//! What would change in a chart between two mappings, before an endpoint is moved from one to the other.
//!
//! The same resources are mapped twice and the results compared as their JSON, entry by entry: what a page or a program
//! would see. Nothing is compared that the mapping does not make (times of reading, the mapping's own name).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::{ChartSection, Context, Input, Mapping, Section, normalise};

/// How something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is there with the second mapping only.
    Added,
    /// It is there with the first mapping only.
    Removed,
    /// It is another one.
    Changed,
    /// The entries are the same and stand in another order.
    Moved,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In which section.
    pub section: Section,
    /// The entry: `Type/id` of its resource, or the key of a trend. Empty for what the section says as a whole.
    pub entry: String,
    /// The element of the entry, e.g. `what.code.code`; empty when it is the whole entry.
    pub element: String,
    /// How.
    pub kind: ChangeKind,
    /// The value with the first mapping. Patient data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value with the second mapping. Patient data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Maps the resources of a section with both mappings and tells what differs.
pub fn reconcile(section: Section, context: &Context<'_>, to: Mapping, inputs: &[Input<'_>]) -> Vec<Change> {
    let after = Context { mapping: to, ..*context };
    compare(&normalise(section, context, inputs, Vec::new()), &normalise(section, &after, inputs, Vec::new()))
}

/// What differs between two readings of one section.
pub fn compare(before: &ChartSection, after: &ChartSection) -> Vec<Change> {
    let (before_entries, after_entries) = (Entries::of(before), Entries::of(after));
    let section = after.section;
    let mut changes = Vec::new();
    let mut push = |entry: &str, element: &str, kind, before: Option<&Value>, after: Option<&Value>| {
        changes.push(Change {
            section,
            entry: entry.to_owned(),
            element: element.to_owned(),
            kind,
            before: before.map(shown),
            after: after.map(shown),
        });
    };
    let names: BTreeSet<&String> =
        before_entries.by_name.keys().chain(after_entries.by_name.keys()).collect();
    for name in names {
        match (before_entries.by_name.get(name), after_entries.by_name.get(name)) {
            (Some(_), None) => push(name, "", ChangeKind::Removed, None, None),
            (None, Some(_)) => push(name, "", ChangeKind::Added, None, None),
            (Some(before), Some(after)) => {
                let elements: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for element in elements {
                    let (before, after) = (before.get(element), after.get(element));
                    let kind = match (before, after) {
                        (Some(before), Some(after)) if before == after => continue,
                        (Some(_), Some(_)) => ChangeKind::Changed,
                        (Some(_), None) => ChangeKind::Removed,
                        (None, _) => ChangeKind::Added,
                    };
                    push(name, element, kind, before, after);
                }
            }
            (None, None) => {}
        }
    }
    let common = |of: &Entries, other: &Entries| -> Vec<String> {
        of.order.iter().filter(|name| other.by_name.contains_key(*name)).cloned().collect()
    };
    if common(&before_entries, &after_entries) != common(&after_entries, &before_entries) {
        push("", "order", ChangeKind::Moved, None, None);
    }
    changes
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A section as entries, each as its leaves by path.
#[derive(Default)]
struct Entries {
    by_name: BTreeMap<String, BTreeMap<String, Value>>,
    order: Vec<String>,
}

impl Entries {
    fn of(section: &ChartSection) -> Self {
        let mut entries = Self::default();
        let mut whole = BTreeMap::new();
        let Ok(Value::Object(mut content)) = serde_json::to_value(&section.content) else { return entries };
        if let Ok(state) = serde_json::to_value((section.state, &section.problems)) {
            flatten(String::new(), &state, &mut whole);
        }
        for list in ["items", "trends"] {
            for entry in content.remove(list).and_then(|l| l.as_array().cloned()).unwrap_or_default() {
                entries.add(list, &entry);
            }
        }
        flatten(String::new(), &Value::Object(content), &mut whole);
        entries.by_name.insert(String::new(), whole);
        entries
    }

    fn add(&mut self, list: &str, entry: &Value) {
        let text = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let base = match list {
            "trends" => format!("trend {} {}", text("/key"), text("/part")).trim_end().to_owned(),
            _ => text("/record/reference").to_owned(),
        };
        // One resource can give several entries: the members of a care team.
        let mut name = base.clone();
        for number in 2.. {
            if !self.by_name.contains_key(&name) {
                break;
            }
            name = format!("{base} ({number})");
        }
        let mut leaves = BTreeMap::new();
        flatten(String::new(), entry, &mut leaves);
        self.order.push(name.clone());
        self.by_name.insert(name, leaves);
    }
}

fn flatten(path: String, value: &Value, into: &mut BTreeMap<String, Value>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(below(name), value, into);
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                flatten(format!("{path}[{index}]"), value, into);
            }
        }
        leaf => {
            into.insert(path, leaf.clone());
        }
    }
}
