//! Pages: a searchset Bundle of the part of the matches that is due, with its links and includes.

use std::collections::HashSet;

use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded;

use super::{
    Context,
    access::Access,
    fault, matching, negotiate,
    outcome::{Failure, outcome},
    paging::{Cursors, PARAMETER, Rest},
    scope::Interaction,
    search::Search,
};
use crate::faults::FhirFault;

/// Matches on a page where the client does not say.
const USUAL_SIZE: usize = 50;
/// Matches on a page whatever the client says.
const LARGEST_SIZE: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'v> {
    resource_type: &'static str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    link: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Entry<'v>>,
}

#[derive(Serialize)]
struct Link {
    relation: &'static str,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'v> {
    #[serde(skip_serializing_if = "Option::is_none")]
    full_url: Option<String>,
    resource: &'v Value,
    search: Mode,
}

#[derive(Serialize)]
struct Mode {
    mode: &'static str,
}

/// The first page of a search.
pub(crate) fn first(context: &Context, cursors: &Cursors, search: Search) -> Result<Response, Failure> {
    let Search { kind, query, found } = search;
    let asked = form_urlencoded::Serializer::new(String::new()).extend_pairs(&query.applied).finish();
    let separator = if asked.is_empty() { "" } else { "?" };
    let own = format!("{}/{kind}{separator}{asked}", context.base);
    let size = query.count.unwrap_or(USUAL_SIZE).min(LARGEST_SIZE);
    // `_count=0` asks for the number alone (<https://hl7.org/fhir/R4/search.html#count>).
    let size = if query.is_count_only { 0 } else { size };
    let rest = Rest {
        kind,
        found: found.into(),
        offset: 0,
        size,
        has_total: query.has_total,
        include: query.include,
    };
    let notice = query.is_partial.then(|| {
        outcome(
            "warning",
            "not-supported",
            "search parameters that are not supported were ignored: see the self link",
            None,
        )
    });
    write(context, cursors, &rest, own, notice.as_ref())
}

/// A later page, by its cursor.
pub(crate) fn following(context: &Context, cursors: &Cursors, cursor: &str) -> Result<Response, Failure> {
    let rest = cursors.find(&context.token, cursor, context.now_seconds)?;
    let own = address(context, &rest.kind, cursor);
    write(context, cursors, &rest, own, None)
}

fn address(context: &Context, kind: &str, cursor: &str) -> String {
    format!("{}/{kind}?{PARAMETER}={cursor}", context.base)
}

fn write(
    context: &Context,
    cursors: &Cursors,
    rest: &Rest,
    own: String,
    notice: Option<&Value>,
) -> Result<Response, Failure> {
    // Again on every page: a scope may have been withdrawn since the first.
    let access = Access::of(&context.token, &context.base, &rest.kind, Interaction::Search)
        .ok_or(Failure::NO_SCOPE)?;
    let is_planted = context.fault == Some(FhirFault::ForeignPatient);
    let due = rest.found.iter().skip(rest.offset).take(rest.size);
    let matches: Vec<(&str, &Value)> = due
        .filter_map(|id| context.records.record(&rest.kind, id))
        .filter_map(|record| Some((record, record.current()?.as_ref())))
        .filter(|(record, body)| is_planted || access.allows(record, body))
        .map(|(record, body)| (record.id(), body))
        .collect();
    let mut link = vec![Link { relation: "self", url: own }];
    let reached = rest.offset + rest.size;
    if let Some(url) = fault::foreign_next(context, &rest.kind) {
        link.push(Link { relation: "next", url });
    } else if rest.size > 0 && reached < rest.found.len() {
        let next = Rest { offset: reached, ..rest.clone() };
        let cursor = cursors.keep(&context.token, next, context.now_seconds);
        link.push(Link { relation: "next", url: address(context, &rest.kind, &cursor) });
    }
    let mut entry: Vec<Entry<'_>> =
        matches.iter().map(|(id, body)| stored(context, &rest.kind, id, body, "match")).collect();
    for (kind, id, body) in included(context, rest, &matches) {
        entry.push(stored(context, kind, id, body, "include"));
    }
    entry.extend(notice.map(|resource| Entry { full_url: None, resource, search: Mode { mode: "outcome" } }));
    let total = rest.has_total.then_some(rest.found.len());
    let bundle = Bundle { resource_type: "Bundle", r#type: "searchset", total, link, entry };
    serde_json::to_string(&bundle).map(negotiate::resource).ok().ok_or(Failure::UNPROCESSABLE)
}

fn stored<'v>(context: &Context, kind: &str, id: &str, resource: &'v Value, mode: &'static str) -> Entry<'v> {
    Entry { full_url: Some(format!("{}/{kind}/{id}", context.base)), resource, search: Mode { mode } }
}

/// The resources the matches refer to by the parameters asked for, each once, as far as they may be read.
fn included<'c>(
    context: &'c Context,
    rest: &Rest,
    matches: &[(&'c str, &'c Value)],
) -> Vec<(&'c str, &'c str, &'c Value)> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (_, body) in matches {
        for param in &rest.include {
            for value in matching::values(body, param) {
                let Some((kind, id)) = matching::reference(value) else { continue };
                if !seen.insert((kind, id)) {
                    continue;
                }
                let Some(record) = context.records.record(kind, id) else { continue };
                let Some(target) = record.current() else { continue };
                let access = Access::of(&context.token, &context.base, kind, Interaction::Read);
                if access.is_some_and(|access| access.allows(record, target)) {
                    found.push((kind, id, target.as_ref()));
                }
            }
        }
    }
    found
}
