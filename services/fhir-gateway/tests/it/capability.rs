//! Looks at an endpoint: what it says of itself, what its answers show, what changed, and what follows for calls.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::gateway::v1::{
    CapabilityRequest, CapabilityResponse, ProbeRequest, ProbeResponse,
    fhir_gateway_client::FhirGatewayClient,
};
use sallyport_rpc::{Transport, code_of};

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

/// A statement with these types, each with the interactions and parameters of a patient's record.
fn statement(version: &str, types: &[&str]) -> String {
    let types: Vec<String> = types
        .iter()
        .map(|kind| {
            format!(
                r#"{{"type":"{kind}","interaction":[{{"code":"read"}},{{"code":"search-type"}}],"searchParam":[{{"name":"patient","type":"reference"}},{{"name":"category","type":"token"}},{{"name":"intent","type":"token"}},{{"name":"status","type":"token"}}]}}"#
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"CapabilityStatement","fhirVersion":"{version}","software":{{"name":"EHR","version":"1"}},"rest":[{{"mode":"server","resource":[{}]}}]}}"#,
        types.join(",")
    )
}

const ALL: [&str; 18] = [
    "Patient",
    "Condition",
    "MedicationRequest",
    "Medication",
    "AllergyIntolerance",
    "Observation",
    "Encounter",
    "DocumentReference",
    "Binary",
    "DiagnosticReport",
    "Immunization",
    "Procedure",
    "CareTeam",
    "Coverage",
    "Practitioner",
    "MedicationStatement",
    "Location",
    "Organization",
];

fn describes_itself(world: &World, version: &str, types: &[&str]) {
    let ehr = &world.ehr.url;
    let smart = format!(
        r#"{{"authorization_endpoint":"{ehr}/authorize","token_endpoint":"{ehr}/token","capabilities":["launch-ehr"],"scopes_supported":["patient/Condition.rs"],"code_challenge_methods_supported":["S256"]}}"#
    );
    world.ehr.on("/.well-known/smart-configuration", [Reply::json(smart)]);
    world.ehr.on("/metadata", [Reply::json(statement(version, types))]);
}

fn operator(world: &World) -> FhirGatewayClient<Transport> {
    FhirGatewayClient::new(Transport::local(world.rpc.clone(), ServiceName::Operator))
}

async fn look(world: &World) -> ProbeResponse {
    // No two looks at one moment.
    world.clock.advance(Duration::from_millis(1));
    let request = ProbeRequest {
        tenant: "general".to_owned(),
        endpoint: "main".to_owned(),
        reason: "a test".to_owned(),
    };
    operator(world).probe(request).await.unwrap().into_inner()
}

fn told(known: &CapabilityResponse) -> Vec<String> {
    let mut all: Vec<String> = known
        .findings
        .iter()
        .map(|f| format!("{} {} {} {}", f.class, f.what, f.subject, f.features.join(",")))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_look_makes_few_calls_without_a_token_and_is_recorded() {
    let world = World::start().await;
    describes_itself(&world, "4.0.1", &ALL);
    let first = look(&world).await;
    assert!(first.is_first && first.unread.is_empty(), "{first:?}");
    let targets = world.ehr.targets();
    assert_eq!(targets, ["GET /fhir/.well-known/smart-configuration", "GET /fhir/metadata"]);
    assert!(world.ehr.seen().iter().all(|seen| seen.header("authorization").is_empty()));
    let records = world.ended().await;
    assert_eq!((records[0].interaction.as_str(), records[0].detail.as_str()), ("probe", "a test"));
    let metrics = world.metrics.render();
    assert!(metrics.contains("sallyport_capability_probed_at_seconds{"), "{metrics}");
}

#[tokio::test]
async fn what_changed_is_a_finding_by_the_features_it_touches_and_is_told_once() {
    let world = World::start().await;
    describes_itself(&world, "4.0.1", &ALL);
    let first = look(&world).await.capability.unwrap();
    assert_eq!(told(&first), Vec::<String>::new(), "{first:?}");
    let less: Vec<&str> = ALL.into_iter().filter(|kind| *kind != "Immunization").collect();
    describes_itself(&world, "4.0.1", &less);
    let second = look(&world).await;
    let now = told(second.capability.as_ref().unwrap());
    for expected in [
        "loses removed Immunization read patient-summary,population-report,care-gap-alerting",
        "loses removed Immunization search-type patient-summary,population-report,care-gap-alerting",
        "loses mismatch Immunization care-gap-alerting,patient-summary,population-report",
    ] {
        assert!(now.iter().any(|line| line == expected), "{expected} in {now:#?}");
    }
    let third = told(look(&world).await.capability.as_ref().unwrap());
    assert_eq!(
        third,
        ["loses mismatch Immunization care-gap-alerting,patient-summary,population-report"],
        "what lasts is told again, what happened is not"
    );
    describes_itself(&world, "4.0.1", &ALL);
    let back = told(look(&world).await.capability.as_ref().unwrap());
    assert!(
        back.contains(
            &"gains added Immunization read patient-summary,population-report,care-gap-alerting".to_owned()
        ),
        "{back:#?}"
    );
    assert!(!back.iter().any(|line| line.contains("mismatch")), "{back:#?}");
}

#[tokio::test]
async fn what_the_statement_leaves_out_is_refused_before_the_ehr_is_asked_and_not_told_in_metadata() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Immunization", [Reply::json(searchset(&[]))]);
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    describes_itself(&world, "4.0.1", &["Patient", "Condition"]);
    assert_eq!(world.get(&tab, "/Condition?code=1").await.status, 200, "nobody has looked yet");
    look(&world).await;
    let before = world.ehr.targets().len();
    let refused = world.get(&tab, "/DocumentReference").await;
    assert_eq!(refused.code(), "fhir.interaction_denied", "{}", refused.body);
    let undeclared = world.get(&tab, "/Condition?code=1").await;
    assert_eq!(undeclared.code(), "fhir.parameter_denied", "{}", undeclared.body);
    assert_eq!(world.ehr.targets().len(), before, "{:?}", world.ehr.targets());
    assert_eq!(world.get(&tab, "/Condition?category=a").await.status, 200);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    let metadata = world.get(&tab, "/metadata").await;
    assert!(
        metadata.body.contains("Condition") && !metadata.body.contains("DocumentReference"),
        "{}",
        metadata.body
    );
}

