//! Looks at an endpoint without a person: on a registration's own grant, at its test patients and nobody else.

use std::time::Duration;

use sallyport_model::{Code, ServiceName};
use sallyport_proto::gateway::v1::{
    LookRequest, LookResponse, ProbeRequest, fhir_gateway_client::FhirGatewayClient,
};
use sallyport_rpc::{Transport, code_of};
use serde_json::Value;

use crate::{
    ehr::{Reply, condition, searchset, with_next},
    run::SERVICE_SCOPES,
    world::World,
};

const RUN: [u8; 16] = [3; 16];

async fn world() -> World {
    let world = World::start().await;
    SERVICE_SCOPES.clone_into(&mut world.owners.token_scope.lock().unwrap());
    world
}

fn operator(world: &World) -> FhirGatewayClient<Transport> {
    FhirGatewayClient::new(Transport::local(world.rpc.clone(), ServiceName::Operator))
}

fn ask(patient: &str, path: &str, query: &str) -> LookRequest {
    LookRequest {
        tenant: "general".to_owned(),
        endpoint: "looked".to_owned(),
        reason: "a test".to_owned(),
        run_id: RUN.to_vec(),
        patient: patient.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
    }
}

async fn look(world: &World, request: LookRequest) -> Result<LookResponse, &'static str> {
    let answer = operator(world).look(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status).as_str())
}

fn body(answer: &LookResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn code(answer: &LookResponse) -> String {
    body(answer)["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_look_reads_a_test_patient_on_a_grant_of_its_own_and_is_recorded_as_a_run() {
    let world = world().await;
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "zz-test")]))]);
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "zz-test"))]);
    let found = look(&world, ask("zz-test", "/Condition", "patient=zz-test")).await.unwrap();
    assert_eq!(found.status, 200);
    assert_eq!(body(&found)["entry"][0]["resource"]["id"], "1");
    assert_eq!(look(&world, ask("zz-test", "/Condition/1", "")).await.unwrap().status, 200);
    assert_eq!(world.owners.opened.lock().unwrap().len(), 1, "one grant for all calls");
    assert!(world.ehr.seen().iter().all(|seen| !seen.header("authorization").is_empty()));
    let records = world.ended().await;
    for record in &records {
        assert_eq!((record.job.as_str(), record.detail.as_str()), ("look", "a test"));
        assert_eq!(
            (record.patients.as_slice(), &record.run_id),
            (["zz-test".to_owned()].as_slice(), &RUN.to_vec())
        );
        assert_eq!((record.feature.as_str(), record.purpose.as_str()), ("population-report", "HOPERAT"));
    }
    assert_eq!(records[0].request_id, found.request_id);
}

#[tokio::test]
async fn nobody_but_a_test_patient_is_looked_at_and_only_by_reading() {
    let world = world().await;
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "b")]))]);
    for patient in ["b", "zz-tes", "zz-test.b"] {
        let refused = look(&world, ask(patient, "/Condition", &format!("patient={patient}"))).await;
        assert_eq!(refused.unwrap_err(), "look.denied", "{patient}");
    }
    assert!(world.owners.opened.lock().unwrap().is_empty(), "no grant was even asked for");
    assert_eq!(world.ended().await.last().unwrap().code, "look.denied");
    // Another patient's record through a test patient's look: as little as through a launch.
    for (path, query, expected) in [
        ("/Condition", "patient=b", "fhir.patient_denied"),
        ("/Patient/b", "", "fhir.patient_denied"),
        ("/Coverage", "patient=zz-test", "fhir.scope_denied"),
        ("/Group/$export", "", "fhir.interaction_denied"),
        ("/../admin", "", "fhir.path_invalid"),
    ] {
        let answer = look(&world, ask("zz-test", path, query)).await.unwrap();
        assert_eq!((answer.status >= 400, code(&answer).as_str()), (true, expected), "{path}?{query}");
    }
    let foreign = look(&world, ask("zz-test", "/Condition", "patient=zz-test")).await.unwrap();
    assert_eq!(code(&foreign), "ehr.foreign_patient");
    assert!(!String::from_utf8_lossy(&foreign.body).contains("canary"));
}

