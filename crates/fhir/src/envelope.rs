//! A resource's outside: what a decision needs, borrowed from the text, in one pass.
//!
//! Type, id, meta, the references it makes with the element that makes them, and its root-level codes. The resource
//! itself is never taken apart or written anew: what is released is the text that was checked.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{
    reference::{Base, Reference},
    scan::{Fault, Step, Visitor, scan},
    types::ResourceType,
};

/// Caps on what is read from an EHR.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body, in bytes.
    pub max_bytes: usize,
    /// Deepest nesting. Real resources stay below 20; a Questionnaire with nested groups below 40.
    pub max_depth: usize,
    /// Most entries of one bundle.
    pub max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 16 * 1024 * 1024, max_depth: 64, max_entries: 5_000 }
    }
}

/// A code and its system; either may be empty when it was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding<'a> {
    /// The code system's URI.
    pub system: Cow<'a, str>,
    /// The code.
    pub code: Cow<'a, str>,
}

/// A reference and the element path it stands at, array positions left out.
#[derive(Clone)]
struct Found<'a> {
    path: [&'a str; PATH],
    depth: usize,
    value: Cow<'a, str>,
}

/// Ownership paths have at most two elements; one more tells them from longer ones.
const PATH: usize = 3;

/// The outside of one resource. Holds patient data: no `Debug`.
#[derive(Clone)]
pub struct Envelope<'a> {
    /// The resource's text.
    pub text: &'a str,
    /// Its type; `None` when missing or unknown to R4.
    pub resource_type: Option<ResourceType>,
    /// Its logical id.
    pub id: Option<Cow<'a, str>>,
    /// `meta.versionId`
    pub version_id: Option<Cow<'a, str>>,
    /// `meta.lastUpdated`
    pub last_updated: Option<Cow<'a, str>>,
    /// `meta.profile`
    pub profiles: Vec<Cow<'a, str>>,
    /// `meta.security`, of the resource and of those contained in it. A label that cannot be read is an empty coding,
    /// which no policy knows and therefore none permits.
    pub security: Vec<Coding<'a>>,
    /// `meta.tag`
    pub tags: Vec<Coding<'a>>,
    /// Types of the contained resources; `None` for one unknown to R4.
    pub contained: Vec<Option<ResourceType>>,
    references: Vec<Found<'a>>,
    attachments: Vec<Cow<'a, str>>,
    codings: Vec<(&'a str, Coding<'a>)>,
    primitives: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Envelope<'a> {
    /// Reads a body that is one resource.
    ///
    /// # Errors
    /// [`Fault`] when it is not JSON, exceeds a cap or could be read in two ways.
    pub fn parse(body: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        let text = text_of(body, limits)?;
        let raw: &'a RawValue = serde_json::from_str(text).map_err(|_syntax| Fault::NotJson)?;
        Self::of(raw, limits)
    }

    /// Reads a resource out of text that has been found to be JSON.
    ///
    /// # Errors
    /// [`Fault`] as for [`Envelope::parse`].
    pub fn of(raw: &'a RawValue, limits: &Limits) -> Result<Self, Fault> {
        let text = raw.get();
        if !text.starts_with('{') {
            return Err(Fault::WrongShape("resource"));
        }
        let mut reader = Reader::default();
        scan(text, limits.max_depth, &mut reader)?;
        Ok(reader.finish(text))
    }

    /// Values of `Reference.reference` at an element path such as `participant.actor`.
    pub fn references_at(&self, path: &str) -> impl Iterator<Item = &str> {
        self.references.iter().filter(move |found| found.is_at(path)).map(|found| found.value.as_ref())
    }

    /// Values of `Reference.reference` inside contained resources.
    pub fn contained_references(&self) -> impl Iterator<Item = &str> {
        self.references.iter().filter(|f| f.path.first() == Some(&"contained")).map(|f| f.value.as_ref())
    }

    /// Every resource of this endpoint that this one refers to, attachments' addresses included.
    pub fn refers_to<'e>(&'e self, base: &'e Base) -> impl Iterator<Item = (ResourceType, &'e str)> {
        let texts = self
            .references
            .iter()
            .map(|f| f.value.as_ref())
            .chain(self.attachments.iter().map(AsRef::as_ref));
        texts.filter_map(|text| match Reference::parse(text, base) {
            Reference::Local { resource_type, id } => Some((resource_type, id)),
            _ => None,
        })
    }

    /// Whether the resource satisfies every pair of a scope's constraint (`category=system|code`). A parameter that
    /// cannot be evaluated here satisfies nothing.
    pub fn satisfies(&self, constraint: &[(String, String)]) -> bool {
        constraint.iter().all(|(name, value)| match constraint_element(name) {
            Some(element) => value.split(',').any(|one| self.has_code(element, one)),
            None => false,
        })
    }

    fn has_code(&self, element: &str, token: &str) -> bool {
        let (system, code) = match token.split_once('|') {
            None => (None, token),
            Some((system, code)) => (Some(system), code),
        };
        if code.is_empty() {
            return false;
        }
        let by_coding = self.codings.iter().any(|(root, coding)| {
            *root == element && coding.code == code && system.is_none_or(|s| coding.system == s)
        });
        by_coding
            || (system.is_none()
                && self.primitives.iter().any(|(root, value)| *root == element && value == code))
    }
}

/// The element a token parameter looks at; only those whose meaning is the same on every type.
fn constraint_element(name: &str) -> Option<&'static str> {
    Some(match name {
        "category" => "category",
        "code" => "code",
        "type" => "type",
        "class" => "class",
        "status" => "status",
        "intent" => "intent",
        "clinical-status" => "clinicalStatus",
        "verification-status" => "verificationStatus",
        "vaccine-code" => "vaccineCode",
        _ => return None,
    })
}

