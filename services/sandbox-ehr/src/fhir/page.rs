//! Pages: a searchset Bundle of the part of the matches that is due, with its links, includes and notices,
//! as the product writes them.

use std::borrow::Cow;
use std::collections::HashSet;

use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    Context, Params,
    access::Access,
    dialect, fault, link, matching, negotiate,
    outcome::{Failure, outcome},
    paging::{Cursors, Rest},
    scope::Interaction,
    search::Search,
};
use crate::faults::FhirFault;
use crate::profile::{FullUrl, Notice, PageSizes, PagingBug, Total};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'v> {
    resource_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
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
    resource: Cow<'v, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Mode>,
}

#[derive(Serialize)]
struct Mode {
    mode: &'static str,
}

/// One page of a search just carried out: the first, or the one with this number (from 1).
pub(crate) fn of_search(
    context: &Context,
    cursors: &Cursors,
    search: Search,
    number: usize,
) -> Result<Response, Failure> {
    let Search { kind, query, found } = search;
    let mut asked: Params = query.applied;
    dialect::params_out(context.profile, &context.base, &kind, &mut asked);
    let query_text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&asked).finish();
    let separator = if query_text.is_empty() { "" } else { "?" };
    let own = format!("{}/{kind}{separator}{query_text}", context.base);
    let size = size(&context.profile.search.sizes, &kind, query.count);
    // `_count=0` asks for the number alone (<https://hl7.org/fhir/R4/search.html#count>).
    let size = if query.is_count_only { 0 } else { size };
    let rest = Rest {
        base: context.base.clone(),
        kind,
        found: found.into(),
        asked,
        offset: size.saturating_mul(number.saturating_sub(1)),
        size,
        count: query.count,
        has_total: query.has_total,
        include: query.include,
    };
    let ignored = "search parameters that are not supported were ignored: see the self link";
    let notice = query.is_partial.then(|| outcome("warning", "not-supported", ignored, None));
    write(context, cursors, &rest, &own, notice)
}

/// A later page, by its cursor.
pub(crate) fn following(context: &Context, cursors: &Cursors, cursor: &str) -> Result<Response, Failure> {
    if context.has(FhirFault::PageExpired) {
        return Err(Failure::CURSOR_GONE);
    }
    let rest = cursors.find(&context.token, cursor, context.now_seconds)?;
    if rest.base != context.base {
        return Err(Failure::CURSOR_GONE);
    }
    let own = link::next(context, &rest, cursor);
    write(context, cursors, &rest, &own, None)
}

/// How many matches stand on a page of this type.
fn size(sizes: &PageSizes, kind: &str, count: Option<usize>) -> usize {
    if sizes.unpaged.contains(&kind) {
        return usize::MAX;
    }
    let own = sizes.by_type.iter().find(|(listed, _, _)| *listed == kind);
    let (usual, largest) = own.map_or((sizes.usual, sizes.largest), |(_, usual, largest)| (*usual, *largest));
    count.filter(|_| sizes.obeys_count).unwrap_or(usual).min(largest)
}

