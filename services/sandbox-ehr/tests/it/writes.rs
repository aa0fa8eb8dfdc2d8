//! Creates and updates over the wire: versions, conditions, each product's rules, and answers that lie or are lost.

use http::Method;
use serde_json::{Value, json};

use crate::ehr::{Ehr, Reply, text};
use crate::product::{matches, tokens};

const SCOPES: &str = "openid launch patient/Patient.rs patient/Observation.cruds patient/Condition.cruds \
    patient/DocumentReference.cruds patient/Task.cruds patient/QuestionnaireResponse.cruds";

/// A product with a token that may write for the first patient.
struct Writer {
    ehr: Ehr,
    tokens: Value,
}

impl Writer {
    async fn at(profile: &str) -> Self {
        Self::with(profile, SCOPES).await
    }

    async fn with(profile: &str, scopes: &str) -> Self {
        let ehr = Ehr::start_as(profile).await;
        let tokens = tokens(&ehr, "public-app", scopes).await;
        Self { ehr, tokens }
    }

    fn patient(&self) -> &str {
        text(&self.tokens, "patient")
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: &Value,
    ) -> Result<Reply, String> {
        let bearer = format!("Bearer {}", text(&self.tokens, "access_token"));
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/fhir+json"),
            ("accept", "application/fhir+json"),
        ];
        headers.extend_from_slice(more);
        self.ehr.try_send(method, &self.ehr.fhir(path), &headers, body.to_string()).await
    }

    async fn create(&self, kind: &str, more: &[(&str, &str)], body: &Value) -> Reply {
        self.try_send(Method::POST, &format!("/{kind}"), more, body).await.unwrap()
    }

    async fn update(&self, path: &str, more: &[(&str, &str)], body: &Value) -> Reply {
        self.try_send(Method::PUT, path, more, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.ehr.fhir_get(path, text(&self.tokens, "access_token")).await
    }

    async fn count(&self, kind: &str, identifier: &str) -> usize {
        let reply = self
            .get(&format!("/{kind}?patient={}&identifier={identifier}&category=vital-signs", self.patient()))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        matches(&reply.json()).len()
    }

    /// A heart rate of the patient in context, with an identifier.
    fn pulse(&self, identifier: &str) -> Value {
        json!({"resourceType": "Observation", "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "identifier": [{"system": "urn:test", "value": identifier}],
            "subject": {"reference": format!("Patient/{}", self.patient())},
            "valueQuantity": {"value": 71, "unit": "/min"}})
    }
}

/// `Type/id` of a `Location`.
fn path_of(reply: &Reply) -> String {
    let location = reply.header("location");
    let below = location.split("/fhir").nth(1).unwrap_or_else(|| panic!("{} {}", reply.status, reply.body));
    below.split("/_history/").next().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_created_can_be_read_and_found_and_only_there() {
    let writer = Writer::at("strict").await;
    let reply = writer.create("Observation", &[], &writer.pulse("1")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.header("etag"), "W/\"1\"");
    assert!(reply.header("location").ends_with("/_history/1"));
    let read = writer.get(&path_of(&reply)).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["valueQuantity"]["value"], 71);
    assert_eq!(writer.count("Observation", "urn:test|1").await, 1);
    assert_eq!(
        writer
            .ehr
            .sandbox
            .records()
            .of_patient("Observation", writer.patient())
            .filter(|r| r.id().starts_with("new-"))
            .count(),
        0
    );
}

#[tokio::test]
async fn an_update_needs_the_newest_version_where_one_is_named() {
    let writer = Writer::at("strict").await;
    let path = path_of(&writer.create("Observation", &[], &writer.pulse("1")).await);
    let mut body = writer.pulse("1");
    body["id"] = json!(path.rsplit('/').next().unwrap());
    body["valueQuantity"]["value"] = json!(80);
    let updated = writer.update(&path, &[("if-match", "W/\"1\"")], &body).await;
    assert_eq!((updated.status.as_u16(), updated.header("etag")), (200, "W/\"2\""), "{}", updated.body);
    assert_eq!(writer.update(&path, &[("if-match", "W/\"1\"")], &body).await.status, 412);
    assert_eq!(writer.get(&format!("{path}/_history/1")).await.json()["valueQuantity"]["value"], 71);
    let unknown = writer
        .update(
            "/Observation/none",
            &[],
            &json!({"resourceType": "Observation", "id": "none", "status": "final", "code": {"text": "x"}}),
        )
        .await;
    assert_eq!(unknown.status, 422, "it is about nobody: {}", unknown.body);
}

