//! The normalised chart over HTTP and gRPC, the source of a value, and the document that describes them.

use axum::{body::Body, http::Request};
use sallyport_clinical::{ChartSection, Content, ProblemKind, SectionState};
use sallyport_model::session;
use sallyport_proto::gateway::v1::{ChartRequest, SourceRequest, ViewRequest};

use crate::{
    ehr::{Reply, condition, searchset, with_next},
    world::{Answer, Tab, World, with_cookie},
};

async fn api(world: &World, tab: &Tab, path: &str) -> Answer {
    let request = Request::get(format!("/api/{}/v1/{path}", tab.launch))
        .header("sec-fetch-site", "same-origin")
        .header("cookie", format!("{}={}", session::cookie_name(tab.launch), tab.secret.expose()));
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn section(world: &World, tab: &Tab, name: &str) -> ChartSection {
    let answer = api(world, tab, &format!("chart/{name}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        (answer.header("cache-control"), answer.header("content-type")),
        ("no-store", "application/json; charset=utf-8")
    );
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn a_section_is_read_normalised_and_recorded() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), &condition("2", "a")]))]);
    let problems = section(&world, &tab, "problems").await;
    assert_eq!(problems.state, SectionState::Complete, "{:?}", problems.problems);
    let Content::Problems { items } = problems.content else { panic!("problems") };
    assert_eq!(items.len(), 2);
    let records = world.ended().await;
    assert_eq!((records.len(), records[0].feature.as_str()), (1, "patient-summary"));
}

#[tokio::test]
async fn referenced_medications_are_read_in_a_second_round() {
    let world = World::start().await;
    let tab = world.tab("a");
    let order = |id: &str, medication: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","id":"{id}","status":"active","intent":"order","subject":{{"reference":"Patient/a"}},"medicationReference":{{"reference":"Medication/{medication}"}}}}"#
        )
    };
    world.ehr.on("/MedicationRequest", [Reply::json(searchset(&[&order("1", "m1"), &order("2", "m2")]))]);
    world.ehr.on(
        "/Medication/m1",
        [Reply::json(r#"{"resourceType":"Medication","id":"m1","code":{"text":"Canarycillin"}}"#)],
    );
    let medications = section(&world, &tab, "medications").await;
    assert_eq!(medications.state, SectionState::Partial, "m2 is not there");
    assert_eq!(medications.problems.len(), 1);
    assert_eq!(medications.problems[0].code, "ehr.not_found");
    assert!(serde_json::to_string(&medications).unwrap().contains("Canarycillin"));
}

#[tokio::test]
async fn pages_are_followed_and_what_lies_beyond_is_said() {
    let world = World::start().await;
    let tab = world.tab("a");
    let page = |n: usize| {
        let link = format!("{}/fhir/Condition?page={}", world.ehr.url, n + 1);
        Reply::json(with_next(&[&condition(&n.to_string(), "a")], Some(&link)))
    };
    world.ehr.on("/Condition", (1..=7).map(page).collect::<Vec<_>>());
    let problems = section(&world, &tab, "problems").await;
    assert_eq!((problems.state, problems.resources), (SectionState::Partial, 7));
    assert_eq!(problems.problems[0].kind, ProblemKind::Truncated, "the last page leads to itself");
}

#[tokio::test]
async fn a_section_says_what_is_missing_and_why() {
    let world = World::start().await;
    let tab = world.tab_with("a", |s| {
        s.granted_scope = "patient/Patient.rs patient/Condition.rs".to_owned();
    });
    let state = |section: ChartSection| {
        (section.state, section.problems.first().map(|p| p.code.clone()).unwrap_or_default())
    };
    assert_eq!(
        state(section(&world, &tab, "vitals").await),
        (SectionState::NotGranted, "fhir.scope_denied".to_owned())
    );
    world.ehr.on("/Condition", [Reply::new(503, "<html>")]);
    assert_eq!(state(section(&world, &tab, "problems").await), (SectionState::Failed, "ehr.busy".to_owned()));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "b")]))]);
    assert_eq!(
        state(section(&world, &tab, "problems").await),
        (SectionState::Withheld, "ehr.foreign_patient".to_owned())
    );
}

#[tokio::test]
async fn a_section_does_not_wait_for_the_ehr_longer_than_its_deadline() {
    let world = World::with(|config| config.section_deadline_ms = 300).await;
    let tab = world.tab("a");
    world
        .ehr
        .on("/AllergyIntolerance", [Reply::json(searchset(&[])).after(std::time::Duration::from_secs(120))]);
    let started = tokio::time::Instant::now();
    let allergies = section(&world, &tab, "allergies").await;
    assert_eq!(allergies.state, SectionState::Failed);
    assert_eq!(allergies.problems[0].code, "ehr.timeout");
    // Not the time of a call, which is longer.
    assert!(started.elapsed() < std::time::Duration::from_secs(15));
}

