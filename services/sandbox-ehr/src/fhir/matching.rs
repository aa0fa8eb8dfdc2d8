//! Whether a resource meets one search clause.

use serde_json::Value;

use super::{
    date_range::{DateRange, Prefix},
    params::{Param, Shape},
};

/// One parameter of a search: it holds when any of its values does (all of them for `:not`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) param: &'static Param,
    pub(crate) modifier: Modifier,
    pub(crate) values: Vec<Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modifier {
    None,
    Not,
    Exact,
    Contains,
    Missing(bool),
}

/// One value asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `None` as system: any; an empty one: none at all. An empty code: any of the system.
    Token {
        system: Option<String>,
        code: String,
    },
    Reference {
        kind: Option<String>,
        id: String,
    },
    /// A reference to somewhere else, compared as it is.
    Elsewhere(String),
    Date {
        prefix: Prefix,
        range: DateRange,
    },
    Text(String),
}

impl Clause {
    /// Whether the resource meets the clause.
    pub(crate) fn holds(&self, body: &Value, now_micros: i64) -> bool {
        let present = || values(body, self.param);
        match self.modifier {
            Modifier::Missing(missing) => present().is_empty() == missing,
            Modifier::Not => !self.any(body, now_micros),
            Modifier::None | Modifier::Exact | Modifier::Contains => self.any(body, now_micros),
        }
    }

    fn any(&self, body: &Value, now_micros: i64) -> bool {
        let found = values(body, self.param);
        self.values.iter().any(|asked| found.iter().any(|value| self.meets(value, asked, now_micros)))
    }

    fn meets(&self, value: &Value, asked: &Asked, now_micros: i64) -> bool {
        match asked {
            Asked::Token { system, code } => is_token(value, system.as_deref(), code),
            Asked::Reference { kind, id } => reference(value)
                .is_some_and(|(is, at)| at == id && kind.as_deref().is_none_or(|kind| kind == is)),
            Asked::Elsewhere(url) => value.get("reference").and_then(Value::as_str) == Some(url),
            Asked::Date { prefix, range } => {
                span(value).is_some_and(|is| is.fits(*prefix, *range, now_micros))
            }
            Asked::Text(text) => is_text(value, text, self.modifier),
        }
    }
}

/// The values of a parameter in a resource.
pub(crate) fn values<'v>(body: &'v Value, param: &Param) -> Vec<&'v Value> {
    let mut found = Vec::new();
    for path in param.paths {
        let steps: Vec<&str> = path.split('.').collect();
        walk(body, &steps, &mut found);
    }
    if let Shape::Reference(Some(kind)) = param.shape {
        found.retain(|value| reference(value).is_none_or(|(is, _)| is == kind));
    }
    found
}

fn walk<'v>(value: &'v Value, path: &[&str], found: &mut Vec<&'v Value>) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| walk(item, path, found)),
        (_, None) => found.push(value),
        (_, Some((step, rest))) => {
            if let Some(inner) = value.get(step) {
                walk(inner, rest, found);
            }
        }
    }
}

/// Whether a list of concepts holds a code, of whichever system.
pub(crate) fn has_code(concepts: Option<&Value>, code: &str) -> bool {
    let concepts = concepts.and_then(Value::as_array).into_iter().flatten();
    let codings = concepts.filter_map(|concept| concept.get("coding")?.as_array()).flatten();
    codings.into_iter().any(|coding| coding.get("code").and_then(Value::as_str) == Some(code))
}

/// Type and id a Reference points at.
pub(crate) fn reference(value: &Value) -> Option<(&str, &str)> {
    value.get("reference").and_then(Value::as_str).and_then(crate::data::target)
}

fn is_token(value: &Value, system: Option<&str>, code: &str) -> bool {
    let (found_system, found_code) = match value {
        Value::String(text) => return !text.is_empty() && text == code,
        Value::Bool(flag) => return code == if *flag { "true" } else { "false" },
        Value::Object(members) => {
            if let Some(codings) = members.get("coding").and_then(Value::as_array) {
                return codings.iter().any(|coding| is_token(coding, system, code));
            }
            // A Coding has a code; an Identifier or ContactPoint has a value.
            let code = members.get("code").or_else(|| members.get("value"));
            (members.get("system").and_then(Value::as_str), code.and_then(Value::as_str))
        }
        Value::Null | Value::Number(_) | Value::Array(_) => return false,
    };
    let system_fits = match system {
        None => true,
        Some("") => found_system.is_none(),
        Some(asked) => found_system == Some(asked),
    };
    system_fits
        && (if code.is_empty() { system.is_some_and(|s| !s.is_empty()) } else { found_code == Some(code) })
}

/// The span of a date, dateTime, instant or Period.
pub(crate) fn span(value: &Value) -> Option<DateRange> {
    match value {
        Value::String(text) => DateRange::parse(text),
        Value::Object(members) => {
            let part = |name: &str| members.get(name).and_then(Value::as_str);
            let (start, end) = (part("start"), part("end"));
            if start.is_none() && end.is_none() {
                return None;
            }
            Some(DateRange::between(start.and_then(DateRange::parse), end.and_then(DateRange::parse)))
        }
        _ => None,
    }
}