#[tokio::test]
async fn a_conditional_create_makes_one_and_says_when_several_match() {
    let writer = Writer::at("strict").await;
    let condition = [("if-none-exist", "identifier=urn:test|7")];
    let body = writer.pulse("7");
    let (first, second) = tokio::join!(
        writer.create("Observation", &condition, &body),
        writer.create("Observation", &condition, &body),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    assert_eq!(path_of(&first), path_of(&second));
    assert_eq!(writer.create("Observation", &[], &writer.pulse("7")).await.status, 201);
    let several = writer.create("Observation", &condition, &writer.pulse("7")).await;
    assert_eq!(several.status, 412);
    assert_eq!(several.json()["issue"][0]["code"], "multiple-matches");
    assert_eq!(writer.count("Observation", "urn:test|7").await, 2);
}

#[tokio::test]
async fn scopes_and_patient_decide_what_may_be_written() {
    let writer = Writer::with(
        "strict",
        "openid launch patient/Patient.rs patient/Observation.rs patient/Condition.cr",
    )
    .await;
    assert_eq!(writer.create("Observation", &[], &writer.pulse("1")).await.status, 403);
    let condition = |patient: &str| json!({"resourceType": "Condition", "code": {"text": "x"}, "subject": {"reference": format!("Patient/{patient}")}});
    let other = writer.ehr.sandbox.records().patients()[1].id.clone();
    assert_eq!(writer.create("Condition", &[], &condition(&other)).await.status, 403);
    assert_eq!(writer.create("Condition", &[], &condition("nobody")).await.status, 422);
    let own = writer.create("Condition", &[], &condition(writer.patient())).await;
    assert_eq!(own.status, 201);
    let mut body = condition(writer.patient());
    body["id"] = json!(path_of(&own).rsplit('/').next().unwrap());
    assert_eq!(writer.update(&path_of(&own), &[], &body).await.status, 403, "created, not updated");
}

#[tokio::test]
async fn each_product_takes_its_own_types_and_says_so() {
    for (profile, kind, is_taken) in [
        ("epic", "Observation", true),
        ("oracle", "Observation", true),
        ("meditech", "Observation", false),
        ("athena", "Observation", false),
        ("ecw", "Observation", false),
        ("nextgen", "Observation", false),
        ("veradigm", "Observation", false),
        ("athena", "QuestionnaireResponse", true),
        ("ecw", "QuestionnaireResponse", true),
        ("meditech", "QuestionnaireResponse", true),
    ] {
        let scopes =
            if profile == "nextgen" { "openid launch patient/*.write patient/Patient.read" } else { SCOPES };
        let writer = Writer::with(profile, scopes).await;
        let body = match kind {
            "Observation" => writer.pulse("1"),
            _ => json!({"resourceType": kind, "status": "completed",
                "subject": {"reference": format!("Patient/{}", writer.patient())}}),
        };
        let reply = writer.create(kind, &[], &body).await;
        let expected = if is_taken { 201 } else { 405 };
        assert_eq!(reply.status, expected, "{profile} {kind}: {}", reply.body);
        if is_taken {
            assert_eq!(writer.get(&path_of(&reply)).await.status, 200, "{profile}: its own id reads back");
        }
    }
}

#[tokio::test]
async fn oracle_answers_with_headers_alone_ignores_conditions_and_drops_what_it_does_not_keep() {
    let writer = Writer::at("oracle").await;
    let condition = [("if-none-exist", "identifier=urn:test|1")];
    let first = writer.create("Observation", &condition, &writer.pulse("1")).await;
    assert_eq!(
        (first.status.as_u16(), first.body.as_str(), first.header("content-type")),
        (201, "", "text/html")
    );
    let second = writer.create("Observation", &condition, &writer.pulse("1")).await;
    assert_ne!(path_of(&first), path_of(&second), "written twice");
    let read = writer.get(&path_of(&first)).await.json();
    assert!(read.get("identifier").is_none() && read["valueQuantity"]["value"] == 71);
    let note = json!({"resourceType": "Condition", "code": {"text": "x"}, "modifierExtension": [],
        "subject": {"reference": format!("Patient/{}", writer.patient())}});
    assert_eq!(writer.create("Condition", &[], &note).await.status, 422);
    let mut plain = note.clone();
    plain.as_object_mut().unwrap().remove("modifierExtension");
    let path = path_of(&writer.create("Condition", &[], &plain).await);
    plain["id"] = json!(path.rsplit('/').next().unwrap());
    assert_eq!(writer.update(&path, &[], &plain).await.status, 400, "no If-Match");
    assert_eq!(writer.update(&path, &[("if-match", "W/\"9\"")], &plain).await.status, 409);
    assert_eq!(writer.update(&path, &[("if-match", "W/\"1\"")], &plain).await.status, 200);
}

#[tokio::test]
async fn what_is_done_can_be_answered_with_an_error_late_or_not_at_all() {
    let writer = Writer::at("strict").await;
    writer.ehr.fault_once("after:502").await;
    assert_eq!(writer.create("Observation", &[], &writer.pulse("a")).await.status, 502);
    assert_eq!(writer.count("Observation", "urn:test|a").await, 1);
    writer.ehr.fault_once("reset-after").await;
    assert!(writer.try_send(Method::POST, "/Observation", &[], &writer.pulse("b")).await.is_err());
    assert_eq!(writer.count("Observation", "urn:test|b").await, 1);
    writer.ehr.fault_once("reset").await;
    assert!(writer.try_send(Method::POST, "/Observation", &[], &writer.pulse("c")).await.is_err());
    assert_eq!(writer.count("Observation", "urn:test|c").await, 0);
}

#[tokio::test]
async fn the_statement_tells_what_is_taken_and_one_product_lies() {
    for (profile, creates, conditional) in [
        ("strict", true, true),
        ("oracle", true, false),
        ("veradigm", true, false),
        ("nextgen", false, false),
    ] {
        let ehr = Ehr::start_as(profile).await;
        let statement = ehr.get(&ehr.fhir("/metadata")).await.json();
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        let kind = if profile == "veradigm" { "AllergyIntolerance" } else { "Observation" };
        let resource = resources.iter().find(|resource| resource["type"] == kind).unwrap();
        let names = resource["interaction"].as_array().unwrap();
        assert_eq!(names.iter().any(|one| one["code"] == "create"), creates, "{profile}");
        assert_eq!(resource["conditionalCreate"] == true, conditional, "{profile}");
    }
}