#[tokio::test]
async fn without_a_word_how_an_endpoint_is_looked_at_nothing_is_asked_of_it() {
    let world = world().await;
    let request = LookRequest { endpoint: "main".to_owned(), ..ask("zz-test", "/Condition", "") };
    assert_eq!(look(&world, request).await.unwrap_err(), "look.not_configured");
    for wrong in [
        LookRequest { reason: String::new(), ..ask("zz-test", "/Condition", "") },
        LookRequest { run_id: vec![1], ..ask("zz-test", "/Condition", "") },
        LookRequest { patient: String::new(), ..ask("zz-test", "/Condition", "") },
        LookRequest { endpoint: "nowhere".to_owned(), ..ask("zz-test", "/Condition", "") },
    ] {
        assert_eq!(look(&world, wrong).await.unwrap_err(), "request.invalid");
    }
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_page_goes_on_in_its_own_run_and_in_no_other() {
    let world = world().await;
    let next = format!("{}/fhir/Condition?page=2", world.ehr.url);
    let first = with_next(&[&condition("1", "zz-test")], Some(&next));
    world.ehr.on("/Condition", [Reply::json(first), Reply::json(searchset(&[&condition("2", "zz-test")]))]);
    let found = look(&world, ask("zz-test", "/Condition", "patient=zz-test")).await.unwrap();
    let links = body(&found)["link"].as_array().unwrap().clone();
    let handle =
        links.iter().find(|link| link["relation"] == "next").unwrap()["url"].as_str().unwrap().to_owned();
    let other = LookRequest { run_id: vec![4; 16], ..ask("zz-test", &handle, "") };
    assert!(look(&world, other).await.unwrap().status >= 400);
    let second = look(&world, ask("zz-test", &handle, "")).await.unwrap();
    assert_eq!(body(&second)["entry"][0]["resource"]["id"], "2");
}

#[tokio::test]
async fn a_revoked_grant_is_not_used_again_and_one_with_other_scopes_neither() {
    let world = world().await;
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "zz-test")]))]);
    let asked = || ask("zz-test", "/Condition", "patient=zz-test");
    look(&world, asked()).await.unwrap();
    let first = world.owners.opened.lock().unwrap()[0].clone();
    world.owners.revoke_grant(&first);
    world.advance(Duration::from_secs(1)).await;
    crate::world::until("the revocation is known", || world.hops("token-vault") > 0).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while world.owners.opened.lock().unwrap().len() < 2 {
        look(&world, asked()).await.unwrap();
        assert!(tokio::time::Instant::now() < deadline, "no new grant was opened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    "system/Patient.rs".clone_into(&mut world.owners.token_scope.lock().unwrap());
    world.advance(Duration::from_secs(61)).await;
    assert_eq!(code(&look(&world, asked()).await.unwrap()), "job.scope_changed");
    // What is granted now is what the next look pins.
    assert_eq!(code(&look(&world, asked()).await.unwrap()), "fhir.scope_denied");
}

#[tokio::test]
async fn the_nightly_look_knows_the_shape_of_answers_although_nobody_has_launched() {
    let world = world().await;
    for patient in ["zz-test", "zz-other"] {
        let body = format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#);
        world.ehr.on(&format!("/Patient/{patient}"), [Reply::json(body)]);
    }
    world.ehr.on(
        "/Condition",
        [
            Reply::json(searchset(&[&condition("1", "zz-test")])),
            Reply::json(searchset(&[&condition("2", "zz-other")])),
        ],
    );
    world.ehr.on("/Observation", [Reply::json(searchset(&[]))]);
    let request = ProbeRequest {
        tenant: "general".to_owned(),
        endpoint: "looked".to_owned(),
        reason: "a test".to_owned(),
    };
    let probed = operator(&world).probe(request.clone()).await.unwrap().into_inner();
    assert!(probed.unread.iter().all(|one| one.area != "shapes"), "{:?}", probed.unread);
    let seen: Value = serde_json::from_str(&probed.capability.unwrap().snapshot_json).unwrap();
    assert_eq!(seen["shapes"]["Condition"], "2");
    assert_eq!(seen["shapes"]["Patient"], "2");
    assert_eq!(seen["answers"]["Condition search-type"], "answered");
    assert!(!seen.to_string().contains("canary") && !seen.to_string().contains("zz-"), "{seen}");
    let asked = world.ehr.targets();
    assert!(!asked.iter().any(|target| target.contains("Coverage")), "only what is in scope: {asked:?}");
    // A vault that gives no grant is told, and what the EHR says of itself is read all the same.
    let other = World::start().await;
    *other.owners.vault_refuses.lock().unwrap() = Some(Code::ExchangeRefused);
    other.ehr.on(
        "/metadata",
        [Reply::json(
            r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"mode":"server"}]}"#,
        )],
    );
    let probed = operator(&other).probe(request).await.unwrap().into_inner();
    assert!(probed.unread.iter().any(|one| one.area == "shapes"), "{:?}", probed.unread);
    assert!(probed.capability.unwrap().snapshot_json.contains("4.0.1"));
}