fn write(
    context: &Context,
    cursors: &Cursors,
    rest: &Rest,
    own: &str,
    notice: Option<Value>,
) -> Result<Response, Failure> {
    // Again on every page: a scope may have been withdrawn since the first.
    let access = Access::of(&context.token, &context.base, &rest.kind, Interaction::Search)
        .ok_or(Failure::NO_SCOPE)?;
    let rules = &context.profile.search;
    let is_planted = context.has(FhirFault::ForeignPatient);
    let repeated = usize::from(rules.bug == PagingBug::RepeatsLast && rest.offset > 0);
    let due = rest.found.iter().skip(rest.offset - repeated).take(rest.size.saturating_add(repeated));
    let mut matches: Vec<(&str, &Value)> = due
        .filter_map(|id| context.records.record(&rest.kind, id))
        .filter_map(|record| Some((record, record.current()?.as_ref())))
        .filter(|(record, body)| is_planted || access.allows(record, body))
        .map(|(record, body)| (record.id(), body))
        .collect();
    fault::spoil_page(context, &mut matches);
    let mut links = vec![Link { relation: "self", url: link::respelt(context, own.to_owned()) }];
    links.extend(next(context, cursors, rest, own).map(|url| Link { relation: "next", url }));
    let mut entry: Vec<Entry<'_>> =
        matches.iter().map(|(id, body)| stored(context, &rest.kind, id, body, "match")).collect();
    for (kind, id, body) in included(context, rest, &matches) {
        entry.push(stored(context, kind, id, body, "include"));
    }
    if rest.size > 0 {
        entry.extend(notices(context, &rest.kind, matches.is_empty()));
    }
    entry.extend(notice.map(|resource| remark(context, resource)));
    let id = rules.has_bundle_id.then(crate::digest::handle);
    let total = total(rules.total, rest, matches.len());
    let bundle = Bundle { resource_type: "Bundle", id, r#type: "searchset", total, link: links, entry };
    serde_json::to_string(&bundle)
        .map(|text| negotiate::resource(context.profile, text))
        .ok()
        .ok_or(Failure::UNPROCESSABLE)
}

/// The address of the next page, where there is one or a fault says so.
fn next(context: &Context, cursors: &Cursors, rest: &Rest, own: &str) -> Option<String> {
    if let Some(url) = fault::foreign_next(context, &rest.kind) {
        return Some(url);
    }
    if context.has(FhirFault::PageLoop) {
        return Some(link::respelt(context, own.to_owned()));
    }
    let reached = rest.offset.saturating_add(rest.size);
    let stops = match context.profile.search.bug {
        PagingBug::StopsAfter(matches) => reached >= matches,
        PagingBug::None | PagingBug::RepeatsLast => false,
    };
    if rest.size == 0 || reached >= rest.found.len() || stops || context.has(FhirFault::PageShort) {
        return None;
    }
    let offset = if context.has(FhirFault::PageStall) { rest.offset } else { reached };
    let following = Rest { offset, ..rest.clone() };
    let lifetime = context.profile.search.next_seconds;
    let cursor = cursors.keep(&context.token, following.clone(), context.now_seconds, lifetime);
    Some(link::respelt(context, link::next(context, &following, &cursor)))
}

fn total(style: Total, rest: &Rest, on_page: usize) -> Option<usize> {
    let exact = Some(rest.found.len()).filter(|_| rest.has_total);
    // Where the number alone is asked for, every product tells it.
    if rest.size == 0 {
        return exact;
    }
    match style {
        Total::Exact => exact,
        Total::Absent => None,
        Total::Page => Some(on_page),
        Total::EchoesCount => rest.count.or(exact),
    }
}

fn stored<'v>(context: &Context, kind: &str, id: &str, body: &'v Value, mode: &'static str) -> Entry<'v> {
    let rules = &context.profile.search;
    let id = dialect::id_out(context.profile, kind, id);
    let base = match rules.full_url {
        FullUrl::Own => context.base.clone(),
        FullUrl::OtherCase => context
            .base
            .strip_suffix("/fhir")
            .map_or_else(|| context.base.clone(), |root| format!("{root}/FHIR")),
        FullUrl::OtherHost(host) => {
            let path = context.base.splitn(4, '/').nth(3).unwrap_or_default();
            format!("{host}/{path}")
        }
    };
    let search = rules.has_modes.then_some(Mode { mode });
    Entry { full_url: Some(format!("{base}/{kind}/{id}")), resource: dialect::served(context, body), search }
}

/// The product's own remarks on a result.
fn notices<'v>(context: &Context, kind: &str, is_empty: bool) -> Vec<Entry<'v>> {
    let rules = &context.profile.search;
    let due: Vec<&Notice> = match (&rules.empty_notice, is_empty) {
        (Some(notice), true) => vec![notice],
        _ => {
            let fits = |of: &Option<&str>| of.is_none_or(|of| of == kind);
            rules.notices.iter().filter(|(of, _)| fits(of)).map(|(_, notice)| notice).collect()
        }
    };
    let write = |notice: &Notice| {
        let (system, code) = notice.coding;
        let details = json!({"coding": [{"system": system, "code": code, "display": notice.text}], "text": notice.text});
        json!({"resourceType": "OperationOutcome",
            "issue": [{"severity": notice.severity, "code": notice.code, "details": details}]})
    };
    due.into_iter().map(|notice| remark(context, write(notice))).collect()
}

fn remark<'v>(context: &Context, resource: Value) -> Entry<'v> {
    let search = context.profile.search.has_modes.then_some(Mode { mode: "outcome" });
    Entry { full_url: None, resource: Cow::Owned(resource), search }
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
