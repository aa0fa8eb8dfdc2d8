//! The CapabilityStatement our callers see: what the EHR claims, cut down to what this gateway lets through.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    envelope::{Limits, text_of},
    params::{Ownership, TypeRule},
    scan::Fault,
    types::ResourceType,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Theirs<'a> {
    #[serde(borrow)]
    resource_type: Cow<'a, str>,
    #[serde(borrow)]
    fhir_version: Cow<'a, str>,
    #[serde(default, borrow)]
    date: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    rest: Vec<Rest<'a>>,
}

#[derive(Deserialize)]
struct Rest<'a> {
    #[serde(default, borrow)]
    mode: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    resource: Vec<TheirType<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TheirType<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    interaction: Vec<TheirCode<'a>>,
    #[serde(default, borrow)]
    search_param: Vec<TheirName<'a>>,
}

#[derive(Deserialize)]
struct TheirCode<'a> {
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct TheirName<'a> {
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ours<'a> {
    resource_type: &'static str,
    status: &'static str,
    date: &'a str,
    kind: &'static str,
    software: Software<'a>,
    implementation: Implementation<'a>,
    fhir_version: &'a str,
    format: [&'static str; 2],
    rest: [OurRest; 1],
}

#[derive(Serialize)]
struct Software<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Implementation<'a> {
    description: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct OurRest {
    mode: &'static str,
    resource: Vec<OurType>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OurType {
    #[serde(rename = "type")]
    name: &'static str,
    interaction: Vec<OurCode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    search_param: Vec<OurParam>,
}

#[derive(Serialize)]
struct OurCode {
    code: &'static str,
}

#[derive(Serialize)]
struct OurParam {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What of a statement is told, beside what this gateway lets through at all.
pub struct Cut<'c> {
    /// Whether a type is told (scopes).
    pub allowed: &'c dyn Fn(ResourceType) -> bool,
    /// Whether `read` or `search-type` on it is.
    pub offers: &'c dyn Fn(ResourceType, &str) -> bool,
    /// Whether a search parameter is.
    pub takes: &'c dyn Fn(ResourceType, &str) -> bool,
}

/// Cuts a CapabilityStatement down. `base` is the address our callers use.
///
/// # Errors
/// [`Fault`] when the body is not a CapabilityStatement.
pub fn filter(body: &[u8], base: &str, limits: &Limits, only: &Cut<'_>) -> Result<Vec<u8>, Fault> {
    let text = text_of(body, limits)?;
    let theirs: Theirs<'_> = serde_json::from_str(text).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => Fault::WrongShape("CapabilityStatement"),
        _ => Fault::NotJson,
    })?;
    if !matches!(theirs.resource_type.as_ref(), "CapabilityStatement" | "Conformance") {
        return Err(Fault::WrongShape("CapabilityStatement"));
    }
    let claimed =
        theirs.rest.iter().filter(|r| r.mode.as_deref() != Some("client")).flat_map(|r| &r.resource);
    let mut resource: Vec<OurType> = Vec::new();
    for theirs in claimed {
        let Some(rule) = ResourceType::parse(&theirs.name).and_then(TypeRule::of) else { continue };
        if (only.allowed)(rule.resource_type)
            && !resource.iter().any(|r| r.name == rule.resource_type.as_str())
        {
            resource.push(cut(theirs, rule, only));
        }
    }
    let ours = Ours {
        resource_type: "CapabilityStatement",
        status: "active",
        date: theirs.date.as_deref().unwrap_or("2026-01-01"),
        kind: "instance",
        software: Software { name: "Sallyport" },
        implementation: Implementation { description: "What this launch may call at its EHR", url: base },
        fhir_version: &theirs.fhir_version,
        format: ["application/fhir+json", "json"],
        rest: [OurRest { mode: "server", resource }],
    };
    serde_json::to_vec(&ours).map_err(|_never| Fault::WrongShape("CapabilityStatement"))
}

