//! Resources of one type of one patient as lines: read into a map by id, changes laid over it, written again.

use std::collections::BTreeMap;

use sallyport_fhir::{Envelope, Limits};

/// The resources by id. Holds patient data: no `Debug`.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, Vec<u8>>);

impl Lines {
    /// Reads what was written before. A line without an id cannot be: it was written here.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = Self::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            lines.put(line)?;
        }
        Some(lines)
    }

    /// Lays a resource over what is there. `None` when it has no id; the same id again replaces.
    pub(super) fn put(&mut self, json: &[u8]) -> Option<Placed> {
        let envelope = Envelope::parse(json, &Limits::default()).ok()?;
        let id = envelope.id.as_deref()?.to_owned();
        let changed_at = envelope.last_updated.as_deref().and_then(|text| text.parse().ok());
        // Lines are the unit of the file: a resource that came with line breaks is written without.
        let line = match json.contains(&b'\n') {
            true => serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(json).ok()?).ok()?,
            false => json.to_vec(),
        };
        self.0.insert(id, line);
        Some(Placed { changed_at })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each as a line, in the order of their ids.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.values().map(|line| line.len() + 1).sum());
        for line in self.0.values() {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out
    }

    /// The resources' texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.values().map(Vec::as_slice)
    }
}

/// What is known of a resource that was put.
pub(super) struct Placed {
    /// `meta.lastUpdated`; nothing where it is not there or no instant.
    pub(super) changed_at: Option<jiff::Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A1: &[u8] =
        br#"{"resourceType":"Observation","id":"a","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
    const A2: &[u8] =
        br#"{"resourceType":"Observation","id":"a","meta":{"lastUpdated":"2026-02-01T00:00:00+01:00"}}"#;
    const B: &[u8] = br#"{"resourceType":"Observation","id":"b"}"#;

    #[test]
    fn a_change_replaces_the_resource_and_keeps_its_neighbours() {
        let mut lines = Lines::default();
        assert!(lines.put(A1).is_some() && lines.put(B).is_some());
        let mut again = Lines::read(&lines.write()).unwrap();
        let placed = again.put(A2).unwrap();
        assert_eq!(placed.changed_at.unwrap().to_string(), "2026-01-31T23:00:00Z");
        assert_eq!(again.len(), 2);
        assert_eq!(again.write(), [A2, b"\n", B, b"\n"].concat());
    }

    #[test]
    fn a_resource_on_several_lines_becomes_one_and_one_without_id_is_not_taken() {
        let mut lines = Lines::default();
        assert!(lines.put(b"{\"resourceType\":\"Observation\",\n\"id\":\"c\"}").is_some());
        assert_eq!(lines.write().iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(lines.put(br#"{"resourceType":"Observation"}"#).is_none());
    }
}
