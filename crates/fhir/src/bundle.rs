//! Searchset bundles: entries borrowed from the answer, and the answer written anew from what was checked.
//!
//! A bundle is never passed through: only members named here are written, so that nothing rides along in a corner that
//! no check has seen.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    envelope::{Envelope, Limits, text_of},
    outcome,
    scan::Fault,
};
use sallyport_model::Code;

/// Why an entry is in the answer (FHIR R4 §3.1.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It matched the search.
    Match,
    /// It was added because another refers to it.
    Include,
    /// An OperationOutcome about the search.
    Outcome,
    /// The server did not say.
    Unstated,
}

/// A link of the bundle.
#[derive(Debug, Clone, Deserialize)]
pub struct Link<'a> {
    /// `self`, `next`, `previous` …
    #[serde(borrow)]
    pub relation: Cow<'a, str>,
    /// Where to, as the server wrote it.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

/// An entry with its resource's outside.
pub struct Entry<'a> {
    /// `fullUrl`
    pub full_url: Option<Cow<'a, str>>,
    /// `search.mode`
    pub mode: Mode,
    /// The resource.
    pub resource: Envelope<'a>,
}

/// A searchset.
pub struct Bundle<'a> {
    /// `id`
    pub id: Option<Cow<'a, str>>,
    /// `total`, where the server counts.
    pub total: Option<u64>,
    /// Links in the order given.
    pub links: Vec<Link<'a>>,
    /// Entries in the order given; entries without a resource are left out.
    pub entries: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBundle<'a> {
    #[serde(borrow)]
    resource_type: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default, borrow)]
    link: Vec<Link<'a>>,
    #[serde(default, borrow)]
    entry: Vec<RawEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry<'a> {
    #[serde(default, borrow)]
    full_url: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    resource: Option<&'a RawValue>,
    #[serde(default, borrow)]
    search: Option<RawSearch<'a>>,
}

#[derive(Deserialize)]
struct RawSearch<'a> {
    #[serde(default, borrow)]
    mode: Option<Cow<'a, str>>,
}

impl<'a> Bundle<'a> {
    /// Reads a searchset.
    ///
    /// # Errors
    /// [`Fault`] when it is not one, exceeds a cap or could be read in two ways.
    pub fn parse(body: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        let text = text_of(body, limits)?;
        let raw: RawBundle<'a> = serde_json::from_str(text).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => Fault::WrongShape("searchset Bundle"),
            _ => Fault::NotJson,
        })?;
        if raw.resource_type != "Bundle" || raw.kind != "searchset" {
            return Err(Fault::WrongShape("searchset Bundle"));
        }
        if raw.entry.len() > limits.max_entries {
            return Err(Fault::TooManyEntries);
        }
        let mut entries = Vec::with_capacity(raw.entry.len());
        for entry in raw.entry {
            let Some(resource) = entry.resource else { continue };
            let mode = match entry.search.and_then(|s| s.mode).as_deref() {
                Some("match") => Mode::Match,
                Some("include") => Mode::Include,
                Some("outcome") => Mode::Outcome,
                _ => Mode::Unstated,
            };
            entries.push(Entry { full_url: entry.full_url, mode, resource: Envelope::of(resource, limits)? });
        }
        Ok(Self { id: raw.id, total: raw.total, links: raw.link, entries })
    }

    /// The first link of a relation.
    pub fn link(&self, relation: &str) -> Option<&str> {
        self.links.iter().find(|link| link.relation == relation).map(|link| link.url.as_ref())
    }
}

