//! What a change means: the features that it touches, and what becomes of them.

use std::collections::BTreeSet;

use super::{
    diff::{Change, What},
    snapshot::Area,
    touch::Touch,
};

/// What becomes of the features that a change touches, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A feature does not work any more.
    Breaking,
    /// A feature shows less.
    Loses,
    /// Something that a feature uses is offered now.
    Gains,
    /// No feature changes.
    Note,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [Self::Breaking, Self::Loses, Self::Gains, Self::Note];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Loses => "loses",
            Self::Gains => "gains",
            Self::Note => "note",
        }
    }
}

/// A change with what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) change: Change,
    pub(crate) class: Class,
    /// Ids of the features.
    pub(crate) features: Vec<String>,
}

/// Classes every change, the worst first.
pub(crate) fn classify(changes: Vec<Change>, touch: &Touch) -> Vec<Finding> {
    let added: BTreeSet<String> = changes
        .iter()
        .filter(|change| change.area == Area::Shapes && change.what == What::Added)
        .filter_map(|change| Some(change.subject.rsplit_once(' ')?.0.to_owned()))
        .collect();
    let mut findings: Vec<Finding> = changes
        .into_iter()
        .map(|change| {
            let (class, features) = match change.area {
                Area::Smart => smart(&change, touch),
                Area::Statement => statement(&change, touch),
                Area::Keys => (Class::Note, Vec::new()),
                Area::Shapes => shape(&change, touch, &added),
                Area::Answers => answers(&change, touch),
            };
            Finding { change, class, features }
        })
        .collect();
    findings.sort_by(|a, b| (a.class, &a.change.subject).cmp(&(b.class, &b.change.subject)));
    findings
}

type Meaning = (Class, Vec<String>);

fn smart(change: &Change, touch: &Touch) -> Meaning {
    let is_there = change.what != What::Removed;
    let everything = || (Class::Breaking, touch.all());
    let note = || (Class::Note, Vec::new());
    let Some((list, word)) = change.subject.split_once(' ') else {
        // An address, by its origin, or the issuer: where it leads elsewhere launches and sign-ins are refused.
        let is_needed = matches!(
            change.subject.as_str(),
            "authorization_endpoint" | "token_endpoint" | "jwks_uri" | "issuer"
        );
        let is_pinned = touch.pinned(&change.subject, &change.after);
        return if is_needed && (!is_there || !is_pinned) { everything() } else { note() };
    };
    let is_used = match list {
        "capability" => touch.needs_capability(word),
        "pkce" => (word == "S256" && !is_there || word == "plain" && is_there) && touch.pkce_required,
        "auth" => touch.auths.contains(word),
        "scope" => {
            let (required, features) = touch.by_scope(word);
            let class = match (is_there, required) {
                // The list is not exhaustive (SMART 2.2 conformance): what is granted decides.
                (false, _) => Class::Loses,
                (true, _) => Class::Gains,
            };
            return if features.is_empty() { note() } else { (class, features) };
        }
        _ => false,
    };
    // PKCE's "plain" is the one word whose coming breaks something.
    let breaks = is_used && (!is_there || list == "pkce");
    if breaks { everything() } else { note() }
}

fn statement(change: &Change, touch: &Touch) -> Meaning {
    let is_there = change.what != What::Removed;
    match change.subject.as_str() {
        "fhirVersion" => return (Class::Breaking, touch.all()),
        "software" => return (Class::Note, Vec::new()),
        "operation export" | "operation group-export" => {
            let services = touch.services();
            let class = if is_there { Class::Gains } else { Class::Loses };
            return if services.is_empty() { (Class::Note, services) } else { (class, services) };
        }
        _ => {}
    }
    let Some((kind, what)) = change.subject.split_once(' ') else { return (Class::Note, Vec::new()) };
    match what.strip_prefix('?') {
        Some(param) if touch.asks_with(kind, param) => {
            let (_, features) = touch.by_type(kind);
            (if is_there { Class::Gains } else { Class::Loses }, features)
        }
        None if matches!(what, "read" | "search-type") => offered(kind, is_there, touch),
        None if matches!(what, "create" | "update") => {
            let writers = touch.writers(kind);
            let class = if is_there { Class::Gains } else { Class::Breaking };
            if writers.is_empty() { (Class::Note, writers) } else { (class, writers) }
        }
        _ => (Class::Note, Vec::new()),
    }
}

/// An interaction on a type came or went.
fn offered(kind: &str, is_there: bool, touch: &Touch) -> Meaning {
    let (is_required, features) = touch.by_type(kind);
    let class = match (is_there, is_required) {
        _ if features.is_empty() => Class::Note,
        (true, _) => Class::Gains,
        (false, true) => Class::Breaking,
        (false, false) => Class::Loses,
    };
    (class, features)
}

fn answers(change: &Change, touch: &Touch) -> Meaning {
    let Some((kind, _)) = change.subject.split_once(' ') else { return (Class::Note, Vec::new()) };
    match change.after.as_str() {
        "refused" => offered(kind, false, touch),
        "answered" if change.before == "refused" => offered(kind, true, touch),
        _ => (Class::Note, Vec::new()),
    }
}

fn shape(change: &Change, touch: &Touch, added: &BTreeSet<String>) -> Meaning {
    let mut words = change.subject.split(' ');
    let (kind, mark) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (_, features) = touch.by_type(kind);
    let class = match (mark, change.what) {
        _ if features.is_empty() => Class::Note,
        // The same element is there as another kind of JSON: it is not read any more.
        ("element", What::Removed) if same_element(&change.subject, added) => Class::Breaking,
        ("element" | "system", What::Removed) => Class::Loses,
        // It may change the meaning of what it stands in (FHIR R4 §2.4.3.2): records that carry it are shown as such.
        ("modifier", What::Added) => Class::Loses,
        _ => return (Class::Note, Vec::new()),
    };
    (class, if class == Class::Note { Vec::new() } else { features })
}

fn same_element(subject: &str, added: &BTreeSet<String>) -> bool {
    subject.rsplit_once(' ').is_some_and(|(element, _)| added.contains(element))
}

#[cfg(test)]
mod tests;