#[tokio::test]
async fn the_shape_of_answers_is_known_afterwards_and_no_value_of_them() {
    let world = World::with(|config| config.sample_one_in = 1).await;
    let tab = world.tab("a");
    describes_itself(&world, "4.0.1", &ALL);
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), &condition("2", "a")]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    for _ in 0..3 {
        assert_ne!(world.get(&tab, "/Coverage").await.status, 200, "refused here, so nothing is known of it");
    }
    let known = look(&world).await.capability.unwrap();
    let seen: serde_json::Value = serde_json::from_str(&known.snapshot_json).unwrap();
    assert_eq!(seen["shapes"]["Condition"], "2");
    assert_eq!(seen["shapes"]["Condition element subject.reference text"], "2");
    assert_eq!(seen["answers"]["Condition search-type"], "answered");
    for value in ["canary", "doc-1", "Patient/a"] {
        assert!(!known.snapshot_json.contains(value), "{value} in {}", known.snapshot_json);
    }
}

#[tokio::test]
async fn without_sampling_nothing_of_an_answer_is_kept() {
    let world = World::start().await;
    let tab = world.tab("a");
    describes_itself(&world, "4.0.1", &ALL);
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    assert_eq!(world.get(&tab, "/Condition").await.status, 200);
    let known = look(&world).await.capability.unwrap();
    let seen: serde_json::Value = serde_json::from_str(&known.snapshot_json).unwrap();
    assert!(seen.get("shapes").is_none() && seen.get("answers").is_none(), "{seen}");
}

#[tokio::test]
async fn an_ehr_that_cannot_be_read_keeps_what_was_known_and_says_so() {
    let world = World::start().await;
    describes_itself(&world, "4.0.1", &ALL);
    look(&world).await;
    world.ehr.on("/metadata", [Reply::new(503, "<html>later</html>")]);
    let second = look(&world).await;
    let unread: Vec<_> = second.unread.iter().map(|one| (one.area.as_str(), one.code.as_str())).collect();
    assert_eq!(unread, [("statement", "ehr.not_offered")]);
    let known = second.capability.unwrap();
    assert!(known.snapshot_json.contains("fhirVersion"), "what was known stays known");
    assert_eq!(told(&known), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_replica_saw_and_what_it_found_is_known_to_the_others() {
    let world = World::start().await;
    describes_itself(&world, "4.0.1", &["Patient"]);
    look(&world).await;
    let request = CapabilityRequest { tenant: "general".to_owned(), endpoint: "main".to_owned(), since: 0 };
    // A new process reads what is known when it starts.
    let other = world.replica().await;
    let known = operator(&other).capability(request).await.unwrap().into_inner();
    assert!(known.probed_at > 0 && known.snapshot_json.contains("Patient read"));
    let tab = other.tab("a");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while other.get(&tab, "/Condition").await.code() != "fhir.interaction_denied" {
        assert!(tokio::time::Instant::now() < deadline, "the replica does not know what was found");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_look_without_a_reason_or_at_nothing_is_refused() {
    let world = World::start().await;
    for (endpoint, reason) in [("main", ""), ("nowhere", "a test"), ("", "a test")] {
        let (tenant, endpoint, reason) = ("general".to_owned(), endpoint.to_owned(), reason.to_owned());
        let refused = operator(&world).probe(ProbeRequest { tenant, endpoint, reason }).await.unwrap_err();
        assert_eq!(code_of(&refused).as_str(), "request.invalid");
    }
    assert!(world.ehr.targets().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_states_dstu2_is_read_in_it() {
    let world = World::start().await;
    describes_itself(&world, "1.0.2", &["Patient", "Condition", "MedicationOrder", "MedicationStatement"]);
    look(&world).await;
    let order = r#"{"resourceType":"MedicationOrder","id":"m","status":"active","dateWritten":"2015-01-02","patient":{"reference":"Patient/a"},"medicationCodeableConcept":{"text":"Ibuprofen"}}"#;
    let foreign = order.replace("Patient/a", "Patient/b");
    let problem = r#"{"resourceType":"Condition","id":"c","patient":{"reference":"Patient/a"},"code":{"text":"Asthma"}}"#;
    world.ehr.on("/MedicationOrder", [Reply::json(searchset(&[order])), Reply::json(searchset(&[&foreign]))]);
    world.ehr.on("/MedicationStatement", [Reply::json(searchset(&[]))]);
    world.ehr.on("/Condition", [Reply::json(searchset(&[problem]))]);
    let tab = world.tab("a");
    let medications = world.chart(&tab, "medications").await;
    assert!(medications.body.contains("Ibuprofen"), "{}", medications.body);
    let problems = world.chart(&tab, "problems").await;
    assert!(problems.body.contains("Asthma"), "{}", problems.body);
    let mixed_up = world.chart(&tab, "medications").await;
    assert!(!mixed_up.body.contains("Ibuprofen") && mixed_up.body.contains("problems"), "{}", mixed_up.body);
}
