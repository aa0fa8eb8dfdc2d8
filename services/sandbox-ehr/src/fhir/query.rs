//! A search request read: clauses, sorting, page size, includes — and what was ignored.

use http::HeaderMap;

use crate::profile::UnknownParameter;

use super::{
    date_range::{DateRange, Prefix},
    matching::{Asked, Clause, Modifier},
    outcome::Failure,
    params::{self, Param, Shape},
};

/// What becomes of parameters this server does not know (<https://hl7.org/fhir/R4/search.html#errors>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Strict,
    Lenient,
    /// Ignored without a word; the self link repeats them as if they had counted.
    Silent,
}

impl Handling {
    /// As the product has it for a type; where it leaves that to the client, as the client prefers, and
    /// strict where that says nothing, because silence widens results.
    pub(crate) fn of(rule: UnknownParameter, kind: &str, headers: &HeaderMap) -> Self {
        match rule {
            UnknownParameter::IgnoredExceptOf(kinds) if !kinds.contains(&kind) => return Self::Silent,
            UnknownParameter::IgnoredExceptOf(_) => return Self::Strict,
            UnknownParameter::Refused => {}
        }
        let lines = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        let mut wishes = lines.flat_map(|line| line.split([',', ';'])).map(str::trim);
        if wishes.any(|wish| wish.eq_ignore_ascii_case("handling=lenient")) {
            Self::Lenient
        } else {
            Self::Strict
        }
    }
}

/// How results are ordered by one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) param: &'static Param,
    pub(crate) is_descending: bool,
}

/// A search as understood.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) clauses: Vec<Clause>,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) count: Option<usize>,
    pub(crate) include: Vec<&'static Param>,
    pub(crate) is_count_only: bool,
    pub(crate) has_total: bool,
    /// The parameters that took effect, for the self link.
    pub(crate) applied: Vec<(String, String)>,
    /// Whether something was ignored.
    pub(crate) is_partial: bool,
}

impl Query {
    /// Reads the parameters of a search on a type.
    pub(crate) fn read(
        kind: &str,
        base: &str,
        given: Vec<(String, String)>,
        handling: Handling,
    ) -> Result<Self, Failure> {
        let mut query = Self {
            clauses: Vec::new(),
            sort: Vec::new(),
            count: None,
            include: Vec::new(),
            is_count_only: false,
            has_total: true,
            applied: Vec::new(),
            is_partial: false,
        };
        for (index, (name, value)) in given.into_iter().enumerate() {
            match query.take(kind, base, &name, &value) {
                Ok(true) => query.applied.push((name, value)),
                Ok(false) => {}
                Err(failure) if failure == Failure::UNKNOWN_PARAMETER => match handling {
                    Handling::Strict => return Err(failure.at(index)),
                    Handling::Lenient => query.is_partial = true,
                    Handling::Silent => query.applied.push((name, value)),
                },
                Err(failure) => return Err(failure.at(index)),
            }
        }
        Ok(query)
    }

    /// Takes one parameter in. False where it has no bearing on the results.
    fn take(&mut self, kind: &str, base: &str, name: &str, value: &str) -> Result<bool, Failure> {
        match name {
            "_format" | "_pretty" => return Ok(false),
            "_count" => self.count = Some(value.parse().ok().ok_or(Failure::BAD_VALUE)?),
            "_total" => {
                self.has_total = match value {
                    "none" => false,
                    "estimate" | "accurate" => true,
                    _ => return Err(Failure::BAD_VALUE),
                }
            }
            "_summary" => match value {
                "count" => self.is_count_only = true,
                "false" => {}
                _ => return Err(Failure::UNKNOWN_PARAMETER),
            },
            "_sort" => {
                for key in value.split(',') {
                    self.sort.push(sort_key(kind, key)?);
                }
            }
            "_include" => self.include.push(include(kind, value)?),
            // An empty value asks for nothing, as the standard has it.
            _ if value.is_empty() => return Ok(false),
            _ => self.clauses.push(clause(kind, base, name, value)?),
        }
        Ok(true)
    }
}

