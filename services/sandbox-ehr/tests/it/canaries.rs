//! The wrong-patient oracle: whatever a product serves, its canary is the patient's in context.

use http::Method;
use sallyport_sandbox_ehr::profile::Profile;
use serde_json::{Value, json};

use crate::ehr::{Ehr, answer, text};
use crate::product::{SCOPES, matches};

/// A search of each type that every product answers.
const SEARCHES: [(&str, &str); 12] = [
    ("AllergyIntolerance", ""),
    ("CarePlan", "category=assess-plan"),
    ("Condition", ""),
    ("DiagnosticReport", ""),
    ("DocumentReference", ""),
    ("Encounter", ""),
    ("Goal", ""),
    ("Immunization", ""),
    ("MedicationRequest", "intent=order"),
    ("Observation", "category=laboratory"),
    ("Observation", "category=vital-signs"),
    ("Procedure", ""),
];

/// The canaries of a resource.
fn canaries(resource: &Value) -> Vec<&str> {
    let tags = resource["meta"]["tag"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = tags.iter().filter(|tag| tag["system"] == "https://sandbox.sallyport.example/canary");
    ours.filter_map(|tag| tag["code"].as_str()).collect()
}

async fn token_for(ehr: &Ehr, patient: &str) -> Value {
    let launch = ehr.launch_of("public-app", patient).await;
    let mut request = ehr.authorize_request("public-app", Some(&launch)).with("scope", SCOPES);
    if ehr.place.profile == "nextgen" {
        request = request.without("aud");
    }
    let code = answer(&ehr.get(&request.url()).await.location(), "code").unwrap();
    ehr.redeem("public-app", &code).await.json()
}

/// Searches everything and tells how many resources came and which canaries were others'.
async fn strangers(ehr: &Ehr, patient: &str, fault: Option<&str>) -> (usize, Vec<String>) {
    let tokens = token_for(ehr, patient).await;
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let own = format!("canary-{patient}");
    let (mut seen, mut foreign) = (0, Vec::new());
    for (kind, more) in SEARCHES {
        let url = ehr.fhir(&format!("/{kind}?patient={}&{more}", text(&tokens, "patient")));
        let mut headers = vec![("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        headers.extend(fault.map(|fault| ("x-sandbox-fault", fault)));
        let reply = ehr.try_send(Method::GET, &url, &headers, String::new()).await.unwrap();
        assert_eq!(reply.status, 200, "{} {kind}: {}", ehr.place.profile, reply.body);
        for found in matches(&reply.json()) {
            seen += 1;
            let canaries = canaries(found);
            assert_eq!(canaries.len(), 1, "{} {kind}", ehr.place.profile);
            foreign.extend(canaries.into_iter().filter(|canary| *canary != own).map(str::to_owned));
        }
    }
    (seen, foreign)
}

#[tokio::test]
async fn every_product_serves_two_patients_in_turns_and_no_canary_is_the_others() {
    let mut ehr = Ehr::start().await;
    for profile in Profile::all() {
        profile.name.clone_into(&mut ehr.place.profile);
        for patient in ["pat-0001", "pat-0002", "pat-0001"] {
            let (seen, foreign) = strangers(&ehr, patient, None).await;
            assert!(seen > 20, "{} served {seen}", profile.name);
            assert_eq!(foreign, Vec::<String>::new(), "{}", profile.name);
        }
    }
}

#[tokio::test]
async fn a_product_that_mixes_up_patients_is_found_out_by_the_canaries() {
    let ehr = Ehr::start_as("athena").await;
    let (_, foreign) = strangers(&ehr, "pat-0001", Some("foreign-patient")).await;
    assert!(!foreign.is_empty(), "the oracle sees what it must see");
}

#[tokio::test]
async fn a_patients_id_from_another_product_opens_nothing() {
    let ehr = Ehr::start_as("epic").await;
    let tokens = token_for(&ehr, "pat-0001").await;
    for id in ["pat-0001", "a-195900.Patient-pat-0001", "epat-0001.x"] {
        let reply = ehr.fhir_get(&format!("/Patient/{id}"), text(&tokens, "access_token")).await;
        assert_eq!(reply.status, 404, "{id}");
    }
    assert_eq!(json!(null), ehr.fhir_get("/Patient/pat-0001", "").await.json()["id"]);
}
