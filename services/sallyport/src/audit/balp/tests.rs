//! The profiles' rules as data, each with an event that breaks it: a rule that nothing breaks is no rule.

use sallyport_proto::types::v1::Actor;

use super::*;

fn record(interaction: &str, patients: &[&str]) -> Record {
    let user =
        User { issuer: "https://ehr.example".to_owned(), subject: "dr-who".to_owned(), ..User::default() };
    Record {
        record_id: vec![7; 16],
        request_id: vec![8; 16],
        phase: Phase::Outcome.into(),
        kind: Kind::FhirCall.into(),
        outcome: Outcome::Success.into(),
        recorded_at: 1_700_000_000_000_000,
        service: "fhir-gateway".to_owned(),
        tenant: "general".to_owned(),
        endpoint: "main".to_owned(),
        actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
        patients: patients.iter().map(|id| (*id).to_owned()).collect(),
        purpose: "TREAT".to_owned(),
        interaction: interaction.to_owned(),
        resource_types: vec!["Condition".to_owned()],
        parameters: vec!["patient".to_owned(), "code".to_owned()],
        resource_id: "c-1".to_owned(),
        ..Record::default()
    }
}

/// A rule: its name, whether it holds, and how to break it.
type Rule = (&'static str, fn(&Value, &Profile) -> bool, fn(&mut Value));

fn agent<'a>(event: &'a Value, code: &str) -> Option<&'a Value> {
    event["agent"].as_array()?.iter().find(|agent| agent["type"]["coding"][0]["code"] == code)
}

fn entity<'a>(event: &'a Value, system: &str, code: &str) -> Option<&'a Value> {
    let is_it = |entity: &&Value| entity["type"]["system"] == system && entity["type"]["code"] == code;
    event["entity"].as_array()?.iter().find(is_it)
}

fn has_who_and_network(event: &Value, code: &str) -> bool {
    agent(event, code)
        .is_some_and(|a| a["who"].is_object() && a["network"].is_object() && a["media"].is_null())
}

/// What the profiles of BALP's table share (Read, Query, Create, Update, Delete .fsh).
const RULES: &[Rule] = &[
    ("type is rest", |e, _| e["type"] == coding(EVENT_TYPE, "rest"), |e| e["type"]["code"] = "object".into()),
    (
        "a subtype is one of the interactions",
        |e, p| p.interactions.iter().any(|i| e["subtype"][0] == coding(INTERACTION, i)),
        |e| e["subtype"] = json!([]),
    ),
    ("action is the profile's", |e, p| e["action"] == p.action, |e| e["action"] = "X".into()),
    (
        "recorded is an instant",
        |e, _| e["recorded"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()),
        |e| e["recorded"] = "yesterday".into(),
    ),
    ("outcome is success", |e, _| e["outcome"] == "0", |e| e["outcome"] = "8".into()),
    (
        "the profile is named with its variant",
        |e, p| {
            let variant = if entity(e, ENTITY_TYPE, "1").is_some() { "Patient" } else { "" };
            e["meta"]["profile"][0] == format!("{CANONICAL}IHE.BasicAudit.{variant}{}", p.name)
        },
        |e| e["meta"]["profile"][0] = "another".into(),
    ),
    (
        "one client, with who and network and without media",
        |e, p| has_who_and_network(e, p.client.1),
        |e| e["agent"][0]["network"] = Value::Null,
    ),
    (
        "one server, with who and network and without media",
        |e, p| has_who_and_network(e, p.server.1),
        |e| e["agent"][1]["media"] = json!({"code": "110030"}),
    ),
    (
        "the user is the requestor, with who, without network",
        |e, p| {
            agent(e, p.user).is_some_and(|a| {
                a["requestor"] == true
                    && a["who"].is_object()
                    && a["network"].is_null()
                    && a["media"].is_null()
            })
        },
        |e| e["agent"][2]["requestor"] = false.into(),
    ),
    (
        "every agent says whether it asked (AuditEvent.agent.requestor 1..1)",
        |e, _| e["agent"].as_array().is_some_and(|all| all.iter().all(|a| a["requestor"].is_boolean())),
        |e| e["agent"][1]["requestor"] = Value::Null,
    ),
    (
        "the user's purpose is a reason of v3",
        |e, p| agent(e, p.user).is_some_and(|a| a["purposeOfUse"][0]["coding"][0]["system"] == REASON),
        |e| e["agent"][2]["purposeOfUse"] = json!([]),
    ),
    (
        "the source has an observer (AuditEvent.source.observer 1..1)",
        |e, _| e["source"]["observer"].is_object(),
        |e| e["source"]["observer"] = Value::Null,
    ),
    (
        "the transaction carries the request id",
        |e, _| {
            entity(e, BALP_ENTITY, "XrequestId").is_some_and(|t| t["what"]["identifier"]["value"].is_string())
        },
        |e| e["entity"][2]["what"] = json!({}),
    ),
    (
        "one patient, by reference",
        |e, _| {
            entity(e, ENTITY_TYPE, "1").is_some_and(|p| {
                p["role"] == coding(ROLE, "1")
                    && p["what"]["reference"].as_str().is_some_and(|r| r.starts_with("Patient/"))
            })
        },
        |e| e["entity"][1]["what"]["reference"] = "Group/1".into(),
    ),
    (
        "data has a what and a role, a query has its text in base64 and no what",
        |e, p| {
            let Some(object) = entity(e, ENTITY_TYPE, "2") else { return false };
            if p.is_query {
                object["role"] == coding(ROLE, "24")
                    && object["query"].is_string()
                    && object["what"].is_null()
                    && object["detail"].is_null()
            } else {
                object["role"] == coding(ROLE, "4") && object["what"].is_object()
            }
        },
        |e| e["entity"][0]["role"]["code"] = "13".into(),
    ),
];