/// Writes a searchset from checked entries. `total` is left out where entries were withheld: it would count them. Reasons
/// why it is not everything stand in one more entry, an OperationOutcome of ours (FHIR R4 §3.1.1.5, mode `outcome`).
pub fn write<'e, 'a: 'e>(
    id: Option<&str>,
    total: Option<u64>,
    links: &[(&str, String)],
    entries: impl Iterator<Item = &'e Entry<'a>>,
    partial: &[Code],
) -> Vec<u8> {
    let mut out = br#"{"resourceType":"Bundle","#.to_vec();
    if let Some(id) = id {
        out.extend_from_slice(b"\"id\":");
        quoted(&mut out, id);
        out.push(b',');
    }
    out.extend_from_slice(br#""type":"searchset""#);
    if let Some(total) = total {
        out.extend_from_slice(format!(",\"total\":{total}").as_bytes());
    }
    for (n, (relation, url)) in links.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b",\"link\":[{\"relation\":" } else { b",{\"relation\":" });
        quoted(&mut out, relation);
        out.extend_from_slice(b",\"url\":");
        quoted(&mut out, url);
        out.push(b'}');
    }
    if !links.is_empty() {
        out.push(b']');
    }
    let mut is_first = true;
    for entry in entries {
        out.extend_from_slice(if is_first { b",\"entry\":[{" } else { b",{" });
        is_first = false;
        if let Some(url) = &entry.full_url {
            out.extend_from_slice(b"\"fullUrl\":");
            quoted(&mut out, url);
            out.push(b',');
        }
        out.extend_from_slice(b"\"resource\":");
        out.extend_from_slice(entry.resource.text.as_bytes());
        match entry.mode {
            Mode::Match => out.extend_from_slice(br#","search":{"mode":"match"}"#),
            Mode::Include => out.extend_from_slice(br#","search":{"mode":"include"}"#),
            Mode::Outcome => out.extend_from_slice(br#","search":{"mode":"outcome"}"#),
            Mode::Unstated => {}
        }
        out.push(b'}');
    }
    if !partial.is_empty() {
        out.extend_from_slice(if is_first { b",\"entry\":[{\"resource\":" } else { b",{\"resource\":" });
        is_first = false;
        out.extend_from_slice(&outcome::incomplete(partial));
        out.extend_from_slice(br#","search":{"mode":"outcome"}}"#);
    }
    if !is_first {
        out.push(b']');
    }
    out.push(b'}');
    out
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory has no way to fail; an empty string stands in to keep the JSON whole.
    out.extend_from_slice(serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Bundle<'_>, Fault> {
        Bundle::parse(body.as_bytes(), &Limits { max_entries: 3, ..Limits::default() })
    }

    const SEARCHSET: &str = r#"{"resourceType":"Bundle","type":"searchset","total":7,"extra":[[1]],
        "link":[{"relation":"self","url":"https:\/\/e.example\/fhir\/Condition"},{"relation":"next","url":"https://e.example/fhir?p=2"}],
        "entry":[{"fullUrl":"https://e.example/fhir/Condition/c","resource":{"resourceType":"Condition","id":"c" },"search":{"mode":"match"}},
                 {"response":{"status":"200"}},
                 {"resource":{"resourceType":"Practitioner","id":"d"},"search":{"mode":"include"}}]}"#;

    #[test]
    fn entries_and_links_are_read() {
        let bundle = parse(SEARCHSET).unwrap();
        assert_eq!(bundle.link("next"), Some("https://e.example/fhir?p=2"));
        assert_eq!(bundle.link("self"), Some("https://e.example/fhir/Condition"));
        let modes: Vec<_> = bundle.entries.iter().map(|e| e.mode).collect();
        assert_eq!(modes, [Mode::Match, Mode::Include]);
        assert_eq!(bundle.total, Some(7));
    }

    #[test]
    fn what_is_written_holds_only_what_was_checked() {
        let bundle = parse(SEARCHSET).unwrap();
        let links = [("next", "https://app.example/fhir/x/_page/\"".to_owned())];
        let text = write(Some("b"), None, &links, bundle.entries.iter().take(1), &[]);
        let again = String::from_utf8(text).unwrap();
        assert_eq!(
            again,
            r#"{"resourceType":"Bundle","id":"b","type":"searchset","link":[{"relation":"next","url":"https://app.example/fhir/x/_page/\""}],"entry":[{"fullUrl":"https://e.example/fhir/Condition/c","resource":{"resourceType":"Condition","id":"c" },"search":{"mode":"match"}}]}"#
        );
        assert!(Bundle::parse(again.as_bytes(), &Limits::default()).is_ok());
        let empty = write(None, Some(0), &[], [].iter(), &[]);
        assert_eq!(empty, br#"{"resourceType":"Bundle","type":"searchset","total":0}"#);
    }

    #[test]
    fn a_resource_given_twice_in_an_entry_is_refused() {
        for body in [
            r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"id":"a"},"resource":{"id":"b"}}]}"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"id":"a"},"\u0072esource":{"id":"b"}}]}"#,
            r#"{"resourceType":"Bundle","type":"searchset","entry":[],"entry":[{"resource":{"id":"b"}}]}"#,
        ] {
            assert_eq!(parse(body).err(), Some(Fault::WrongShape("searchset Bundle")), "{body}");
        }
    }

    #[test]
    fn other_answers_are_not_searchsets() {
        for body in [
            r#"{"resourceType":"Bundle","type":"batch-response"}"#,
            r#"{"resourceType":"Patient"}"#,
            r#"{"type":"searchset"}"#,
            "[]",
            "7",
        ] {
            assert!(matches!(parse(body).err(), Some(Fault::WrongShape(_))), "{body}");
        }
        assert_eq!(parse("<html>").err(), Some(Fault::NotJson));
        assert_eq!(
            parse(r#"{"resourceType":"Bundle","type":"searchset","entry":["#).err(),
            Some(Fault::NotJson)
        );
    }

    #[test]
    fn caps_hold_for_entries_and_depth() {
        let entry = r#"{"resource":{"resourceType":"Patient"}}"#;
        let many = format!(
            r#"{{"resourceType":"Bundle","type":"searchset","entry":[{entry},{entry},{entry},{entry}]}}"#
        );
        assert_eq!(parse(&many).err(), Some(Fault::TooManyEntries));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let inside = format!(
            r#"{{"resourceType":"Bundle","type":"searchset","entry":[{{"resource":{{"x":{deep}}}}}]}}"#
        );
        assert_eq!(parse(&inside).err(), Some(Fault::TooDeep));
        let beside = format!(r#"{{"resourceType":"Bundle","type":"searchset","x":{deep}}}"#);
        assert!(parse(&beside).is_ok(), "skipped without recursion");
    }
}
