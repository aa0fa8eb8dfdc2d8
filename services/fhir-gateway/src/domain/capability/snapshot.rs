//! What an endpoint looked like at one time, as facts that can be compared: names, addresses of definitions, counts. Never a
//! value of a record.

use std::collections::BTreeMap;

use sallyport_fhir::{shape::Shape, statement::Statement};
use sallyport_registry::Origin;
use sallyport_smart::discovery::Smart;
use serde::{Deserialize, Serialize};

/// Where facts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Area {
    /// `/.well-known/smart-configuration`.
    Smart,
    /// `/metadata`.
    Statement,
    /// The key set by which id_tokens are verified.
    Keys,
    /// The shape of real answers.
    Shapes,
    /// What real answers were: whether an interaction is offered after all.
    Answers,
}

impl Area {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Smart => "smart",
            Self::Statement => "statement",
            Self::Keys => "keys",
            Self::Shapes => "shapes",
            Self::Answers => "answers",
        }
    }
}

/// Name and value of each fact of an area; what can only be there or not has no value.
pub(crate) type Facts = BTreeMap<String, String>;

/// All areas that could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Snapshot(pub(crate) BTreeMap<Area, Facts>);

impl Snapshot {
    /// The facts of an area, if it was read.
    pub(crate) fn area(&self, area: Area) -> Option<&Facts> {
        self.0.get(&area)
    }

    /// With the areas of an earlier one where they could not be read now.
    pub(crate) fn or(mut self, earlier: &Self) -> Self {
        for (area, facts) in &earlier.0 {
            self.0.entry(*area).or_insert_with(|| facts.clone());
        }
        self
    }
}

/// A discovery document. Of an address only its origin is kept: that is what is pinned.
pub(crate) fn of_smart(smart: &Smart) -> Facts {
    let mut facts = Facts::new();
    for (name, url) in smart.endpoints() {
        let origin =
            Origin::of(url).map_or_else(|| "unusable".to_owned(), |origin| origin.as_str().to_owned());
        facts.insert(name.to_owned(), origin);
    }
    if let Some(issuer) = smart.issuer.as_deref().and_then(short) {
        facts.insert("issuer".to_owned(), issuer.to_owned());
    }
    let lists = [
        ("capability", &smart.capabilities),
        ("scope", &smart.scopes),
        ("pkce", &smart.code_challenge_methods),
        ("auth", &smart.token_auth_methods),
    ];
    for (name, words) in lists {
        facts.extend(
            words.iter().filter_map(|word| short(word)).map(|word| (format!("{name} {word}"), String::new())),
        );
    }
    facts
}

/// A statement.
pub(crate) fn of_statement(statement: &Statement) -> Facts {
    let mut facts = Facts::new();
    facts.insert("fhirVersion".to_owned(), statement.fhir_version.clone());
    facts.insert("software".to_owned(), statement.software.clone());
    for (name, stated) in &statement.types {
        facts.extend(stated.interactions.iter().map(|code| (format!("{name} {code}"), String::new())));
        facts.extend(stated.params.iter().map(|param| (format!("{name} ?{param}"), String::new())));
    }
    facts.extend(statement.operations.iter().map(|name| (format!("operation {name}"), String::new())));
    facts
}

/// A key set: each key's kind by a hash of its id.
pub(crate) fn of_keys(document: &[u8]) -> Option<Facts> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        kty: String,
        #[serde(default)]
        alg: Option<String>,
        #[serde(default)]
        kid: Option<String>,
    }
    let Keys { keys } = serde_json::from_slice(document).ok()?;
    let mut facts = Facts::new();
    for key in keys {
        let kind = key.alg.unwrap_or(key.kty);
        let id =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.kid.unwrap_or_default().as_bytes());
        let id: String = id.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        facts.insert(format!("algorithm {}", short(&kind)?), String::new());
        facts.insert(format!("key {id}"), String::new());
    }
    Some(facts)
}

/// Shapes of types: how many were looked at, and how many show each mark.
pub(crate) fn of_shapes<'s>(shapes: impl Iterator<Item = (&'s str, &'s Shape)>) -> Facts {
    let mut facts = Facts::new();
    for (name, shape) in shapes {
        facts.insert(name.to_owned(), shape.sampled.to_string());
        facts.extend(shape.marks.iter().map(|(mark, count)| (format!("{name} {mark}"), count.to_string())));
    }
    facts
}

/// A word that can stand in a fact.
fn short(text: &str) -> Option<&str> {
    ((1..=300).contains(&text.len()) && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_origin_is_kept_and_of_a_key_its_hash() {
        let document = br#"{"authorization_endpoint":"https://a.example/x/authorize","token_endpoint":"https://a.example:8443/token",
            "capabilities":["launch-ehr"],"scopes_supported":["openid"],"code_challenge_methods_supported":["S256"]}"#;
        let facts = of_smart(&Smart::parse("https://ehr.example/fhir", document).unwrap());
        assert_eq!(facts["authorization_endpoint"], "https://a.example");
        assert_eq!(facts["token_endpoint"], "https://a.example:8443");
        for fact in ["capability launch-ehr", "scope openid", "pkce S256"] {
            assert!(facts.contains_key(fact), "{fact}");
        }
        let keys = of_keys(br#"{"keys":[{"kty":"RSA","alg":"RS256","kid":"a"},{"kty":"EC"}]}"#).unwrap();
        assert!(keys.contains_key("algorithm RS256") && keys.contains_key("algorithm EC"));
        assert_eq!(keys.len(), 4, "{keys:?}");
        assert_eq!(of_keys(b"[]"), None);
    }

    #[test]
    fn what_could_not_be_read_now_is_as_it_was() {
        let facts = |value: &str| Facts::from([("a".to_owned(), value.to_owned())]);
        let earlier = Snapshot([(Area::Smart, facts("1")), (Area::Statement, facts("1"))].into());
        let now = Snapshot([(Area::Statement, facts("2"))].into()).or(&earlier);
        assert_eq!(now.area(Area::Smart), Some(&facts("1")));
        assert_eq!(now.area(Area::Statement), Some(&facts("2")));
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), now);
    }
}