/// The body as text, a byte-order mark skipped, size checked.
pub(crate) fn text_of<'a>(body: &'a [u8], limits: &Limits) -> Result<&'a str, Fault> {
    if body.len() > limits.max_bytes {
        return Err(Fault::TooLarge);
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map_err(|_bytes| Fault::NotUtf8)
}

impl Found<'_> {
    fn is_at(&self, path: &str) -> bool {
        let mut wanted = path.split('.');
        self.path.iter().take(self.depth).all(|have| wanted.next() == Some(*have)) && wanted.next().is_none()
    }
}

/// A coding whose end has not been met yet.
struct Pending<'a> {
    depth: usize,
    system: Cow<'a, str>,
    code: Cow<'a, str>,
}

#[derive(Default)]
struct Reader<'a> {
    resource_type: Option<ResourceType>,
    id: Option<Cow<'a, str>>,
    version_id: Option<Cow<'a, str>>,
    last_updated: Option<Cow<'a, str>>,
    profiles: Vec<Cow<'a, str>>,
    security: Vec<Coding<'a>>,
    tags: Vec<Coding<'a>>,
    contained: Vec<Option<ResourceType>>,
    references: Vec<Found<'a>>,
    attachments: Vec<Cow<'a, str>>,
    codings: Vec<(&'a str, Coding<'a>)>,
    primitives: Vec<(&'a str, Cow<'a, str>)>,
    pending: Vec<Pending<'a>>,
}

impl<'a> Reader<'a> {
    fn finish(self, text: &'a str) -> Envelope<'a> {
        Envelope {
            text,
            resource_type: self.resource_type,
            id: self.id,
            version_id: self.version_id,
            last_updated: self.last_updated,
            profiles: self.profiles,
            security: self.security,
            tags: self.tags,
            contained: self.contained,
            references: self.references,
            attachments: self.attachments,
            codings: self.codings,
            primitives: self.primitives,
        }
    }

    fn pending(&mut self, depth: usize) -> Option<&mut Pending<'a>> {
        if self.pending.last().is_none_or(|p| p.depth != depth) {
            self.pending.push(Pending { depth, system: Cow::Borrowed(""), code: Cow::Borrowed("") });
        }
        self.pending.last_mut()
    }
}

impl<'a> Visitor<'a> for Reader<'a> {
    fn string(&mut self, path: &[Step<'a>], raw: &'a str) {
        use Step::{Index, Key};
        match path {
            [Key("resourceType")] => self.resource_type = ResourceType::parse(raw),
            [Key("id")] => self.id = Some(unescape(raw)),
            [Key(root)] => self.primitives.push((root, unescape(raw))),
            [Key("meta"), Key("versionId")] => self.version_id = Some(unescape(raw)),
            [Key("meta"), Key("lastUpdated")] => self.last_updated = Some(unescape(raw)),
            [Key("meta"), Key("profile"), Index(_)] => self.profiles.push(unescape(raw)),
            [Key("meta"), Key("security")] | [Key("meta"), Key("security"), Index(_)] => {
                self.security.push(Coding { system: Cow::Borrowed(""), code: Cow::Borrowed("") });
            }
            [Key("contained"), Index(_), Key("resourceType")] | [Key("contained"), Key("resourceType")] => {
                self.contained.push(ResourceType::parse(raw));
            }
            [.., Key("reference")] => self.references.push(found(path, raw)),
            [.., Key("url")] if raw.contains("Binary") => self.attachments.push(unescape(raw)),
            [.., Key("system")] => {
                if let Some(pending) = self.pending(path.len()) {
                    pending.system = unescape(raw);
                }
            }
            [.., Key("code")] => {
                if let Some(pending) = self.pending(path.len()) {
                    pending.code = unescape(raw);
                }
            }
            _ => {}
        }
    }

    fn end_object(&mut self, path: &[Step<'a>]) {
        use Step::{Index, Key};
        let ended = match self.pending.last() {
            Some(pending) if pending.depth == path.len() + 1 => self.pending.pop(),
            _ => None,
        };
        let coding = ended.map(|p| Coding { system: p.system, code: p.code });
        let unreadable = || Coding { system: Cow::Borrowed(""), code: Cow::Borrowed("") };
        match path {
            [Key("meta"), Key("security"), Index(_)]
            | [Key("meta"), Key("security")]
            | [Key("contained"), Index(_), Key("meta"), Key("security"), Index(_)] => {
                self.security.push(coding.unwrap_or_else(unreadable));
            }
            [Key("meta"), Key("tag"), Index(_)] => self.tags.extend(coding),
            [Key(root)]
            | [Key(root), Index(_)]
            | [Key(root), Key("coding"), Index(_)]
            | [Key(root), Index(_), Key("coding"), Index(_)] => {
                self.codings.extend(coding.map(|c| (*root, c)));
            }
            _ => {}
        }
    }
}

fn found<'a>(path: &[Step<'a>], raw: &'a str) -> Found<'a> {
    let mut keys = [""; PATH];
    let mut depth = 0;
    let above = path.split_last().map_or(&[][..], |(_, above)| above);
    for step in above {
        if let Step::Key(key) = step {
            if let Some(slot) = keys.get_mut(depth) {
                *slot = key;
            }
            depth += 1;
        }
    }
    // A longer path keeps its first elements and a depth that no ownership path has.
    Found { path: keys, depth: depth.min(PATH), value: unescape(raw) }
}

/// The text of a string. A string that does not unescape is not text, and matches nothing.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_default())
}

#[cfg(test)]
mod tests;
