//! What is refused: each with its code, without a byte sent to the EHR unless the answer itself is at fault, and recorded.

use axum::body::Body;
use sallyport_model::{LaunchId, session};
use sallyport_proto::audit::v1::{Outcome, Phase};

use crate::{
    ehr::{Reply, condition, searchset},
    world::World,
};

/// The call is refused with `code`, nothing was sent, one event was recorded.
async fn refused(world: &World, tab: &crate::world::Tab, path: &str, code: &str) {
    let before = (world.ehr.seen().len(), world.ended().await.len());
    let answer = world.get(tab, path).await;
    assert_eq!(answer.code(), code, "{path}: {}", answer.body);
    assert!(answer.body.starts_with(r#"{"resourceType":"OperationOutcome""#));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(world.ehr.seen().len(), before.0, "{path} reached the EHR");
    let ended = world.ended().await;
    assert_eq!(ended.len(), before.1 + 1, "{path} is recorded once");
    let last = ended.last().unwrap();
    assert_eq!(
        (last.phase(), last.outcome(), last.code.as_str()),
        (Phase::Event, Outcome::Refused, code),
        "{path}"
    );
    assert_eq!(last.patients, ["a"]);
}

#[tokio::test]
async fn path_tricks_are_refused() {
    let world = World::start().await;
    let tab = world.tab("a");
    let long = format!("/Patient/{}", "a".repeat(130));
    for path in [
        "/Patient/..",
        "/Patient/%2e%2e",
        "/Patient//a",
        "//Patient/a",
        "/Patient/a;x=1",
        "/Patient/a%2f..%2fb",
        "/Patient/",
        "/",
        &long,
    ] {
        refused(&world, &tab, path, "fhir.path_invalid").await;
    }
}

#[tokio::test]
async fn everything_that_reaches_beyond_the_patient_is_refused() {
    let world = World::start().await;
    let tab = world.tab("a");
    for query in [
        "_include=Condition:subject",
        "_revinclude=Provenance:target",
        "_has:Observation:patient:code=x",
        "subject.name=x",
        "subject:Patient.name=x",
        "patient:missing=false",
        "_filter=x",
        "_list=x",
        "_contained=true",
        "nonsense=1",
    ] {
        refused(&world, &tab, &format!("/Condition?{query}"), "fhir.parameter_denied").await;
    }
    for path in
        ["/Patient/a/$everything", "/$export", "/Patient/a/_history", "/Patient/a/Condition", "/_history"]
    {
        refused(&world, &tab, path, "fhir.interaction_denied").await;
    }
    for path in ["/Group", "/Bundle/x", "/Person/x", "/Nonsense"] {
        refused(&world, &tab, path, "fhir.type_denied").await;
    }
}

#[tokio::test]
async fn batch_writes_and_other_methods_are_refused() {
    let world = World::start().await;
    let tab = world.tab("a");
    assert_eq!(world.post(&tab, "/Condition", "{}").await.code(), "fhir.interaction_denied");
    assert_eq!(world.post(&tab, "", "{}").await.code(), "fhir.path_invalid");
    for method in ["PUT", "PATCH", "DELETE", "HEAD"] {
        let request = world.request(&tab, method, "/Patient/a").header("origin", crate::world::ORIGIN);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 403, "{method}");
        if method != "HEAD" {
            assert_eq!(answer.code(), "fhir.method_not_allowed", "{method}");
        }
    }
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_request_for_another_patient_is_refused_before_it_is_sent() {
    let world = World::start().await;
    let tab = world.tab("a");
    for path in [
        "/Patient/b",
        "/Patient?_id=b",
        "/Condition?patient=b",
        "/Condition?subject=Patient/b",
        "/Condition?patient=a,b",
    ] {
        refused(&world, &tab, path, "fhir.patient_denied").await;
    }
    let answer = world.post(&tab, "/Condition/_search", "patient=b").await;
    assert_eq!(answer.code(), "fhir.patient_denied");
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn an_answer_with_another_patient_is_withheld_whole_and_recorded() {
    let world = World::start().await;
    let tab = world.tab("a");
    let (ours, foreign) = (condition("1", "a"), condition("2", "b"));
    world.ehr.on("/Condition", [Reply::json(searchset(&[&ours, &foreign]))]);
    world.ehr.on("/Condition/2", [Reply::json(foreign.clone())]);
    world.ehr.on("/Patient/a", [Reply::json(r#"{"resourceType":"Patient","id":"b"}"#)]);
    for path in ["/Condition", "/Condition/2", "/Patient/a"] {
        let answer = world.get(&tab, path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (502, "ehr.foreign_patient"), "{path}");
        assert!(!answer.body.contains("canary"), "{path}");
    }
    let ended = world.ended().await;
    assert_eq!(ended.len(), 3);
    for record in ended {
        assert_eq!(
            (record.outcome(), record.code.as_str(), record.released),
            (Outcome::Failed, "ehr.foreign_patient", 0)
        );
    }
}

#[tokio::test]
async fn entries_that_do_not_say_whose_they_are_stay_here() {
    let world = World::start().await;
    let tab = world.tab("a");
    let silent = r#"{"resourceType":"Condition","id":"3","code":{"text":"canary-silent"}}"#;
    let included = r#"{"resourceType":"Practitioner","id":"doc-1","name":[{"family":"canary-included"}]}"#;
    world.ehr.on("/Condition", [Reply::json(searchset(&[&condition("1", "a"), silent, included]))]);
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("canary-1-a"));
    assert!(!answer.body.contains("canary-silent") && !answer.body.contains("canary-included"));
    assert!(!answer.body.contains("total"), "a total would count what was withheld");
    let record = world.ended().await.pop().unwrap();
    assert_eq!((record.released, record.withheld), (1, 2));
}

#[tokio::test]
async fn what_was_not_granted_is_refused_before_it_is_sent() {
    let world = World::start().await;
    let tab = world.tab_with("a", |s| s.granted_scope = "patient/Patient.rs".to_owned());
    for path in ["/Condition", "/Condition/1", "/Observation?category=laboratory"] {
        refused(&world, &tab, path, "fhir.scope_denied").await;
    }
    let wide = world.tab_with("a", |s| s.granted_scope = "patient/*.cruds".to_owned());
    refused(&world, &wide, "/ServiceRequest", "fhir.scope_denied").await;
}

#[tokio::test]
async fn an_empty_grant_permits_nothing() {
    let world = World::start().await;
    let tab = world.tab_with("a", |s| s.granted_scope = String::new());
    world.ehr.on("/Patient/a", [Reply::json(r#"{"resourceType":"Patient","id":"a"}"#)]);
    world.owners.token_scope.lock().unwrap().clear();
    refused(&world, &tab, "/Patient/a", "feature.off").await;
}

#[tokio::test]
async fn a_grant_that_a_refresh_narrowed_is_noticed() {
    let world = World::start().await;
    let tab = world.tab("a");
    "patient/Patient.rs".clone_into(&mut world.owners.token_scope.lock().unwrap());
    let answer = world.get(&tab, "/Condition").await;
    assert_eq!(answer.code(), "fhir.scope_denied");
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_constrained_scope_lets_only_what_satisfies_it_out() {
    let world = World::start().await;
    let scope = "patient/Patient.rs patient/Observation.rs?category=laboratory";
    let tab = world.tab_with("a", |s| s.granted_scope = scope.to_owned());
    let observation = |id: &str, category: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"{id}","category":[{{"coding":[{{"code":"{category}"}}]}}],"subject":{{"reference":"Patient/a"}}}}"#
        )
    };
    let (lab, vital) = (observation("lab", "laboratory"), observation("vital", "vital-signs"));
    world.ehr.on("/Observation", [Reply::json(searchset(&[&lab, &vital]))]);
    world.ehr.on("/Observation/vital", [Reply::json(vital.clone())]);
    let answer = world.get(&tab, "/Observation").await;
    assert!(answer.body.contains("\"lab\"") && !answer.body.contains("vital-signs"), "{}", answer.body);
    assert_eq!(world.get(&tab, "/Observation/vital").await.code(), "fhir.scope_denied");
}

#[tokio::test]
async fn without_a_patient_in_context_nothing_of_a_patient_is_answered() {
    let world = World::start().await;
    let scope = "user/Patient.rs patient/Patient.rs user/Condition.rs user/Practitioner.rs";
    let tab = world.tab_with("", |s| s.granted_scope = scope.to_owned());
    scope.clone_into(&mut world.owners.token_scope.lock().unwrap());
    world.ehr.on(
        "/Patient/b",
        [Reply::json(r#"{"resourceType":"Patient","id":"b","name":[{"family":"canary"}]}"#)],
    );
    for path in ["/Patient/b", "/Condition", "/Condition/1"] {
        let answer = world.get(&tab, path).await;
        assert!(
            answer.status.is_client_error() && !answer.body.contains("canary"),
            "{path}: {}",
            answer.body
        );
    }
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_security_label_that_no_rule_names_withholds_the_resource() {
    let world = World::start().await;
    let tab = world.tab("a");
    let labelled = |id: &str, code: &str| {
        let label = format!(
            r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"{code}"}}"#
        );
        format!(
            r#"{{"resourceType":"Condition","id":"{id}","meta":{{"security":[{label}]}},"subject":{{"reference":"Patient/a"}}}}"#
        )
    };
    let (normal, permitted, unknown) = (labelled("n", "N"), labelled("r", "R"), labelled("v", "V"));
    let elsewhere = r#"{"resourceType":"Condition","id":"e","meta":{"security":[{"system":"urn:other","code":"N"}]},"subject":{"reference":"Patient/a"}}"#;
    world.ehr.on("/Condition", [Reply::json(searchset(&[&normal, &permitted, &unknown, elsewhere]))]);
    world.ehr.on("/Condition/v", [Reply::json(unknown.clone())]);
    let answer = world.get(&tab, "/Condition").await;
    assert!(answer.body.contains(r#""id":"n""#) && answer.body.contains(r#""id":"r""#));
    assert!(!answer.body.contains(r#""id":"v""#) && !answer.body.contains(r#""id":"e""#), "{}", answer.body);
    assert_eq!(world.get(&tab, "/Condition/v").await.code(), "fhir.policy_denied");
    let record = world.ended().await.remove(0);
    assert_eq!(record.security_labels, ["N", "R", "V", "urn:other|N"]);
    assert_eq!((record.withheld, record.policy_decision.as_str()), (2, "permit:treatment"));
}

#[tokio::test]
async fn the_policy_refuses_a_type_before_it_is_asked_for() {
    let world = World::start().await;
    let tab = world.tab("a");
    refused(&world, &tab, "/Coverage", "fhir.policy_denied").await;
}

#[tokio::test]
async fn a_call_runs_under_one_feature_and_stays_inside_it() {
    let world = World::start().await;
    let tab = world.tab("a");
    world.ehr.on("/Condition", [Reply::json(searchset(&[]))]);
    let ask = |feature: &'static str, path: &'static str| {
        let request = world.request(&tab, "GET", path).header("x-sallyport-feature", feature);
        world.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask("patient-summary", "/Condition").await.status, 200);
    assert_eq!(ask("medication-reconciliation", "/Condition").await.code(), "fhir.scope_denied");
    assert_eq!(ask("population-report", "/Condition").await.code(), "feature.off");
    assert_eq!(ask("care-gap-alerting", "/Condition").await.code(), "feature.unknown");
    assert_eq!(ask("No such!", "/Condition").await.code(), "feature.unknown");
    let record = world.ended().await.remove(0);
    assert_eq!((record.feature.as_str(), record.purpose.as_str()), ("patient-summary", "TREAT"));
}

#[tokio::test]
async fn a_session_opens_only_with_its_own_cookie_and_handle() {
    let world = World::start().await;
    let (a, b) = (world.tab("a"), world.tab("b"));
    world.ehr.on(
        "/Patient/b",
        [Reply::json(r#"{"resourceType":"Patient","id":"b","name":[{"family":"canary"}]}"#)],
    );
    let cookie = |of: LaunchId, secret: &str| format!("{}={secret}", session::cookie_name(of));
    let crossed = [
        cookie(b.launch, b.secret.expose()),
        cookie(a.launch, b.secret.expose()),
        cookie(a.launch, "short"),
        String::new(),
        format!("{0}; {0}", cookie(a.launch, a.secret.expose())),
    ];
    for header in crossed {
        let request = http::Request::get(format!("/fhir/{}/Patient/b", a.launch)).header("cookie", &header);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "session.missing"), "{}", answer.body);
    }
    assert!(world.ehr.seen().is_empty());
    let ended = world.ended().await;
    assert_eq!(ended.len(), 1, "a whole cookie that opens nothing is recorded");
    assert_eq!((ended[0].tenant.as_str(), ended[0].code.as_str()), ("_system", "session.missing"));
}

#[tokio::test]
async fn other_sites_are_refused() {
    let world = World::start().await;
    let tab = world.tab("a");
    let cookie = format!("{}={}", session::cookie_name(tab.launch), tab.secret.expose());
    let pairs: [(&str, &str); 4] = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("origin", "http://evil.test"),
        ("origin", "null"),
    ];
    for (name, value) in pairs {
        let request = http::Request::get(format!("/fhir/{}/Patient/a", tab.launch))
            .header("cookie", &cookie)
            .header(name, value);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.code(), "request.cross_site", "{name}: {value}");
    }
    let request =
        http::Request::post(format!("/fhir/{}/Condition/_search", tab.launch)).header("cookie", &cookie);
    assert_eq!(world.send(request.body(Body::from("patient=a")).unwrap()).await.code(), "request.cross_site");
    assert_eq!(world.ended().await.len(), 5);
    assert!(world.ehr.seen().is_empty());
}

#[tokio::test]
async fn a_body_of_a_gibibyte_is_refused_unread() {
    let world = World::start().await;
    let tab = world.tab("a");
    let request = world
        .request(&tab, "POST", "/Condition/_search")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", (1_u64 << 30).to_string());
    let answer = world.send(request.body(Body::from("patient=a")).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "request.too_large"));
    // Without a declared length it is cut off at the cap.
    let chunk = bytes::Bytes::from(vec![b'a'; 64 * 1024]);
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&sent);
    let stream = futures_util::stream::iter((0..16_384).map(move |_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok::<_, std::io::Error>(chunk.clone())
    }));
    let answer = world.post(&tab, "/Condition/_search", Body::from_stream(stream)).await;
    assert_eq!(answer.code(), "request.too_large");
    assert!(sent.load(std::sync::atomic::Ordering::SeqCst) < 10, "the rest was not read");
}

#[tokio::test]
async fn only_json_and_forms_are_spoken() {
    let world = World::start().await;
    let tab = world.tab("a");
    refused(&world, &tab, "/Condition?_format=xml", "fhir.media_type").await;
    let request = world.request(&tab, "GET", "/Patient/a").header("accept", "application/fhir+xml");
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.code(), "fhir.media_type");
    let request =
        world.request(&tab, "POST", "/Condition/_search").header("content-type", "application/json");
    assert_eq!(world.send(request.body(Body::from("{}")).unwrap()).await.code(), "fhir.media_type");
    let packed = world
        .request(&tab, "POST", "/Condition/_search")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", "gzip");
    assert_eq!(world.send(packed.body(Body::from("x")).unwrap()).await.code(), "fhir.media_type");
}

#[tokio::test]
async fn no_refusal_reflects_input() {
    let world = World::start().await;
    let tab = world.tab("a");
    for path in [
        "/Reflected123",
        "/Patient/reflected123%3Cscript%3E",
        "/Condition?reflected123=1",
        "/Condition?code:reflected123=1",
        "/Patient/reflected123",
    ] {
        let answer = world.get(&tab, path).await;
        assert!(!answer.body.to_lowercase().contains("reflected123"), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_handle_that_is_none_finds_nothing() {
    let world = World::start().await;
    for path in ["/fhir/nonsense/Patient/a", "/fhir/0192F0C1D2E37A4B8C5D6E7F80910A0B/Patient/a"] {
        let answer = world.send(http::Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "request.not_found"), "{path}");
    }
}