fn is_text(value: &Value, asked: &str, modifier: Modifier) -> bool {
    match value {
        Value::String(text) => match modifier {
            Modifier::Exact => text == asked,
            Modifier::Contains => fold(text).contains(&fold(asked)),
            _ => {
                let (text, asked) = (fold(text), fold(asked));
                // The start of the field, or of a word in it: "van der Berg" is found by "berg".
                text.starts_with(&asked) || text.split_whitespace().any(|word| word.starts_with(&asked))
            }
        },
        Value::Array(items) => items.iter().any(|item| is_text(item, asked, modifier)),
        Value::Object(members) => {
            // Of names and addresses every textual part counts, but not `use`, `type` or `period`.
            let parts = [
                "text",
                "family",
                "given",
                "prefix",
                "suffix",
                "line",
                "city",
                "district",
                "state",
                "postalCode",
                "country",
            ];
            parts.iter().filter_map(|part| members.get(*part)).any(|part| is_text(part, asked, modifier))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Lower case without the accents of Latin script: search ignores both.
pub(crate) fn fold(text: &str) -> String {
    let plain = |c: char| match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' => 'o',
        'ù'..='ü' | 'ū' | 'ů' => 'u',
        'ý' | 'ÿ' => 'y',
        'š' | 'ś' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        'ł' => 'l',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fhir::params;

    fn holds(kind: &str, name: &str, modifier: Modifier, asked: Asked, body: &Value) -> bool {
        let param = params::find(kind, name).unwrap();
        Clause { param, modifier, values: vec![asked] }.holds(body, 0)
    }

    fn token(system: Option<&str>, code: &str) -> Asked {
        Asked::Token { system: system.map(str::to_owned), code: code.to_owned() }
    }

    #[test]
    fn tokens_are_compared_by_system_and_code_in_each_form() {
        let body =
            json!({"code": {"coding": [{"system": "s", "code": "a"}, {"code": "b"}]}, "status": "final"});
        let code = |asked| holds("Observation", "code", Modifier::None, asked, &body);
        assert!(code(token(None, "a")) && code(token(Some("s"), "a")) && code(token(Some("s"), "")));
        assert!(code(token(Some(""), "b")));
        assert!(!code(token(Some("t"), "a")) && !code(token(Some(""), "a")) && !code(token(None, "")));
        assert!(!code(token(None, "A")), "codes are compared exactly");
        assert!(holds("Observation", "status", Modifier::None, token(None, "final"), &body));
        assert!(holds("Observation", "status", Modifier::Not, token(None, "amended"), &body));
        assert!(!holds("Observation", "status", Modifier::Not, token(None, "final"), &body));
    }

    #[test]
    fn identifiers_and_flags_are_tokens_too() {
        let body = json!({"identifier": [{"system": "m", "value": "7"}], "active": true});
        assert!(holds("Patient", "identifier", Modifier::None, token(Some("m"), "7"), &body));
        assert!(!holds("Patient", "identifier", Modifier::None, token(Some("n"), "7"), &body));
        assert!(holds("Patient", "active", Modifier::None, token(None, "true"), &body));
    }

    #[test]
    fn a_patient_is_not_found_in_a_subject_of_another_type() {
        let asked = || Asked::Reference { kind: None, id: "1".to_owned() };
        let of = |reference: &str| json!({"subject": {"reference": reference}});
        assert!(holds("Observation", "patient", Modifier::None, asked(), &of("Patient/1")));
        assert!(holds(
            "Observation",
            "patient",
            Modifier::None,
            asked(),
            &of("https://e.example/f/Patient/1")
        ));
        assert!(!holds("Observation", "patient", Modifier::None, asked(), &of("Group/1")));
        assert!(holds("Observation", "subject", Modifier::None, asked(), &of("Group/1")));
        assert!(!holds("Observation", "patient", Modifier::None, asked(), &of("Patient/11")));
    }

    #[test]
    fn names_are_found_by_the_start_of_a_word_without_case_or_accent() {
        let body = json!({"name": [{"use": "official", "family": "van der Bérg", "given": ["Zoë"]}]});
        let find =
            |modifier, text: &str| holds("Patient", "name", modifier, Asked::Text(text.to_owned()), &body);
        assert!(find(Modifier::None, "BERG") && find(Modifier::None, "zoe") && find(Modifier::None, "van d"));
        assert!(!find(Modifier::None, "erg") && find(Modifier::Contains, "erg"));
        assert!(find(Modifier::Exact, "Zoë") && !find(Modifier::Exact, "zoë"));
        assert!(!find(Modifier::None, "official"), "the use of a name is no part of it");
    }

    #[test]
    fn missing_asks_whether_there_is_a_value() {
        let body = json!({"subject": {"reference": "Patient/1"}});
        assert!(holds("Condition", "clinical-status", Modifier::Missing(true), token(None, ""), &body));
        assert!(!holds("Condition", "patient", Modifier::Missing(true), token(None, ""), &body));
    }

    #[test]
    fn periods_and_moments_are_dates_alike() {
        let asked =
            || Asked::Date { prefix: Prefix::GreaterOrEqual, range: DateRange::parse("2024-05").unwrap() };
        let date = |body: Value| holds("Procedure", "date", Modifier::None, asked(), &body);
        assert!(date(json!({"performedDateTime": "2024-05-03T10:00:00Z"})));
        assert!(date(json!({"performedPeriod": {"start": "2024-01-01"}})), "it has not ended");
        assert!(!date(json!({"performedPeriod": {"end": "2024-01-01"}})));
        assert!(!date(json!({"performedPeriod": {}})) && !date(json!({})));
    }
}