fn sort_key(kind: &str, key: &str) -> Result<SortKey, Failure> {
    let (is_descending, name) = key.strip_prefix('-').map_or((false, key), |name| (true, name));
    let param = params::find(kind, name).ok_or(Failure::UNKNOWN_PARAMETER)?;
    Ok(SortKey { param, is_descending })
}

fn include(kind: &str, value: &str) -> Result<&'static Param, Failure> {
    let mut parts = value.split(':');
    let (source, name) = (parts.next(), parts.next());
    let definition = params::definition(kind).ok_or(Failure::UNKNOWN_PARAMETER)?;
    let name = name.filter(|name| definition.includes.contains(name)).ok_or(Failure::UNKNOWN_PARAMETER)?;
    if source != Some(kind) {
        return Err(Failure::UNKNOWN_PARAMETER);
    }
    params::find(kind, name).ok_or(Failure::UNKNOWN_PARAMETER)
}

/// Reads one clause; used for the constraints of scopes too.
pub(crate) fn clause(kind: &str, base: &str, name: &str, value: &str) -> Result<Clause, Failure> {
    let (name, modifier) =
        name.split_once(':').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
    let param = params::find(kind, name).ok_or(Failure::UNKNOWN_PARAMETER)?;
    let mut only = None;
    let modifier = match (modifier, param.shape) {
        (None, _) => Modifier::None,
        (Some("missing"), _) => {
            let missing = value.parse().ok().ok_or(Failure::BAD_VALUE)?;
            return Ok(Clause { param, modifier: Modifier::Missing(missing), values: Vec::new() });
        }
        (Some("not"), Shape::Token) => Modifier::Not,
        (Some("exact"), Shape::Text) => Modifier::Exact,
        (Some("contains"), Shape::Text) => Modifier::Contains,
        (Some(target), Shape::Reference(fixed))
            if fixed.is_none_or(|fixed| fixed == target) && params::definition(target).is_some() =>
        {
            only = Some(target);
            Modifier::None
        }
        _ => return Err(Failure::BAD_MODIFIER),
    };
    let values =
        split(value, ',').iter().map(|one| asked(param, base, only, one)).collect::<Result<_, _>>()?;
    Ok(Clause { param, modifier, values })
}

fn asked(param: &Param, base: &str, only: Option<&str>, value: &str) -> Result<Asked, Failure> {
    match param.shape {
        Shape::Token => {
            let parts = split(value, '|');
            match parts.as_slice() {
                [code] if !code.is_empty() => Ok(Asked::Token { system: None, code: unescape(code) }),
                [system, code] if !(system.is_empty() && code.is_empty()) => {
                    Ok(Asked::Token { system: Some(unescape(system)), code: unescape(code) })
                }
                _ => Err(Failure::BAD_VALUE),
            }
        }
        Shape::Text if value.is_empty() => Err(Failure::BAD_VALUE),
        Shape::Text => Ok(Asked::Text(unescape(value))),
        Shape::Date => {
            // A `+` of a zone that was not encoded arrives as a space.
            let value = value.replace(' ', "+");
            let (prefix, date) = Prefix::split(&value);
            let range = DateRange::parse(date).ok_or(Failure::BAD_VALUE)?;
            Ok(Asked::Date { prefix, range })
        }
        Shape::Reference(fixed) => reference(base, only.or(fixed), value),
    }
}

fn reference(base: &str, only: Option<&str>, value: &str) -> Result<Asked, Failure> {
    let local = value.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(value);
    if local.contains("://") || local.starts_with("urn:") {
        return Ok(Asked::Elsewhere(value.to_owned()));
    }
    if crate::data::is_id(local) {
        return Ok(Asked::Reference { kind: only.map(str::to_owned), id: local.to_owned() });
    }
    match crate::data::target(local) {
        Some((kind, id)) if only.is_none_or(|only| only == kind) => {
            Ok(Asked::Reference { kind: Some(kind.to_owned()), id: id.to_owned() })
        }
        _ => Err(Failure::BAD_VALUE),
    }
}

