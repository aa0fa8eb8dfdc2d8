//! A write, parsed once: where it goes, what it holds, and our identifier in it, by which it is found again.
//!
//! What a person approved is written byte for byte, decimals included: nothing is read into a tree and printed again.

use std::fmt;

use sallyport_model::Code;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    Envelope, Fault, Limits, Rejection, ResourceType,
    interaction::{LogicalId, known_type, logical_id, segments},
};

/// The system of our identifier in what we create.
pub const IDENTIFIER_SYSTEM: &str = "urn:sallyport:write";

/// Types that can be written, and whether `identifier` is a list on them.
const WRITABLE: [(ResourceType, bool); 10] = [
    (ResourceType::AllergyIntolerance, true),
    (ResourceType::Communication, true),
    (ResourceType::CommunicationRequest, true),
    (ResourceType::Condition, true),
    (ResourceType::DocumentReference, true),
    (ResourceType::Observation, true),
    (ResourceType::Procedure, true),
    (ResourceType::QuestionnaireResponse, false),
    (ResourceType::ServiceRequest, true),
    (ResourceType::Task, true),
];

/// Where a write goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The type.
    pub resource_type: ResourceType,
    /// The resource that is updated; `None` for a create.
    pub id: Option<LogicalId>,
}

impl Destination {
    /// `POST [type]` and `PUT [type]/[id]`, after the launch's prefix; `is_put` says which. `None` for a request that is
    /// no write, such as `POST [type]/_search`.
    ///
    /// # Errors
    /// [`Rejection`] for a type that cannot be written, conditional updates and everything else that is not on the list.
    pub fn parse(
        is_put: bool,
        path: &str,
        query: Option<&str>,
        max_id: usize,
    ) -> Result<Option<Self>, Rejection> {
        let segments = segments(path)?;
        let (name, id) = match (is_put, segments.as_slice()) {
            (false, [name]) => (*name, None),
            (true, [name, id]) => (*name, Some(logical_id(id, max_id)?)),
            (false, _) => return Ok(None),
            (true, _) => {
                return Err(Rejection {
                    code: Code::InteractionDenied,
                    what: "a resource is updated by its id",
                });
            }
        };
        if query.is_some_and(|query| !query.is_empty()) {
            return Err(Rejection { code: Code::ParameterDenied, what: "a write takes no parameters" });
        }
        let resource_type = known_type(name)?;
        if !WRITABLE.iter().any(|(listed, _)| *listed == resource_type) {
            return Err(Rejection { code: Code::TypeDenied, what: "the resource type cannot be written" });
        }
        Ok(Some(Self { resource_type, id }))
    }

    /// FHIR's name of the interaction.
    pub fn name(&self) -> &'static str {
        if self.id.is_some() { "update" } else { "create" }
    }
}

/// A resource's members in the order given, each as it was written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a resource")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// The resource with our identifier among its own. `None` where its `identifier` is not what its type has, or is one
/// that cannot stand beside ours.
pub fn identified(text: &str, resource_type: ResourceType, value: &str) -> Option<String> {
    let is_list = WRITABLE.iter().find(|(listed, _)| *listed == resource_type)?.1;
    let ours = format!(r#"{{"system":"{IDENTIFIER_SYSTEM}","value":"{value}"}}"#);
    let Members(members) = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len() + ours.len() + 20);
    out.push('{');
    let mut is_in = false;
    for (name, raw) in &members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(name).ok()?);
        out.push(':');
        if name != "identifier" {
            out.push_str(raw.get());
            continue;
        }
        let inside = raw.get().strip_prefix('[')?.strip_suffix(']')?.trim();
        if !is_list || is_in || inside.contains(IDENTIFIER_SYSTEM) {
            return None;
        }
        is_in = true;
        let comma = if inside.is_empty() { "" } else { "," };
        for part in ["[", inside, comma, &ours, "]"] {
            out.push_str(part);
        }
    }
    if !is_in {
        let (open, close) = if is_list { ("[", "]") } else { ("", "") };
        for part in [r#","identifier":"#, open, &ours, close] {
            out.push_str(part);
        }
    }
    out.push('}');
    Some(out)
}

/// Whether a resource carries our identifier with that value.
pub fn carries(text: &str, value: &str) -> bool {
    #[derive(Deserialize)]
    struct Identifier {
        #[serde(default)]
        system: String,
        #[serde(default)]
        value: String,
    }
    let Ok(Members(members)) = serde_json::from_str(text) else { return false };
    let raw = members.iter().find(|(name, _)| name == "identifier").map(|(_, raw)| raw.get());
    let is_ours = |one: &Identifier| one.system == IDENTIFIER_SYSTEM && one.value == value;
    raw.is_some_and(|raw| {
        serde_json::from_str::<Vec<Identifier>>(raw).is_ok_and(|all| all.iter().any(is_ours))
            || serde_json::from_str::<Identifier>(raw).is_ok_and(|one| is_ours(&one))
    })
}

