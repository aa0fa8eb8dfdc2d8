//! A CapabilityStatement (or DSTU2's Conformance) read whole: what an EHR says that it does, in a form that can be compared.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::Deserialize;

use crate::{
    envelope::{Limits, text_of},
    scan::Fault,
};

/// Longest name that is kept: no interaction, parameter or type of FHIR comes near it.
const LONGEST: usize = 80;

/// What a statement says, as far as calls depend on it. No patient is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// `fhirVersion`, e.g. `4.0.1`.
    pub fhir_version: String,
    /// `software.name` and `software.version`.
    pub software: String,
    /// By resource type, as the statement spells it.
    pub types: BTreeMap<String, StatedType>,
    /// Names of operations of the whole server.
    pub operations: BTreeSet<String>,
}

/// What a statement says of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatedType {
    /// `read`, `search-type` …
    pub interactions: BTreeSet<String>,
    /// Names of search parameters.
    pub params: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Theirs<'a> {
    #[serde(borrow)]
    resource_type: Cow<'a, str>,
    #[serde(borrow)]
    fhir_version: Cow<'a, str>,
    #[serde(default, borrow)]
    software: Option<Software<'a>>,
    #[serde(default, borrow)]
    rest: Vec<Rest<'a>>,
}

#[derive(Deserialize)]
struct Software<'a> {
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Rest<'a> {
    #[serde(default, borrow)]
    mode: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    resource: Vec<Type<'a>>,
    #[serde(default, borrow)]
    operation: Vec<Named<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    interaction: Vec<Coded<'a>>,
    #[serde(default, borrow)]
    search_param: Vec<Named<'a>>,
}

#[derive(Deserialize)]
struct Coded<'a> {
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
}

/// Reads a statement.
///
/// # Errors
/// [`Fault`] when the body is none.
pub fn read(body: &[u8], limits: &Limits) -> Result<Statement, Fault> {
    let text = text_of(body, limits)?;
    let theirs: Theirs<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Fault::WrongShape("CapabilityStatement"),
        _ => Fault::NotJson,
    })?;
    if !matches!(theirs.resource_type.as_ref(), "CapabilityStatement" | "Conformance") {
        return Err(Fault::WrongShape("CapabilityStatement"));
    }
    let words = theirs.software.map(|software| [software.name, software.version]);
    let words: Vec<String> = words.into_iter().flatten().flatten().filter_map(kept).collect();
    let mut statement = Statement {
        fhir_version: kept(theirs.fhir_version).unwrap_or_default(),
        software: words.join(" "),
        ..Statement::default()
    };
    for rest in theirs.rest {
        if rest.mode.as_deref() == Some("client") {
            continue;
        }
        statement.operations.extend(rest.operation.into_iter().filter_map(|one| kept(one.name?)));
        for theirs in rest.resource {
            let Some(name) = kept(theirs.name) else { continue };
            let stated = statement.types.entry(name).or_default();
            stated.interactions.extend(theirs.interaction.into_iter().filter_map(|one| kept(one.code?)));
            stated.params.extend(theirs.search_param.into_iter().filter_map(|one| kept(one.name?)));
        }
    }
    Ok(statement)
}

fn kept(text: Cow<'_, str>) -> Option<String> {
    let is_plain = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    is_plain.then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_types_interactions_and_parameters_are_read_and_a_clients_part_is_not() {
        let body = br#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":"EHR","version":"9"},
          "rest":[{"mode":"server","operation":[{"name":"export"}],"resource":[
            {"type":"Condition","interaction":[{"code":"read"},{"code":"search-type"}],"searchParam":[{"name":"patient"}]},
            {"type":"Condition","interaction":[{"code":"vread"}]}]},
            {"mode":"client","resource":[{"type":"Task","interaction":[{"code":"create"}]}]}]}"#;
        let read = read(body, &Limits::default()).unwrap();
        assert_eq!((read.fhir_version.as_str(), read.software.as_str()), ("4.0.1", "EHR 9"));
        assert_eq!(read.types.keys().collect::<Vec<_>>(), ["Condition"]);
        let condition = &read.types["Condition"];
        assert_eq!(condition.interactions.iter().collect::<Vec<_>>(), ["read", "search-type", "vread"]);
        assert!(condition.params.contains("patient") && read.operations.contains("export"));
    }

    #[test]
    fn what_is_no_statement_is_a_fault() {
        for body in ["", "<html>", "[]", r#"{"resourceType":"Patient","fhirVersion":"4.0.1"}"#] {
            assert!(read(body.as_bytes(), &Limits::default()).is_err(), "{body}");
        }
    }
}
