//! A token response: strict about what decides, tolerant about the rest (TOK-04, TOK-05, TOK-12).

use sallyport_model::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The longest token: real ones reach some tens of kilobytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The longest scope string.
const MAX_SCOPE_BYTES: usize = 32 * 1024;

/// Why a token response cannot be used. Names the member, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// Not a JSON object, or a member is there twice.
    #[error("the token response is not a json object with unique members")]
    NotJson,
    /// A member that must be there is missing, too long or of another type.
    #[error("{0} in the token response is missing or malformed")]
    Malformed(&'static str),
    /// A token of a kind that this client cannot use.
    #[error("the token response gives another token type than bearer")]
    TokenType,
}

/// What a token endpoint gave.
#[derive(Debug)]
pub struct TokenResponse {
    /// The access token, opaque.
    pub access_token: Secret<String>,
    /// The refresh token: its presence decides, not a scope.
    pub refresh_token: Option<Secret<String>>,
    /// The id_token, unverified.
    pub id_token: Option<Secret<String>>,
    /// Lifetime in seconds, where a usable one was given.
    pub expires_in: Option<i64>,
    /// The granted scope. `None` means as requested (RFC 6749 §5.1); the empty string is a grant of nothing.
    pub scope: Option<String>,
    /// The launch context members as a JSON object; never a token.
    pub context_json: String,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "text")]
    access_token: Member,
    #[serde(default, deserialize_with = "text")]
    token_type: Member,
    #[serde(default, deserialize_with = "text")]
    refresh_token: Member,
    #[serde(default, deserialize_with = "text")]
    id_token: Member,
    expires_in: Option<Value>,
    scope: Option<Value>,
    patient: Option<Value>,
    encounter: Option<Value>,
    need_patient_banner: Option<Value>,
    intent: Option<Value>,
    smart_style_url: Option<Value>,
    tenant: Option<Value>,
    #[serde(rename = "fhirContext")]
    fhir_context: Option<Value>,
}

/// A text member that may hold a token: absent, text, or something else.
#[derive(Default)]
enum Member {
    #[default]
    Absent,
    Text(Secret<String>),
    Other,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Member::Absent,
        Value::String(text) => Member::Text(Secret::new(text)),
        _ => Member::Other,
    })
}

impl TokenResponse {
    /// Parses the body of a successful answer.
    ///
    /// # Errors
    /// [`ResponseFault`]. The whole body must already be capped.
    pub fn parse(body: &[u8]) -> Result<Self, ResponseFault> {
        let wire: Wire = serde_json::from_slice(body).map_err(|_syntax| ResponseFault::NotJson)?;
        let access_token =
            token(wire.access_token, "access_token")?.ok_or(ResponseFault::Malformed("access_token"))?;
        match wire.token_type {
            Member::Text(kind) if kind.expose().eq_ignore_ascii_case("bearer") => {}
            _ => return Err(ResponseFault::TokenType),
        }
        Ok(Self {
            access_token,
            refresh_token: token(wire.refresh_token, "refresh_token")?,
            id_token: token(wire.id_token, "id_token")?,
            expires_in: wire.expires_in.as_ref().and_then(seconds),
            scope: scope(wire.scope)?,
            context_json: context([
                ("patient", wire.patient),
                ("encounter", wire.encounter),
                ("need_patient_banner", wire.need_patient_banner),
                ("intent", wire.intent),
                ("smart_style_url", wire.smart_style_url),
                ("tenant", wire.tenant),
                ("fhirContext", wire.fhir_context),
            ]),
        })
    }

    /// How long the access token is believed to live, in seconds: the default when nothing usable was said, never
    /// more than `max`.
    pub fn lifetime_seconds(&self, default: i64, max: i64) -> i64 {
        self.expires_in.unwrap_or(default).min(max)
    }

    /// What was granted: what the server said, or what was asked when it said nothing.
    pub fn granted<'a>(&'a self, requested: &'a str) -> &'a str {
        self.scope.as_deref().unwrap_or(requested)
    }
}

/// A token is opaque, but it travels in a header or a form: visible ASCII only (RFC 6749 appendix A.12).
fn token(member: Member, name: &'static str) -> Result<Option<Secret<String>>, ResponseFault> {
    match member {
        Member::Absent => Ok(None),
        Member::Text(text) if text.expose().is_empty() && name != "access_token" => Ok(None),
        Member::Text(text) => {
            let fits = (1..=MAX_TOKEN_BYTES).contains(&text.expose().len())
                && text.expose().bytes().all(|b| b.is_ascii_graphic());
            if fits { Ok(Some(text)) } else { Err(ResponseFault::Malformed(name)) }
        }
        Member::Other => Err(ResponseFault::Malformed(name)),
    }
}

/// `expires_in` as integer, decimal or text; what is not a positive number says nothing.
fn seconds(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    // Beyond any cap the exact value does not matter.
    let whole = number.clamp(0.0, 1e12).floor() as i64;
    (number.is_finite() && whole > 0).then_some(whole)
}

fn scope(value: Option<Value>) -> Result<Option<String>, ResponseFault> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        // Some servers print the list as a list.
        Some(Value::Array(words)) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            words.ok_or(ResponseFault::Malformed("scope"))?.join(" ")
        }
        Some(_) => return Err(ResponseFault::Malformed("scope")),
    };
    if text.len() <= MAX_SCOPE_BYTES { Ok(Some(text)) } else { Err(ResponseFault::Malformed("scope")) }
}

