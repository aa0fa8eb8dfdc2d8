//! The steps that the tests of all products share: a launch with listed scopes, reads and searches.

use http::Method;
use serde_json::Value;

use crate::ehr::{Ehr, Reply, answer, text};

/// Scopes that name every type: some products know no wildcard.
pub(crate) const SCOPES: &str = "openid fhirUser profile launch offline_access patient/Patient.rs \
    patient/AllergyIntolerance.rs patient/Binary.rs patient/CarePlan.rs patient/CareTeam.rs \
    patient/Condition.rs patient/Coverage.rs patient/DiagnosticReport.rs patient/DocumentReference.rs \
    patient/Encounter.rs patient/Goal.rs patient/Immunization.rs patient/Medication.rs \
    patient/MedicationRequest.rs patient/Observation.rs patient/Procedure.rs";

/// A product under test with a token for the first patient.
pub(crate) struct Product {
    pub(crate) ehr: Ehr,
    pub(crate) tokens: Value,
}

impl Product {
    /// Starts a sandbox and launches the public app in the product's way.
    pub(crate) async fn launched(profile: &str) -> Self {
        let ehr = Ehr::start_as(profile).await;
        let tokens = tokens(&ehr, "public-app", SCOPES).await;
        Self { ehr, tokens }
    }

    pub(crate) fn token(&self) -> &str {
        text(&self.tokens, "access_token")
    }

    /// The patient's id as the product writes it.
    pub(crate) fn patient(&self) -> &str {
        text(&self.tokens, "patient")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ehr.fhir_get(path, self.token()).await
    }

    /// A page by its address.
    pub(crate) async fn follow(&self, url: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token());
        let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        self.ehr.try_send(Method::GET, url, &headers, String::new()).await.unwrap()
    }

    /// A search of the patient's records that must succeed: `search("Observation", "category=laboratory")`.
    pub(crate) async fn search(&self, kind: &str, more: &str) -> Value {
        let reply = self.get(&format!("/{kind}?patient={}&{more}", self.patient())).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }
}

/// The authorize request of a product that wants nothing odd.
pub(crate) async fn code(ehr: &Ehr, client: &str, scopes: &str) -> String {
    let launch = ehr.launch(client).await;
    let mut request = ehr.authorize_request(client, Some(&launch)).with("scope", scopes);
    if ehr.place.profile == "nextgen" {
        request = request.without("aud");
    }
    let reply = ehr.get(&request.url()).await;
    let location = reply.location();
    answer(&location, "code").unwrap_or_else(|| panic!("no code in {location}"))
}

/// A whole launch up to the token response.
pub(crate) async fn tokens(ehr: &Ehr, client: &str, scopes: &str) -> Value {
    let code = code(ehr, client, scopes).await;
    let mut fields = vec![("client_id", client), ("code", code.as_str())];
    if client == "secret-app" {
        fields.push(("client_secret", crate::ehr::SECRET));
    }
    let reply = ehr.redeem_with(&fields, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// The resources of a page's matches.
pub(crate) fn matches(bundle: &Value) -> Vec<&Value> {
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|found| found["resourceType"] != "OperationOutcome")
        .collect()
}

/// The address of a link.
pub(crate) fn link<'b>(bundle: &'b Value, relation: &str) -> Option<&'b str> {
    let links = bundle["link"].as_array()?;
    links.iter().find(|link| link["relation"] == relation)?["url"].as_str()
}

/// The codes of `issue.details` of an OperationOutcome.
pub(crate) fn issue_codes(outcome: &Value) -> Vec<&str> {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    issues.iter().filter_map(|issue| issue["details"]["coding"][0]["code"].as_str()).collect()
}

/// The codes of the remarks among a page's entries.
pub(crate) fn remarks(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let outcomes = entries.iter().filter(|entry| entry["resource"]["resourceType"] == "OperationOutcome");
    outcomes.flat_map(|entry| issue_codes(&entry["resource"])).collect()
}

/// The claims of an id token.
pub(crate) fn claims(tokens: &Value) -> Value {
    use base64::Engine as _;
    let part = text(tokens, "id_token").split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