/// Whether two texts say the same about a record, whatever a server adds about itself: `meta`, `text` and `id` are left out.
/// Numbers are compared by their value, not by how they are written.
pub fn says_the_same(written: &str, found: &str) -> bool {
    let read = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
        let members = value.as_object_mut()?;
        for name in ["meta", "text", "id"] {
            members.remove(name);
        }
        Some(value)
    };
    matches!((read(written), read(found)), (Some(written), Some(found)) if written == found)
}

/// A body that is to be written, read as its outside.
///
/// # Errors
/// [`Fault`] when it is not JSON, exceeds a cap or could be read in two ways.
pub fn envelope<'a>(body: &'a [u8], max_bytes: usize) -> Result<Envelope<'a>, Fault> {
    Envelope::parse(body, &Limits { max_bytes, ..Limits::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(is_put: bool, path: &str) -> Result<Option<Destination>, Code> {
        Destination::parse(is_put, path, None, 64).map_err(|rejection| rejection.code)
    }

    #[test]
    fn a_create_and_an_update_are_writes_and_a_search_is_none() {
        let created = parse(false, "/Observation").unwrap().unwrap();
        assert_eq!((created.name(), created.id), ("create", None));
        let updated = parse(true, "/Condition/c-1").unwrap().unwrap();
        assert_eq!((updated.name(), updated.id.unwrap().expose()), ("update", "c-1"));
        assert_eq!(parse(false, "/Observation/_search"), Ok(None));
    }

    #[test]
    fn types_that_nobody_writes_conditional_updates_and_tricks_are_refused() {
        assert_eq!(parse(false, "/Patient"), Err(Code::TypeDenied));
        assert_eq!(parse(false, "/Bundle"), Err(Code::TypeDenied));
        assert_eq!(parse(true, "/Patient/p"), Err(Code::TypeDenied));
        assert_eq!(parse(true, "/Observation"), Err(Code::InteractionDenied));
        assert_eq!(parse(true, "/Observation/a/_history/1"), Err(Code::InteractionDenied));
        assert_eq!(parse(true, "/Observation/%2e%2e"), Err(Code::PathInvalid));
        let conditional = Destination::parse(true, "/Observation/a", Some("identifier=x"), 64);
        assert_eq!(conditional.unwrap_err().code, Code::ParameterDenied);
    }

    #[test]
    fn our_identifier_stands_beside_others_and_nothing_else_changes() {
        let text =
            r#"{"resourceType":"Observation","valueQuantity":{"value":1.10},"identifier":[{"value":"a"}]}"#;
        let out = identified(text, ResourceType::Observation, "k").unwrap();
        assert_eq!(
            out,
            r#"{"resourceType":"Observation","valueQuantity":{"value":1.10},"identifier":[{"value":"a"},{"system":"urn:sallyport:write","value":"k"}]}"#
        );
        assert!(carries(&out, "k") && !carries(&out, "other") && !carries(text, "k"));
        let bare = identified(r#"{"resourceType":"Task"}"#, ResourceType::Task, "k").unwrap();
        assert!(carries(&bare, "k"));
        let one = r#"{"resourceType":"QuestionnaireResponse"}"#;
        assert!(carries(&identified(one, ResourceType::QuestionnaireResponse, "k").unwrap(), "k"));
    }

    #[test]
    fn an_identifier_that_cannot_stand_beside_ours_is_refused() {
        for (text, kind) in [
            (r#"{"resourceType":"Observation","identifier":{"value":"a"}}"#, ResourceType::Observation),
            (r#"{"identifier":[{"system":"urn:sallyport:write","value":"x"}]}"#, ResourceType::Task),
            (r#"{"identifier":{"value":"a"}}"#, ResourceType::QuestionnaireResponse),
            (r#"{"resourceType":"Patient"}"#, ResourceType::Patient),
        ] {
            assert_eq!(identified(text, kind, "k"), None, "{text}");
        }
    }

    #[test]
    fn what_a_server_adds_about_itself_makes_no_difference() {
        let written = r#"{"resourceType":"Condition","id":"a","code":{"text":"x"},"onsetAge":{"value":1.0}}"#;
        let found = r#"{"meta":{"versionId":"2"},"onsetAge":{"value":1.0},"resourceType":"Condition","id":"b","code":{"text":"x"}}"#;
        assert!(says_the_same(written, found));
        assert!(!says_the_same(written, r#"{"resourceType":"Condition","code":{"text":"y"}}"#));
        assert!(!says_the_same(written, "nonsense"));
    }
}