fn context<const N: usize>(members: [(&str, Option<Value>); N]) -> String {
    let present = members.into_iter().filter_map(|(name, value)| value.map(|v| (name.to_owned(), v)));
    Value::Object(present.collect::<Map<_, _>>()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(json: &str) -> Result<TokenResponse, ResponseFault> {
        TokenResponse::parse(json.as_bytes())
    }

    fn with(members: &str) -> Result<TokenResponse, ResponseFault> {
        parse(&format!(r#"{{"access_token":"a","token_type":"Bearer"{members}}}"#))
    }

    #[test]
    fn a_whole_response_is_read_and_unknown_members_are_ignored() {
        let response = parse(
            r#"{"access_token":"at","token_type":"bearer","expires_in":3600,"scope":"openid patient/*.rs",
                "refresh_token":"rt","id_token":"h.p.s","patient":"p-1","need_patient_banner":false,
                "fhirContext":[{"reference":"Observation/1"}],"__epic.dstu2.patient":"x","authorization_details":[]}"#,
        )
        .unwrap();
        assert_eq!(response.access_token.expose(), "at");
        assert_eq!(response.refresh_token.unwrap().expose(), "rt");
        assert_eq!(response.id_token.unwrap().expose(), "h.p.s");
        assert_eq!(response.expires_in, Some(3600));
        assert_eq!(response.scope.as_deref(), Some("openid patient/*.rs"));
        let context: Value = serde_json::from_str(&response.context_json).unwrap();
        assert_eq!(
            context,
            serde_json::json!({"patient":"p-1","need_patient_banner":false,"fhirContext":[{"reference":"Observation/1"}]})
        );
    }

    #[test]
    fn bearer_is_compared_without_case_and_nothing_else_passes() {
        for kind in ["Bearer", "bearer", "BEARER"] {
            assert!(parse(&format!(r#"{{"access_token":"a","token_type":"{kind}"}}"#)).is_ok());
        }
        for kind in [r#""DPoP""#, r#""mac""#, "null", "1", r#""""#] {
            let outcome = parse(&format!(r#"{{"access_token":"a","token_type":{kind}}}"#));
            assert_eq!(outcome.unwrap_err(), ResponseFault::TokenType, "{kind}");
        }
        assert_eq!(parse(r#"{"access_token":"a"}"#).unwrap_err(), ResponseFault::TokenType);
    }

    #[test]
    fn lifetimes_come_in_many_shapes_and_are_capped() {
        for (json, expected) in [
            (r#","expires_in":300"#, 300),
            (r#","expires_in":"300""#, 300),
            (r#","expires_in":300.9"#, 300),
            (r#","expires_in":31536000"#, 3600),
            (r#","expires_in":99999999999999999999999"#, 3600),
            (r#","expires_in":"soon""#, 240),
            (r#","expires_in":null"#, 240),
            (r#","expires_in":-5"#, 240),
            (r#","expires_in":0"#, 240),
            ("", 240),
        ] {
            assert_eq!(with(json).unwrap().lifetime_seconds(240, 3600), expected, "{json}");
        }
    }

    #[test]
    fn an_absent_scope_means_as_requested_and_an_empty_one_means_nothing() {
        assert_eq!(with("").unwrap().granted("openid"), "openid");
        assert_eq!(with(r#","scope":null"#).unwrap().granted("openid"), "openid");
        assert_eq!(with(r#","scope":"""#).unwrap().granted("openid"), "");
        assert_eq!(with(r#","scope":["a","b"]"#).unwrap().granted("openid"), "a b");
        assert_eq!(with(r#","scope":7"#).unwrap_err(), ResponseFault::Malformed("scope"));
    }

    #[test]
    fn tokens_are_opaque_up_to_64_kib() {
        let long = "x".repeat(MAX_TOKEN_BYTES);
        let ok = parse(&format!(r#"{{"access_token":"{long}","token_type":"bearer"}}"#)).unwrap();
        assert_eq!(ok.access_token.expose().len(), MAX_TOKEN_BYTES);
        for bad in [format!("{long}x"), String::new(), "a\\nb".to_owned(), "a b".to_owned(), "é".to_owned()]
        {
            let outcome = parse(&format!(r#"{{"access_token":"{bad}","token_type":"bearer"}}"#));
            assert_eq!(outcome.unwrap_err(), ResponseFault::Malformed("access_token"));
        }
        assert_eq!(with(r#","refresh_token":{}"#).unwrap_err(), ResponseFault::Malformed("refresh_token"));
        assert!(with(r#","refresh_token":"""#).unwrap().refresh_token.is_none());
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        assert_eq!(with(r#","access_token":"b""#).unwrap_err(), ResponseFault::NotJson);
        assert_eq!(with(r#","patient":"1","patient":"2""#).unwrap_err(), ResponseFault::NotJson);
    }

    #[test]
    fn a_response_never_prints_its_tokens() {
        let text = format!("{:?}", with(r#","refresh_token":"rt-canary""#).unwrap());
        assert!(!text.contains("canary"), "{text}");
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TokenResponse::parse(&body);
        }
    }
}