/// Splits at a separator that is not escaped by a backslash; escapes stay in the parts.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for letter in text.chars() {
        if letter == separator && !is_escaped {
            parts.push(String::new());
            continue;
        }
        is_escaped = letter == '\\' && !is_escaped;
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://127.0.0.1:1/strict/general/fhir";

    fn read(kind: &str, given: &[(&str, &str)], handling: Handling) -> Result<Query, Failure> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query::read(kind, BASE, given, handling)
    }

    #[test]
    fn an_unknown_parameter_is_refused_when_strict_and_reported_when_lenient() {
        let given = [("patient", "p"), ("shoe-size", "44")];
        assert_eq!(
            read("Condition", &given, Handling::Strict).unwrap_err(),
            Failure::UNKNOWN_PARAMETER.at(1)
        );
        let query = read("Condition", &given, Handling::Lenient).unwrap();
        assert!(query.is_partial && query.clauses.len() == 1);
        assert_eq!(query.applied, [("patient".to_owned(), "p".to_owned())]);
    }

    #[test]
    fn a_wrong_modifier_or_value_is_refused_even_when_lenient() {
        for (name, value) in [
            ("code:below", "1"),
            ("date", "soon"),
            ("patient", "a b"),
            ("_count", "-1"),
            ("patient:Group", "1"),
            ("code", "a|b|c"),
        ] {
            assert!(read("Observation", &[(name, value)], Handling::Lenient).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn comma_means_or_and_can_be_escaped() {
        let query = read("Observation", &[("code", "http://loinc.org|1,2,a\\,b")], Handling::Strict).unwrap();
        let values = &query.clauses[0].values;
        assert_eq!(values.len(), 3);
        assert_eq!(
            values[0],
            Asked::Token { system: Some("http://loinc.org".to_owned()), code: "1".to_owned() }
        );
        assert_eq!(values[2], Asked::Token { system: None, code: "a,b".to_owned() });
    }

    #[test]
    fn references_to_this_server_are_the_same_in_each_form() {
        let whole = format!("{BASE}/Patient/p1");
        for form in ["p1", "Patient/p1", &whole] {
            let query = read("Condition", &[("patient", form)], Handling::Strict).unwrap();
            let wanted = Asked::Reference { kind: Some("Patient".to_owned()), id: "p1".to_owned() };
            assert_eq!(query.clauses[0].values, [wanted], "{form}");
        }
        let other =
            read("Condition", &[("patient", "http://other.example/Patient/p1")], Handling::Strict).unwrap();
        assert!(matches!(other.clauses[0].values[0], Asked::Elsewhere(_)));
    }

    #[test]
    fn an_include_must_be_one_of_the_type() {
        assert!(
            read("MedicationRequest", &[("_include", "MedicationRequest:medication")], Handling::Strict)
                .is_ok()
        );
        assert!(read("MedicationRequest", &[("_include", "Observation:patient")], Handling::Strict).is_err());
        assert!(read("MedicationRequest", &[("_include", "*")], Handling::Strict).is_err());
    }

    #[test]
    fn a_zone_whose_plus_became_a_space_is_still_read() {
        assert!(read("Observation", &[("date", "ge2024-01-01T00:00:00 01:00")], Handling::Strict).is_ok());
    }

    #[test]
    fn the_preference_is_found_among_others() {
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static("prefer"),
                http::HeaderValue::from_static(text),
            )])
        };
        let of = |headers: &HeaderMap| Handling::of(UnknownParameter::Refused, "Condition", headers);
        assert_eq!(of(&headers("return=minimal, handling=lenient")), Handling::Lenient);
        assert_eq!(of(&headers("handling=strict")), Handling::Strict);
        assert_eq!(of(&HeaderMap::new()), Handling::Strict);
        let rule = UnknownParameter::IgnoredExceptOf(&["Patient"]);
        assert_eq!(Handling::of(rule, "Condition", &headers("handling=strict")), Handling::Silent);
        assert_eq!(Handling::of(rule, "Patient", &headers("handling=lenient")), Handling::Strict);
    }
}
