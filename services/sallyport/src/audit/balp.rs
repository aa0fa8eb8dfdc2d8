//! Records as FHIR R4 AuditEvents after IHE BALP (Basic Audit Log Patterns): one event per patient, identifiers only.
//!
//! An event names a profile only where it fulfils it: the profiles are about what succeeded. Values of search parameters
//! are never recorded, so a query holds the parameters' names alone.

use std::fmt::Write as _;

use sallyport_proto::{
    audit::v1::{Kind, Outcome, Phase, Record},
    types::v1::{User, actor},
};
use serde_json::{Value, json};

const CANONICAL: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CUSTODIAN: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const BALP_AGENT: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes";

/// One pair of profiles (without and with a patient), as BALP's tables have it.
pub(crate) struct Profile {
    /// `Read` stands for `IHE.BasicAudit.Read` and `IHE.BasicAudit.PatientRead`.
    pub(crate) name: &'static str,
    pub(crate) action: &'static str,
    /// Interactions, which are also the subtypes.
    pub(crate) interactions: &'static [&'static str],
    pub(crate) client: (&'static str, &'static str),
    pub(crate) server: (&'static str, &'static str),
    /// What the user is, as v3 `ParticipationType`.
    pub(crate) user: &'static str,
    /// Whether the entity is a query rather than data.
    pub(crate) is_query: bool,
}

/// BALP volume 3, 3:5.7.3.
pub(crate) const PROFILES: [Profile; 5] = [
    Profile {
        name: "Read",
        action: "R",
        interactions: &["read", "vread"],
        client: (DCM, "110152"),
        server: (DCM, "110153"),
        user: "IRCP",
        is_query: false,
    },
    Profile {
        name: "Query",
        action: "E",
        interactions: &["search", "search-type", "search-system"],
        client: (DCM, "110153"),
        server: (DCM, "110152"),
        user: "IRCP",
        is_query: true,
    },
    Profile {
        name: "Create",
        action: "C",
        interactions: &["create"],
        client: (DCM, "110153"),
        server: (DCM, "110152"),
        user: "AUT",
        is_query: false,
    },
    Profile {
        name: "Update",
        action: "U",
        interactions: &["update", "patch"],
        client: (DCM, "110153"),
        server: (DCM, "110152"),
        user: "AUT",
        is_query: false,
    },
    Profile {
        name: "Delete",
        action: "D",
        interactions: &["delete"],
        client: (DCM, "110150"),
        server: (CUSTODIAN, "custodian"),
        user: "AUT",
        is_query: false,
    },
];

/// The events of a record: one for each patient, or one. Of a call, the outcome is the event; its intent, and records
/// about the log itself and about sessions, have none in BALP.
pub(crate) fn events(record: &Record) -> Vec<Value> {
    let is_token = matches!(record.kind(), Kind::TokenExchange | Kind::TokenRefresh);
    let profile = PROFILES.iter().find(|p| p.interactions.contains(&record.interaction.as_str()));
    match (record.kind(), record.phase(), profile) {
        (_, Phase::Intent, _) => Vec::new(),
        (Kind::FhirCall, _, Some(profile)) if record.patients.is_empty() => {
            vec![call(record, profile, None, 0)]
        }
        (Kind::FhirCall, _, Some(profile)) => {
            let each = record.patients.iter().enumerate();
            each.map(|(number, patient)| call(record, profile, Some(patient), number)).collect()
        }
        _ if is_token => vec![token(record)],
        _ => Vec::new(),
    }
}

fn call(record: &Record, profile: &Profile, patient: Option<&str>, number: usize) -> Value {
    let mut event = base(record, number);
    let variant = if patient.is_some() { "Patient" } else { "" };
    name_profile(&mut event, record, &format!("IHE.BasicAudit.{variant}{}", profile.name));
    event["type"] = coding(EVENT_TYPE, "rest");
    event["subtype"] = json!([coding(INTERACTION, &record.interaction)]);
    event["action"] = profile.action.into();
    event["agent"] = agents(record, profile.client, profile.server, profile.user);
    let mut entities = vec![if profile.is_query { query(record) } else { data(record) }];
    entities.extend(patient.map(|patient| {
        json!({"type": coding(ENTITY_TYPE, "1"), "role": coding(ROLE, "1"), "what": reference("Patient", patient)})
    }));
    if let Some(id) = hyphenated(&record.request_id) {
        entities
            .push(json!({"type": coding(BALP_ENTITY, "XrequestId"), "what": {"identifier": {"value": id}}}));
    }
    event["entity"] = entities.into();
    event
}

