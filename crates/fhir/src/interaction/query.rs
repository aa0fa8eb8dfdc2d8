//! Search parameters: query and form decoded once, names held against the type's table, values bounded.

use percent_encoding::percent_decode_str;
use sallyport_model::Code;

use super::{Param, Rejection};
use crate::{
    params::{Control, Kind, Modifier, TypeRule},
    types::ResourceType,
};

/// Longest value of one parameter, decoded: room for about a hundred codes with their systems.
const MAX_VALUE: usize = 8_000;
/// Most parameters in one search.
const MAX_PARAMS: usize = 64;
/// Largest page that is asked of an EHR; a larger `_count` is lowered to it.
const MAX_COUNT: u32 = 500;

/// For interactions that take no parameters: `_format` may say JSON and `_pretty` is ignored.
pub(super) fn only_format(query: Option<&str>) -> Result<(), Rejection> {
    for (name, value) in decoded(query.unwrap_or_default())? {
        if !is_format(&name, &value)? {
            return Err(Rejection::new(Code::ParameterDenied, "this interaction takes no parameters"));
        }
    }
    Ok(())
}

/// The parameters of a search, from query and form together (FHIR R4 §3.1.1.1: both may be given at once).
pub(super) fn search_params(
    rule: &TypeRule,
    query: Option<&str>,
    form: Option<&str>,
) -> Result<Vec<Param>, Rejection> {
    let mut params: Vec<Param> = Vec::new();
    let mut pairs = decoded(query.unwrap_or_default())?;
    pairs.extend(decoded(form.unwrap_or_default())?);
    for (name, value) in pairs {
        if is_format(&name, &value)? {
            continue;
        }
        let param = checked(rule, &name, value)?;
        let only_once =
            Control::parse(param.name).is_some() || rule.names_patient(param.name) || param.name == "_id";
        if only_once && params.iter().any(|p| p.name == param.name) {
            return Err(Rejection::new(
                Code::ParameterInvalid,
                "a parameter that may stand once is repeated",
            ));
        }
        if params.len() >= MAX_PARAMS {
            return Err(Rejection::new(Code::ParameterInvalid, "there are too many parameters"));
        }
        params.push(param);
    }
    Ok(params)
}

fn is_format(name: &str, value: &str) -> Result<bool, Rejection> {
    match name {
        "_pretty" => Ok(true),
        "_format" => match value {
            "json" | "application/json" | "application/fhir+json" | "text/json" => Ok(true),
            _ => Err(Rejection::new(Code::MediaTypeUnsupported, "_format asks for something else than JSON")),
        },
        _ => Ok(false),
    }
}

fn checked(rule: &TypeRule, name: &str, value: String) -> Result<Param, Rejection> {
    let denied = |what| Rejection::new(Code::ParameterDenied, what);
    let invalid = |what| Rejection::new(Code::ParameterInvalid, what);
    if value.is_empty() {
        return Err(invalid("a parameter has no value"));
    }
    if value.len() > MAX_VALUE {
        return Err(invalid("a parameter's value is too long"));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid("a parameter's value holds a control character"));
    }
    if name.contains('.') {
        return Err(denied("chained parameters are not available"));
    }
    let (base, modifier) = match name.split_once(':') {
        None => (name, None),
        Some((base, modifier)) => (base, Some(modifier)),
    };
    if let Some((control, name)) = Control::parse(base) {
        if modifier.is_some() {
            return Err(denied("this parameter takes no modifier"));
        }
        return Ok(Param { name, modifier: None, value: control_value(rule, control, value)? });
    }
    let (name, kind) = rule.param(base).ok_or(denied("the parameter is not on the type's list"))?;
    let modifier = match modifier {
        None => None,
        Some(_) if rule.names_patient(name) => {
            return Err(denied("a parameter that names the patient takes no modifier"));
        }
        Some(text) => Some(Modifier::parse(text, kind).ok_or(denied("the modifier is not available"))?),
    };
    if modifier == Some(Modifier::Missing) {
        if !matches!(value.as_str(), "true" | "false") {
            return Err(invalid(":missing takes true or false"));
        }
    } else if !fits(kind, &value) {
        return Err(invalid("the value does not fit the parameter"));
    }
    Ok(Param { name, modifier, value })
}

/// Whether a value is of its kind; every member of an "or" list must be, and an empty member never is.
fn fits(kind: Kind, value: &str) -> bool {
    value.split(',').all(|one| {
        !one.is_empty()
            && match kind {
                Kind::Date => is_date(one),
                Kind::Reference => one.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:#|%".contains(&b)),
                Kind::Token | Kind::Text | Kind::Quantity | Kind::Uri => true,
            }
    })
}

/// A comparison prefix and as much of a date and time as was given (FHIR R4 §3.1.1.4.7).
fn is_date(text: &str) -> bool {
    let prefixed =
        ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"].iter().find_map(|p| text.strip_prefix(p));
    let date = prefixed.unwrap_or(text);
    date.len() >= 4
        && date.bytes().take(4).all(|b| b.is_ascii_digit())
        && date.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'T' | b':' | b'.' | b'+' | b'Z'))
}

fn control_value(rule: &TypeRule, control: Control, value: String) -> Result<String, Rejection> {
    let invalid = |what| Rejection::new(Code::ParameterInvalid, what);
    match control {
        Control::Count => {
            let count: u32 = value.parse().map_err(|_not_a_number| invalid("_count takes a number"))?;
            Ok(count.min(MAX_COUNT).to_string())
        }
        Control::Sort => {
            let known = |one: &str| rule.param(one.strip_prefix('-').unwrap_or(one)).is_some();
            if value.split(',').all(known) {
                Ok(value)
            } else {
                Err(invalid("_sort names a parameter that is not on the type's list"))
            }
        }
        Control::Summary if matches!(value.as_str(), "true" | "false" | "count" | "data" | "text") => {
            Ok(value)
        }
        Control::Total if matches!(value.as_str(), "none" | "estimate" | "accurate") => Ok(value),
        Control::Elements => {
            let is_element = |one: &str| !one.is_empty() && one.bytes().all(|b| b.is_ascii_alphanumeric());
            if !value.split(',').all(is_element) {
                return Err(invalid("_elements takes element names of the type"));
            }
            Ok(with_owner_elements(rule, value))
        }
        Control::Summary | Control::Total => Err(invalid("the value is not one of those that exist")),
    }
}

/// Adds what the check on the way out reads; without it every resource would have to be withheld.
fn with_owner_elements(rule: &TypeRule, mut value: String) -> String {
    for element in rule.owner_elements() {
        if !value.split(',').any(|have| have == element) {
            value.push(',');
            value.push_str(element);
        }
    }
    if rule.resource_type == ResourceType::Patient && !value.split(',').any(|have| have == "id") {
        value.push_str(",id");
    }
    value
}

/// Name and value pairs, percent-decoded exactly once. `+` is a space, as in every HTML form.
fn decoded(text: &str) -> Result<Vec<(String, String)>, Rejection> {
    let mut pairs = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, Rejection> {
    let invalid = |what| Rejection::new(Code::ParameterInvalid, what);
    if !has_whole_escapes(text) {
        return Err(invalid("a percent sign is not followed by two hex digits"));
    }
    let spaced = text.replace('+', " ");
    let decoded =
        percent_decode_str(&spaced).decode_utf8().map_err(|_bytes| invalid("a parameter is not UTF-8"))?;
    Ok(decoded.into_owned())
}

fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        digits.next().is_some_and(|b| b.is_ascii_hexdigit())
            && digits.next().is_some_and(|b| b.is_ascii_hexdigit())
    })
}