fn cut(theirs: &TheirType<'_>, rule: &TypeRule, only: &Cut<'_>) -> OurType {
    let claims = |code: &str| theirs.interaction.iter().any(|i| i.code.as_deref() == Some(code));
    let offers = |code: &str| claims(code) && (only.offers)(rule.resource_type, code);
    let is_readable = (only.offers)(rule.resource_type, "read");
    let mut interaction: Vec<OurCode> = ["read", "vread"]
        .into_iter()
        .filter(|code| claims(code) && is_readable)
        .map(|code| OurCode { code })
        .collect();
    let is_searchable = offers("search-type") && rule.ownership != Ownership::Shared;
    let mut search_param = Vec::new();
    if is_searchable {
        interaction.push(OurCode { code: "search-type" });
        let names = theirs.search_param.iter().filter_map(|p| p.name.as_deref());
        search_param.extend(
            names
                .filter_map(|n| rule.param(n))
                .filter(|(name, _)| (only.takes)(rule.resource_type, name))
                .map(|(name, kind)| OurParam { name, kind: kind.as_str() }),
        );
    }
    OurType { name: rule.resource_type.as_str(), interaction, search_param }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","date":"2026-02-03","kind":"instance",
      "rest":[{"mode":"server","interaction":[{"code":"transaction"}],"operation":[{"name":"export"}],"resource":[
        {"type":"Condition","interaction":[{"code":"read"},{"code":"create"},{"code":"search-type"}],
         "searchInclude":["Condition:subject"],"operation":[{"name":"x"}],
         "searchParam":[{"name":"patient","type":"reference"},{"name":"_has","type":"special"},{"name":"code","type":"token"}]},
        {"type":"Practitioner","interaction":[{"code":"read"},{"code":"search-type"}],"searchParam":[{"name":"name","type":"string"}]},
        {"type":"Group","interaction":[{"code":"read"}]},
        {"type":"Observation","interaction":[{"code":"read"}]}]}]}"#;

    #[test]
    fn only_what_passes_here_is_described() {
        let only =
            Cut { allowed: &|t| t != ResourceType::Observation, offers: &|_, _| true, takes: &|_, _| true };
        let ours = filter(THEIRS.as_bytes(), "https://app.example/fhir/1", &Limits::default(), &only);
        insta::assert_snapshot!(String::from_utf8(ours.unwrap()).unwrap(), @r#"{"resourceType":"CapabilityStatement","status":"active","date":"2026-02-03","kind":"instance","software":{"name":"Sallyport"},"implementation":{"description":"What this launch may call at its EHR","url":"https://app.example/fhir/1"},"fhirVersion":"4.0.1","format":["application/fhir+json","json"],"rest":[{"mode":"server","resource":[{"type":"Condition","interaction":[{"code":"read"},{"code":"search-type"}],"searchParam":[{"name":"patient","type":"reference"},{"name":"code","type":"token"}]},{"type":"Practitioner","interaction":[{"code":"read"}]}]}]}"#);
    }

    #[test]
    fn another_body_is_a_fault() {
        for body in ["", "<html>", "[]", r#"{"resourceType":"Patient","fhirVersion":"4.0.1"}"#] {
            let only = Cut { allowed: &|_| true, offers: &|_, _| true, takes: &|_, _| true };
            let filtered = filter(body.as_bytes(), "https://app.example", &Limits::default(), &only);
            assert!(filtered.is_err(), "{body}");
        }
    }

    #[test]
    fn what_the_endpoint_does_not_offer_in_effect_is_not_told() {
        let only = Cut {
            allowed: &|_| true,
            offers: &|t, code| !(t == ResourceType::Condition && code == "read"),
            takes: &|_, name| name != "code",
        };
        let ours =
            filter(THEIRS.as_bytes(), "https://app.example/fhir/1", &Limits::default(), &only).unwrap();
        let ours = String::from_utf8(ours).unwrap();
        let condition = r#"{"type":"Condition","interaction":[{"code":"search-type"}],"searchParam":[{"name":"patient","type":"reference"}]}"#;
        assert!(ours.contains(condition), "{ours}");
    }
}