/// IUA Get Access Token (ITI-71). The request is recorded by what it asked for; codes, verifiers, assertions and
/// secrets never are.
fn token(record: &Record) -> Value {
    let mut event = base(record, 0);
    name_profile(&mut event, record, "IHE.IUA.71");
    event["type"] = coding(DCM, "110114");
    event["subtype"] = json!([coding("urn:ihe:event-type-code", "ITI-71")]);
    event["action"] = "E".into();
    event["agent"] = agents(record, (DCM, "110150"), (BALP_AGENT, "AuthzOauthService"), "IRCP");
    let grant = if record.kind() == Kind::TokenExchange { "authorization_code" } else { "refresh_token" };
    let request = format!("grant_type={grant}&scope={}", record.requested_scope);
    event["entity"] =
        json!([{"type": coding(ENTITY_TYPE, "2"), "role": coding(ROLE, "24"), "query": base64(&request)}]);
    event
}

/// What every event has.
fn base(record: &Record, number: usize) -> Value {
    let at =
        jiff::Timestamp::from_microsecond(record.recorded_at).map(|at| at.to_string()).unwrap_or_default();
    let id = hyphenated(&record.record_id).unwrap_or_default();
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": format!("{id}-{}-{number}", record.phase),
        "recorded": at,
        "outcome": outcome(record.outcome()),
        "source": {"site": record.tenant, "observer": {"display": record.service}},
    });
    if !record.code.is_empty() {
        event["outcomeDesc"] = record.code.as_str().into();
    }
    if !record.purpose.is_empty() {
        event["purposeOfEvent"] = json!([{"coding": [coding(REASON, &record.purpose)]}]);
    }
    event
}

/// The profiles are about what succeeded.
fn name_profile(event: &mut Value, record: &Record, name: &str) {
    if record.outcome() == Outcome::Success {
        event["meta"] = json!({"profile": [format!("{CANONICAL}{name}")]});
    }
}

/// BALP: 0 success, 4 minor failure, 8 serious failure or denial, 12 major failure.
fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "0",
        Outcome::Failed => "4",
        Outcome::Refused => "8",
        Outcome::Pending | Outcome::Unspecified => "12",
    }
}

fn agents(record: &Record, client: (&str, &str), server: (&str, &str), user: &str) -> Value {
    let person = match record.actor.as_ref().and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(person)) => Some(person),
        _ => None,
    };
    // Names of this installation stand where addresses would: the EHR's address is its endpoint's registration.
    let machine = |(system, code): (&str, &str), name: &str, requestor: bool| {
        json!({
            "type": {"coding": [coding(system, code)]},
            "who": {"display": name},
            "requestor": requestor,
            "network": {"address": name, "type": "1"},
        })
    };
    let mut agents = vec![
        machine(client, &record.service, person.is_none()),
        machine(server, or_unknown(&record.endpoint), false),
    ];
    agents.extend(person.map(|person| user_agent(record, person, user)));
    agents.into()
}

fn user_agent(record: &Record, person: &User, kind: &str) -> Value {
    let mut agent = json!({
        "type": {"coding": [coding(PARTICIPATION, kind)]},
        "who": {"identifier": {"system": person.issuer, "value": person.subject}},
        "requestor": true,
    });
    if person.issuer.is_empty() {
        agent["who"] = json!({"display": or_unknown(&person.subject)});
    }
    if !record.purpose.is_empty() {
        agent["purposeOfUse"] = json!([{"coding": [coding(REASON, &record.purpose)]}]);
    }
    agent
}

fn data(record: &Record) -> Value {
    let kind = record.resource_types.first().map_or("Resource", String::as_str);
    let mut entity = json!({"type": coding(ENTITY_TYPE, "2"), "role": coding(ROLE, "4"), "what": reference(kind, &record.resource_id)});
    let labels: Vec<_> = record.security_labels.iter().map(|label| json!({"code": label})).collect();
    if !labels.is_empty() {
        entity["securityLabel"] = labels.into();
    }
    entity
}

fn query(record: &Record) -> Value {
    let request = format!("{}?{}", record.resource_types.join(","), record.parameters.join("&"));
    json!({
        "type": coding(ENTITY_TYPE, "2"),
        "role": coding(ROLE, "24"),
        "description": request,
        "query": base64(&request),
    })
}

/// A reference, or the kind alone where there is no id, or the id was erased.
fn reference(kind: &str, id: &str) -> Value {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !id.is_empty() && id.chars().all(is_id) {
        json!({"reference": format!("{kind}/{id}")})
    } else if id.is_empty() {
        json!({"type": kind, "display": kind})
    } else {
        json!({"type": kind, "display": id})
    }
}

fn coding(system: &str, code: &str) -> Value {
    json!({"system": system, "code": code})
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn hyphenated(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let mut text = String::new();
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[cfg(test)]
mod tests;
