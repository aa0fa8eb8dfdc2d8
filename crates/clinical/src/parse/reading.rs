//! One pass over a section's inputs: what each is, each read once, what could not be read noted.

use std::collections::HashSet;

use serde::Deserialize;

use super::{
    Source,
    datatypes::{Head, from_json},
    primitives::text,
};
use crate::{Context, Input, ReadProblem};

/// The inputs of a section while it is being made.
pub(crate) struct Reading<'a> {
    /// About whom and where.
    pub(crate) context: Context<'a>,
    entries: Vec<Entry<'a>>,
    problems: Vec<ReadProblem>,
}

struct Entry<'a> {
    head: Head<'a>,
    json: &'a [u8],
    read_at: i64,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(context: &Context<'a>, inputs: &[Input<'a>], mut problems: Vec<ReadProblem>) -> Self {
        let mut entries = Vec::with_capacity(inputs.len());
        for input in inputs {
            match from_json::<Head<'a>>(input.resource) {
                Some(head) if text(&head.resource_type).is_some() => {
                    entries.push(Entry { head, json: input.resource, read_at: input.read_at });
                }
                _ => problems.push(ReadProblem::unreadable(None, None)),
            }
        }
        Self { context: *context, entries, problems }
    }

    /// Every resource of that type, each `Type/id` once (pages overlap when the EHR's data moves under a search).
    pub(crate) fn take<R: Deserialize<'a>>(&mut self, resource_type: &'static str) -> Vec<(Source, R)> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for entry in &self.entries {
            if text(&entry.head.resource_type) != Some(resource_type) {
                continue;
            }
            let source = Source::new(resource_type, &entry.head, entry.read_at);
            let Some(source) = source else {
                self.problems.push(ReadProblem::unreadable(Some(resource_type), None));
                continue;
            };
            if !seen.insert(source.reference()) {
                continue;
            }
            match from_json::<R>(entry.json) {
                Some(resource) => found.push((source, resource)),
                None => {
                    let reference = source.reference().as_ref().to_owned();
                    self.problems.push(ReadProblem::unreadable(Some(resource_type), Some(reference)));
                }
            }
        }
        found
    }

    pub(crate) fn into_problems(self) -> Vec<ReadProblem> {
        self.problems
    }
}