#[tokio::test]
async fn every_section_asks_only_what_the_tables_allow() {
    let world = World::start().await;
    let types = [
        "Condition",
        "MedicationRequest",
        "AllergyIntolerance",
        "Observation",
        "Encounter",
        "DocumentReference",
        "Immunization",
        "Procedure",
        "CareTeam",
    ];
    let scope: String = types.iter().map(|t| format!("patient/{t}.rs ")).collect();
    let scope = format!("{scope}patient/Patient.rs patient/Coverage.rs");
    scope.clone_into(&mut world.owners.token_scope.lock().unwrap());
    let tab = world.tab_with("a", |s| s.granted_scope = scope);
    world.ehr.on("/Patient/a", [Reply::json(r#"{"resourceType":"Patient","id":"a"}"#)]);
    for resource_type in types {
        world.ehr.on(&format!("/{resource_type}"), [Reply::json(searchset(&[]))]);
    }
    for name in sallyport_clinical::Section::ALL {
        let section = section(&world, &tab, name.as_str()).await;
        let expected =
            if name.as_str() == "coverage" { SectionState::Withheld } else { SectionState::Complete };
        assert_eq!(section.state, expected, "{name}: {:?}", section.problems);
    }
}

#[tokio::test]
async fn sections_are_refused_where_there_is_nothing_to_read() {
    let world = World::start().await;
    let none = world.tab("");
    assert_eq!(api(&world, &none, "chart/problems").await.code(), "fhir.patient_denied");
    let tab = world.tab("a");
    assert_eq!(api(&world, &tab, "chart/nonsense").await.code(), "request.not_found");
    assert_eq!(api(&world, &tab, "nonsense").await.code(), "request.not_found");
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn the_pages_get_view_chart_and_source_with_the_persons_cookie() {
    let world = World::start().await;
    let tab = world.tab_with("a", |s| s.granted_scope = "patient/Patient.rs patient/Condition.rs".to_owned());
    let launch_id = tab.launch.uuid().as_bytes().to_vec();
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a")]))]);
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    let view = world
        .web()
        .view(with_cookie(ViewRequest { launch_id: launch_id.clone() }, &tab))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (view.tenant_name.as_str(), view.user_display.as_str()),
        ("General Hospital", "Dr. Synthetic")
    );
    assert_eq!((view.relaunch_path.as_str(), view.token_expires_at), ("/launch/scripted", 0));
    assert_eq!(view.frame_ancestors, std::slice::from_ref(&world.ehr.url));
    let features: Vec<_> = view.features.iter().map(|f| (f.id.as_str(), f.on, f.reason.as_str())).collect();
    assert_eq!(
        features,
        [
            ("patient-summary", true, ""),
            ("medication-reconciliation", false, "The EHR did not grant access to MedicationRequest."),
        ]
    );
    let ask = ChartRequest { launch_id: launch_id.clone(), section: "problems".to_owned(), by_person: true };
    let chart = world.web().chart(with_cookie(ask, &tab)).await.unwrap().into_inner();
    let chart: ChartSection = serde_json::from_slice(&chart.json).unwrap();
    assert_eq!(chart.resources, 1);
    let ask = SourceRequest { launch_id, reference: "Condition/1".to_owned() };
    let source = world.web().source(with_cookie(ask, &tab)).await.unwrap().into_inner();
    assert_eq!(source.json, condition("1", "a").into_bytes());
    crate::world::until("activity was reported", || !world.owners.activity.lock().unwrap().is_empty()).await;
}

#[tokio::test]
async fn the_pages_own_identity_opens_nothing() {
    let world = World::start().await;
    let (tab, other) = (world.tab("a"), world.tab("b"));
    let launch_id = tab.launch.uuid().as_bytes().to_vec();
    let without = world.web().view(ViewRequest { launch_id: launch_id.clone() }).await.unwrap_err();
    assert_eq!(sallyport_rpc::code_of(&without).as_str(), "session.missing");
    let crossed = world
        .web()
        .view(with_cookie(ViewRequest { launch_id: launch_id.clone() }, &other))
        .await
        .unwrap_err();
    assert_eq!(sallyport_rpc::code_of(&crossed).as_str(), "session.missing");
    let transport =
        sallyport_rpc::Transport::local(world.rpc.clone(), sallyport_model::ServiceName::TokenVault);
    let mut stranger = sallyport_proto::gateway::v1::fhir_gateway_client::FhirGatewayClient::new(transport);
    let refused = stranger.view(with_cookie(ViewRequest { launch_id }, &tab)).await.unwrap_err();
    assert_eq!(sallyport_rpc::code_of(&refused).as_str(), "rpc.caller_denied");
}

#[tokio::test]
async fn a_source_is_one_resource_of_this_patient() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition/1", [Reply::json(condition("1", "a"))]);
    world.ehr.on("/Condition/2", [Reply::json(condition("2", "b"))]);
    let answer = api(&world, &tab, "source/Condition/1").await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, condition("1", "a")));
    assert_eq!(api(&world, &tab, "source/Condition/2").await.code(), "ehr.foreign_patient");
    assert_eq!(api(&world, &tab, "source/Condition/%2e%2e").await.code(), "fhir.path_invalid");
    assert_eq!(api(&world, &tab, "source/Patient/b").await.code(), "fhir.patient_denied");
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_checked_in() {
    let world = World::start().await;
    let tab = world.tab("a");
    let served = api(&world, &tab, "openapi.json").await;
    assert_eq!(served.status, 200);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("SALLYPORT_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &served.body).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        served.body == checked_in,
        "docs/openapi.json is stale: run this test with SALLYPORT_WRITE_DOCS=1"
    );
    assert!(served.body.contains("ChartSection") && served.body.contains("/api/{launch}/v1/chart/{section}"));
}
