//! One pass over a section's inputs: what each is, each read once, what could not be read noted.

use std::{borrow::Cow, cell::RefCell, collections::HashSet};

use super::{
    Source,
    datatypes::{Name, Resource, from_json, shape},
    primitives::{Str, text},
};
use crate::{Context, Input, ReadProblem, record::Record, version};

/// Resources that a section is made of at most: ten times what the longest known chart holds of one kind.
pub const MAX_RESOURCES: usize = 50_000;

/// Objects that one resource may consist of: `[{},{},…]` takes a hundred times its size once it is read.
pub const MAX_OBJECTS: usize = 50_000;

/// The inputs of a section while it is being made.
pub(crate) struct Reading<'a> {
    /// About whom and where.
    pub(crate) context: Context<'a>,
    entries: Vec<Entry<'a>>,
    problems: RefCell<Vec<ReadProblem>>,
}

/// One input, in R4's form.
struct Entry<'a> {
    sent_type: Cow<'a, str>,
    json: Cow<'a, [u8]>,
    read_at: i64,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(context: &Context<'a>, inputs: &[Input<'a>], mut problems: Vec<ReadProblem>) -> Self {
        let mut entries = Vec::with_capacity(inputs.len().min(MAX_RESOURCES));
        for input in inputs.iter().take(MAX_RESOURCES) {
            match entry(context, input) {
                Some(entry) => entries.push(entry),
                None => problems.push(ReadProblem::unreadable(None, None)),
            }
        }
        if inputs.len() > MAX_RESOURCES {
            problems.push(ReadProblem::more_than_shown());
        }
        Self { context: *context, entries, problems: RefCell::new(problems) }
    }

    /// Makes something of every resource of that R4 type, each `Type/id` once (pages overlap when the EHR's data moves
    /// under a search). One resource is held at a time: the shapes are large.
    pub(crate) fn each<'s, R: Resource<'s>, T>(
        &'s self,
        r4_type: &'static str,
        mut make: impl FnMut(&Source, Record, &R) -> T,
    ) -> Vec<T> {
        let (fhir, rules) = (self.context.fhir_version, self.context.mapping.rules());
        let sent_type = version::sent_type(fhir, r4_type);
        let mut seen = HashSet::new();
        let mut made = Vec::with_capacity(self.entries.iter().filter(|e| e.sent_type == sent_type).count());
        for entry in self.entries.iter().filter(|entry| entry.sent_type == sent_type) {
            let Some(resource) = from_json::<R>(&entry.json) else {
                let name = from_json::<Name<'_>>(&entry.json);
                let id = name.as_ref().and_then(|name| super::source::usable_id(&name.id));
                self.unreadable(sent_type, id.map(|id| format!("{sent_type}/{id}")));
                continue;
            };
            match Source::open(sent_type, &resource.head(), entry.read_at, fhir, rules) {
                Some((source, record)) => {
                    if seen.insert(source.reference()) {
                        made.push(make(&source, record, &resource));
                    }
                }
                None => self.unreadable(sent_type, None),
            }
        }
        made
    }

    fn unreadable(&self, sent_type: &str, reference: Option<String>) {
        self.problems.borrow_mut().push(ReadProblem::unreadable(Some(sent_type), reference));
    }

    pub(crate) fn into_problems(self) -> Vec<ReadProblem> {
        self.problems.into_inner()
    }
}

/// An input in R4's form; `None` when it is no resource or larger than any resource is.
fn entry<'a>(context: &Context<'a>, input: &Input<'a>) -> Option<Entry<'a>> {
    let json = input.resource;
    // Counting costs a pass; only a long text can hold as many.
    let objects = || json.iter().filter(|b| **b == b'{').count();
    if json.len() / 2 > MAX_OBJECTS && objects() > MAX_OBJECTS {
        return None;
    }
    let sent_type = type_of(json)?;
    let json = version::to_r4(context.fhir_version, &sent_type, json)?;
    Some(Entry { sent_type, json, read_at: input.read_at })
}

/// The type of a resource. Nearly all servers send it first, and then the rest need not be looked at yet.
pub(crate) fn type_of(json: &[u8]) -> Option<Cow<'_, str>> {
    type_first(json).map(Cow::Borrowed).or_else(|| {
        shape! { Typed { resource_type: Option<Str<'a>> } }
        let typed: Typed<'_> = from_json(json)?;
        text(&typed.resource_type).map(|t| Cow::Owned(t.to_owned()))
    })
}

fn type_first(json: &[u8]) -> Option<&str> {
    let mut rest = json;
    for token in [&b"{"[..], b"\"resourceType\"", b":", b"\""] {
        rest = rest.trim_ascii_start().strip_prefix(token)?;
    }
    let end = rest.iter().position(|b| *b == b'"')?;
    let name = rest.get(..end)?;
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_alphabetic);
    std::str::from_utf8(name).ok().filter(|_| is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_wherever_it_stands() {
        let found = |json: &'static str| type_of(json.as_bytes()).map(Cow::into_owned);
        for json in [
            r#"{"resourceType":"Patient","id":"x"}"#,
            " {\n\t\"resourceType\" : \"Patient\"}",
            r#"{"id":"x","resourceType":"Patient"}"#,
            r#"{"resourceType":"Pati\u0065nt"}"#,
        ] {
            assert_eq!(found(json).as_deref(), Some("Patient"), "{json}");
        }
        for json in ["", "{", "[]", r#"{"resourceType":""}"#, r#"{"resourceType":7}"#, r#"{"id":"Patient"}"#]
        {
            assert_eq!(found(json), None, "{json}");
        }
    }
}