#[test]
fn every_interaction_of_every_profile_keeps_every_rule_and_a_broken_event_breaks_its_own() {
    for profile in &PROFILES {
        for interaction in profile.interactions {
            let [event] = events(&record(interaction, &["pat-1"])).try_into().unwrap();
            for (rule, holds, _) in RULES {
                assert!(holds(&event, profile), "{interaction}: {rule}\n{event:#}");
            }
            for (rule, holds, breaks) in RULES {
                let mut broken = event.clone();
                breaks(&mut broken);
                assert!(!holds(&broken, profile), "{interaction}: nothing breaks: {rule}");
                let others = RULES.iter().filter(|(other, ..)| other != rule);
                let also: Vec<_> =
                    others.filter(|(_, holds, _)| !holds(&broken, profile)).map(|r| r.0).collect();
                assert!(also.is_empty(), "{interaction}: breaking {rule} breaks {also:?}");
            }
        }
    }
}

#[test]
fn there_is_one_event_for_each_patient_and_one_without() {
    let of = |patients: &[&str]| events(&record("search-type", patients));
    assert_eq!(of(&["a", "b", "c"]).len(), 3);
    let [none] = of(&[]).try_into().unwrap();
    assert_eq!(none["meta"]["profile"][0], format!("{CANONICAL}IHE.BasicAudit.Query"));
    assert!(entity(&none, ENTITY_TYPE, "1").is_none());
    let ids: std::collections::BTreeSet<_> = of(&["a", "b"]).iter().map(|e| e["id"].to_string()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn what_failed_names_no_profile_and_says_how_bad_it_was() {
    for (outcome, expected) in [(Outcome::Refused, "8"), (Outcome::Failed, "4"), (Outcome::Pending, "12")] {
        let failed =
            Record { outcome: outcome.into(), code: "policy.denied".to_owned(), ..record("read", &["a"]) };
        let [event] = events(&failed).try_into().unwrap();
        assert_eq!((&event["outcome"], &event["outcomeDesc"]), (&expected.into(), &"policy.denied".into()));
        assert!(event["meta"].is_null());
    }
}

#[test]
fn a_token_exchange_is_iti_71_without_a_secret() {
    let exchange = Record {
        kind: Kind::TokenExchange.into(),
        phase: Phase::Event.into(),
        requested_scope: "launch openid".to_owned(),
        ..record("", &[])
    };
    let [event] = events(&exchange).try_into().unwrap();
    assert_eq!(event["type"], coding(DCM, "110114"));
    assert_eq!(event["subtype"][0]["code"], "ITI-71");
    assert_eq!(event["agent"].as_array().map(Vec::len), Some(3));
    assert!(has_who_and_network(&event, "110150") && has_who_and_network(&event, "AuthzOauthService"));
    let [entity] = event["entity"].as_array().unwrap().as_slice() else { panic!("one entity") };
    assert_eq!(entity["query"], base64("grant_type=authorization_code&scope=launch openid"));
}

#[test]
fn intents_and_what_is_no_call_have_no_event_and_the_erased_no_reference() {
    assert!(events(&Record { phase: Phase::Intent.into(), ..record("read", &["a"]) }).is_empty());
    assert!(events(&Record { kind: Kind::AuditQuery.into(), ..record("search", &[]) }).is_empty());
    let [event] = events(&record("read", &["[erased]"])).try_into().unwrap();
    assert_eq!(
        entity(&event, ENTITY_TYPE, "1").unwrap()["what"],
        json!({"type": "Patient", "display": "[erased]"})
    );
}
