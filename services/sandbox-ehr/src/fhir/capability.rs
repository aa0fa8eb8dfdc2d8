//! The CapabilityStatement: what this server can do, told from the same tables that do it.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
use serde_json::{Value, json};

use super::{
    negotiate,
    params::{self, COMMON, Param, Shape},
};
use crate::{
    data::{CHART_DATE, Records},
    places::Endpoints,
    profile::{ConditionalCreate, OauthUris, Profile, WriteRules},
};

const EXTENSIONS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/";
const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";

/// `GET [base]/metadata`, which needs no token.
pub(crate) fn statement(
    records: &Records,
    endpoints: &Endpoints,
    profile: &Profile,
    tenant: usize,
    headers: &HeaderMap,
) -> Response {
    let text = describe(records, endpoints, profile, tenant).to_string();
    let etag = format!("W/\"{:x}\"", checksum(text.as_bytes()));
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.contains(&etag));
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { negotiate::resource(profile, text) };
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

fn describe(records: &Records, endpoints: &Endpoints, profile: &Profile, tenant: usize) -> Value {
    let mut kinds: Vec<&str> = params::DEFINITIONS.iter().map(|definition| definition.kind).collect();
    kinds.extend(records.kinds().filter(|kind| params::definition(kind).is_none()));
    kinds.sort_unstable();
    json!({
        "resourceType": "CapabilityStatement",
        "id": "sandbox-ehr",
        "status": "active",
        "experimental": true,
        "date": CHART_DATE.to_string(),
        "publisher": "Sallyport",
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"],
        "software": { "name": format!("Sallyport sandbox EHR as {}", profile.title), "version": profile.release(tenant) },
        "implementation": { "description": "A sandbox EHR with synthetic patients", "url": endpoints.fhir_base },
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [{
            "mode": "server",
            "security": security(endpoints, profile),
            "resource": kinds.iter().map(|kind| resource(profile, kind)).collect::<Vec<_>>(),
        }],
    })
}

fn security(endpoints: &Endpoints, profile: &Profile) -> Value {
    let uri = |name: &str, value: String| json!({ "url": name, "valueUri": value });
    let main = [uri("authorize", endpoints.authorize()), uri("token", endpoints.token())];
    let more = [uri("introspect", endpoints.introspect()), uri("revoke", endpoints.revoke())];
    let addresses = |url: &str, uris: &[Value]| json!({ "url": url, "extension": uris });
    let name = format!("{EXTENSIONS}oauth-uris");
    let mut extension = match profile.discovery.oauth_uris {
        OauthUris::Absent => return json!({ "cors": true }),
        OauthUris::All => vec![addresses(&name, &[main, more].concat())],
        OauthUris::AuthorizeAndToken => vec![addresses(&name, &main)],
        OauthUris::TwiceOnceMalformed => {
            vec![addresses("http://DSTU2/fhir-registry.example/oauth-uris", &main), addresses(&name, &main)]
        }
    };
    extension.extend(
        profile
            .capabilities
            .iter()
            .map(|code| json!({ "url": format!("{EXTENSIONS}capabilities"), "valueCode": code })),
    );
    json!({
        "extension": extension,
        "cors": true,
        "service": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR", "display": "SMART-on-FHIR" }], "text": "OAuth2 using SMART-on-FHIR profile" }],
        "description": "See .well-known/smart-configuration for all of it.",
    })
}

fn resource(profile: &Profile, kind: &str) -> Value {
    let mut interactions = vec!["read", "vread"];
    if kind != "Binary" {
        interactions.push("search-type");
    }
    let is_claimed = profile.data.claims_writes.contains(&kind);
    let takes = |listed: fn(&WriteRules) -> &'static [&'static str]| {
        is_claimed || profile.writes.as_ref().is_some_and(|rules| listed(rules).contains(&kind))
    };
    let creates = takes(|rules| rules.creates);
    if creates {
        interactions.push("create");
    }
    if takes(|rules| rules.updates) {
        interactions.push("update");
    }
    let is_kept = |rules: &WriteRules| rules.conditional_create == ConditionalCreate::Kept;
    let conditional = creates && profile.writes.as_ref().is_some_and(is_kept);
    let mut body = json!({
        "type": kind,
        "interaction": interactions.iter().map(|code| json!({ "code": code })).collect::<Vec<_>>(),
        "versioning": "versioned",
        "readHistory": true,
        "updateCreate": false,
        "conditionalCreate": conditional,
        "conditionalRead": "full-support",
    });
    let Some(members) = body.as_object_mut() else { return body };
    let definition = params::definition(kind);
    let mut put = |name: &str, list: Vec<Value>| {
        if !list.is_empty() {
            members.insert(name.to_owned(), Value::Array(list));
        }
    };
    let profiles = definition.map_or(&[][..], |definition| definition.profiles);
    put("supportedProfile", profiles.iter().map(|name| json!(format!("{US_CORE}{name}"))).collect());
    let includes = definition.map_or(&[][..], |definition| definition.includes);
    put("searchInclude", includes.iter().map(|name| json!(format!("{kind}:{name}"))).collect());
    if kind != "Binary" {
        put("searchParam", params::own(kind).iter().chain(&COMMON).map(search_param).collect());
    }
    body
}

fn search_param(param: &Param) -> Value {
    let shape = match param.shape {
        Shape::Token => "token",
        Shape::Reference(_) => "reference",
        Shape::Date => "date",
        Shape::Text => "string",
    };
    json!({ "name": param.name, "type": shape })
}

/// FNV-1a: the tag must change with the content and need not withstand anybody.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement_of(records: &Records) -> Value {
        let endpoints = Endpoints {
            fhir_base: "http://h/strict/general/fhir".to_owned(),
            authorization: "http://h/strict/general/oauth".to_owned(),
            issuer: "http://h/strict/general/oauth".to_owned(),
            root: "http://h/strict/general".to_owned(),
        };
        describe(records, &endpoints, &Profile::STRICT, 0)
    }

    #[test]
    fn the_statement_names_the_oauth_addresses_and_the_capabilities() {
        let statement = statement_of(&Records::default());
        assert_eq!(statement["fhirVersion"], "4.0.1");
        let security = &statement["rest"][0]["security"];
        assert_eq!(
            security["extension"][0]["extension"][1]["valueUri"],
            "http://h/strict/general/oauth/token"
        );
        assert_eq!(security["extension"][1]["valueCode"], "launch-ehr");
        assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    }

    #[test]
    fn every_type_that_is_stored_is_named_and_says_how_it_is_searched() {
        let mut records = Records::generate(1, 1);
        records.insert(json!({"resourceType": "Claim", "id": "c"})).unwrap();
        let statement = statement_of(&records);
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        for kind in records.kinds() {
            let found = resources.iter().find(|resource| resource["type"] == kind).unwrap();
            let names: Vec<_> = found["searchParam"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            assert_eq!(kind == "Binary", names.is_empty(), "{kind}");
            assert!(kind == "Binary" || names.contains(&"_lastUpdated"));
        }
    }
}
