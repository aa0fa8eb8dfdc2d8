//! Search: which resources match, in which order.

use std::{cmp::Ordering, sync::Arc};

use serde_json::Value;

use super::{
    Context, Params,
    access::Access,
    date_range::DateRange,
    dialect, fault,
    matching::{self, Asked, Clause, Modifier, fold},
    outcome::Failure,
    params::{self, Shape},
    query::{Handling, Query, SortKey},
    scope::Interaction,
};
use crate::data::{Record, Records};
use crate::profile::Required;

/// A search carried out: all its matches, before they are cut into pages.
pub(crate) struct Search {
    pub(crate) kind: String,
    pub(crate) query: Query,
    /// Ids of the matches in order.
    pub(crate) found: Vec<String>,
}

impl Search {
    /// Reads, authorises and carries out a search.
    pub(crate) fn of(
        context: &Context,
        kind: &str,
        params: Params,
        handling: Handling,
    ) -> Result<Self, Failure> {
        if kind == "Binary" || !is_known(&context.records, kind) {
            return Err(Failure::NO_SUCH_ADDRESS);
        }
        let rules = &context.profile.search;
        let access =
            Access::of(&context.token, &context.base, kind, Interaction::Search).ok_or(Failure::NO_SCOPE)?;
        if rules.denied_types.contains(&kind) {
            return Err(Failure::DENIED_TYPE);
        }
        demand(rules.required, kind, &params)?;
        let mut params = params;
        dialect::params_in(context.profile, &context.base, kind, &mut params);
        let query = Query::read(kind, &context.base, params, handling)?;
        if let Some(only) = access.only_patient()
            && query.clauses.iter().any(|clause| is_about_others(kind, clause, only))
        {
            return Err(Failure::OTHER_PATIENT);
        }
        let now_micros = context.now_seconds.saturating_mul(1_000_000);
        let mut matches: Vec<(&str, &Arc<Value>)> = candidates(context, kind, &query, &access)
            .filter_map(|record| Some((record.id(), record, record.current()?)))
            .filter(|(_, record, body)| access.allows(record, body))
            .filter(|(_, _, body)| !is_hidden(rules.hidden_categories, kind, body))
            .filter(|(_, _, body)| query.clauses.iter().all(|clause| clause.holds(body, now_micros)))
            .map(|(id, _, body)| (id, body))
            .collect();
        if !query.sort.is_empty() {
            matches.sort_by(|(_, a), (_, b)| compare(a, b, &query.sort));
        }
        let mut found: Vec<String> = matches.into_iter().map(|(id, _)| id.to_owned()).collect();
        fault::foreign_match(context, kind, &mut found);
        Ok(Self { kind: kind.to_owned(), query, found })
    }
}

/// Refuses a search without the parameters that the product wants.
fn demand(rules: &'static [Required], kind: &str, params: &Params) -> Result<(), Failure> {
    let is_given = |wanted: &str| params.iter().any(|(name, _)| name.split(':').next() == Some(wanted));
    for rule in rules.iter().filter(|rule| rule.kind == kind) {
        if !rule.any_of.iter().any(|group| group.iter().all(|wanted| is_given(wanted))) {
            return Err(Failure::of_row(&rule.else_answer));
        }
    }
    Ok(())
}

/// Whether a resource is of a category that the product keeps to itself.
fn is_hidden(hidden: &[(&str, &str)], kind: &str, body: &Value) -> bool {
    let mut of_kind = hidden.iter().filter(|(listed, _)| *listed == kind);
    of_kind.any(|(_, code)| matching::has_code(body.get("category"), code))
}

/// Whether the server has this type, by name or by import.
pub(crate) fn is_known(records: &Records, kind: &str) -> bool {
    params::definition(kind).is_some() || records.kinds().any(|known| known == kind)
}

/// The records worth looking at: one patient's where that is all there can be.
fn candidates<'r>(
    context: &'r Context,
    kind: &str,
    query: &Query,
    access: &Access,
) -> Box<dyn Iterator<Item = &'r Record> + 'r> {
    let named = query.clauses.iter().find_map(|clause| {
        match (clause.param.name, clause.modifier, clause.values.as_slice()) {
            ("patient", Modifier::None, [Asked::Reference { id, .. }]) => Some(id.as_str()),
            _ => None,
        }
    });
    match access.only_patient().or(named) {
        Some(patient) => Box::new(context.records.of_patient(kind, patient)),
        None => Box::new(context.records.all(kind)),
    }
}

/// Whether a clause asks for nobody but other patients than the one the token is bound to.
fn is_about_others(kind: &str, clause: &Clause, only: &str) -> bool {
    if clause.modifier != Modifier::None || clause.values.is_empty() {
        return false;
    }
    clause.values.iter().all(|asked| match asked {
        Asked::Reference { kind: target, id } => target.as_deref() == Some("Patient") && id != only,
        Asked::Token { code, .. } => kind == "Patient" && clause.param.name == "_id" && code != only,
        Asked::Elsewhere(_) => clause.param.name == "patient",
        Asked::Date { .. } | Asked::Text(_) => false,
    })
}

fn compare(a: &Value, b: &Value, keys: &[SortKey]) -> Ordering {
    let orders = keys.iter().map(|key| {
        let (a, b) = (sort_value(a, key), sort_value(b, key));
        match (a, b) {
            // What has no value comes last in both directions.
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) if key.is_descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
        }
    });
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortValue {
    Date(DateRange),
    Text(String),
}

/// The value to sort by: of several the smallest, or the largest when descending.
fn sort_value(body: &Value, key: &SortKey) -> Option<SortValue> {
    let values = matching::values(body, key.param);
    let values = values.into_iter().filter_map(|value| match key.param.shape {
        Shape::Date => matching::span(value).map(SortValue::Date),
        Shape::Text | Shape::Token | Shape::Reference(_) => {
            text(value).map(|text| SortValue::Text(fold(&text)))
        }
    });
    if key.is_descending { values.max() } else { values.min() }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Object(members) => {
            if let (Some(family), given) = (members.get("family"), members.get("given")) {
                let given = given.and_then(|given| given.get(0)).and_then(Value::as_str).unwrap_or_default();
                return family.as_str().map(|family| format!("{family} {given}"));
            }
            let first =
                ["text", "display", "code", "value", "reference"].iter().find_map(|name| members.get(*name));
            let coding = || members.get("coding").and_then(|all| all.get(0)).and_then(|one| one.get("code"));
            first.or_else(coding).and_then(Value::as_str).map(str::to_owned)
        }
        Value::Null | Value::Number(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests;
