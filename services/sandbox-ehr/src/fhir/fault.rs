//! Faults of content, on demand: an answer that holds what it must not.

use serde_json::Value;

use super::Context;
use crate::{data::Record, faults::FhirFault};

/// Adds a resource of another patient to the matches of a search.
pub(crate) fn foreign_match(context: &Context, kind: &str, found: &mut Vec<String>) {
    if !context.has(FhirFault::ForeignPatient) {
        return;
    }
    let first = found.first().and_then(|id| context.records.record(kind, id));
    let own = context
        .token
        .patient
        .as_deref()
        .or_else(|| first.and_then(|r| r.patients().first()).map(String::as_str));
    if let Some(foreign) = foreign(context, kind, own) {
        // Second, not last: it lies on the first page and does not look like an error.
        found.insert(found.len().min(1), foreign.id().to_owned());
    }
}

/// Another patient's resource of the same type, to be read instead of the one asked for.
pub(crate) fn foreign_record<'r>(context: &'r Context, kind: &str, asked: &Record) -> Option<&'r Record> {
    if !context.has(FhirFault::ForeignPatient) {
        return None;
    }
    foreign(context, kind, asked.patients().first().map(String::as_str))
}

fn foreign<'r>(context: &'r Context, kind: &str, own: Option<&str>) -> Option<&'r Record> {
    let is_foreign = |record: &&Record| {
        !record.patients().is_empty()
            && own.is_none_or(|own| record.patients().iter().all(|patient| patient != own))
    };
    context.records.all(kind).find(is_foreign)
}

/// The address of the next page, on a host that is none of ours.
pub(crate) fn foreign_next(context: &Context, kind: &str) -> Option<String> {
    let parameter = super::link::parameter(context.profile.search.next);
    context
        .has(FhirFault::ForeignNext)
        .then(|| format!("https://pages.elsewhere.example/fhir/{kind}?{parameter}=1"))
}

/// Leaves out the second half of a page, or tells its first match twice.
pub(crate) fn spoil_page<'v>(context: &Context, matches: &mut Vec<(&'v str, &'v Value)>) {
    if context.has(FhirFault::PageShort) {
        matches.truncate(matches.len().div_ceil(2));
    }
    if context.has(FhirFault::PageDuplicate) {
        matches.extend(matches.first().copied());
    }
}
