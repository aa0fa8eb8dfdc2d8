//! What came with the token: patient, scopes, and what is missing.

use sallyport_model::ServiceName;
use sallyport_proto::{audit::v1::Kind, launch::v1::ResolveRequest};

use crate::{
    vault::grant_of,
    world::{World, each, opened},
};

const ENOUGH: &str = "openid patient/Patient.rs";

#[tokio::test]
async fn what_cannot_be_used_opens_nothing_and_its_grant_is_revoked() {
    each(|world: World| async move {
        let long = format!(r#"{{"patient":"{}"}}"#, "p".repeat(130));
        let cases = [
            (ENOUGH, "{}", "context.patient_missing"),
            (ENOUGH, r#"{"patient":null}"#, "context.patient_missing"),
            (ENOUGH, r#"{"patient":"Patient/1"}"#, "context.invalid"),
            (ENOUGH, r#"{"patient":"../x"}"#, "context.invalid"),
            (ENOUGH, long.as_str(), "context.invalid"),
            (ENOUGH, "[]", "context.invalid"),
            ("", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("openid fhirUser", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("patient/Condition.rs", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("patient/Patient.r", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("patient/Patient.sr", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("user/Patient.rs", r#"{"patient":"1"}"#, "scope.required_missing"),
            ("system/*.cruds", r#"{"patient":"1"}"#, "scope.required_missing"),
        ];
        for (n, (scope, context, code)) in cases.into_iter().enumerate() {
            world.vault.grants(scope, context);
            let mut browser = world.browser();
            let departed = world.depart(&mut browser).await;
            let answer = browser.get(&world.answer_path(&departed)).await;
            assert_eq!(answer.code(), code, "{scope:?} {context}");
            assert!(browser.jar.keys().all(|name| !name.starts_with("__Host-s-")));
            assert_eq!(world.last_code(Kind::Callback).await, code);
            let launch = world.vault.exchanges.lock().unwrap()[n].launch_id.clone();
            assert_eq!(world.vault.revoked_grants().last(), Some(&grant_of(&launch)));
        }
    })
    .await;
}

#[tokio::test]
async fn the_context_reaches_the_gateway_as_the_ehr_meant_it() {
    each(|world: World| async move {
        world.vault.grants(
            "openid patient/Patient.rs",
            r#"{"patient":"p.1-A","encounter":"e1","intent":"reconcile","smart_style_url":"https://ehr.example/s.json",
                "fhirContext":[{"reference":"ImagingStudy/1"},"DiagnosticReport/2",{"role":""}]}"#,
        );
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let launch = opened(&browser.get(&world.answer_path(&departed)).await.location());
        let request = ResolveRequest {
            launch_id: launch.uuid().as_bytes().to_vec(),
            session_secret: browser.jar[&format!("__Host-s-{launch}")].clone(),
        };
        let session = world.client(ServiceName::FhirGateway).resolve(request).await.unwrap().into_inner();
        assert_eq!((session.patient.as_str(), session.encounter.as_str()), ("p.1-A", "e1"));
        assert_eq!((session.intent.as_str(), session.need_patient_banner), ("reconcile", true));
        assert_eq!(
            session.fhir_context_json,
            r#"[{"reference":"ImagingStudy/1","role":"launch"},{"reference":"DiagnosticReport/2","role":"launch"}]"#
        );
        assert_eq!(session.granted_scope, "openid patient/Patient.rs");
        assert_eq!(session.user.unwrap().subject, "user-1");
        assert_eq!((session.tenant.as_str(), session.app.as_str()), ("general", "chart"));
        assert_eq!(session.features, ["patient-summary", "medication-reconciliation"]);
        assert!(session.is_ehr_launch && session.renewable);
    })
    .await;
}
