//! Services without a person, and exports of everybody, as each product has them.

use http::Method;
use serde_json::{Value, json};

use crate::ehr::{Ehr, Reply, text};

const SECRET: &str = "a-secret-of-the-service";
const SCOPES: &str = "system/Group.rs system/Patient.rs system/Condition.rs";

struct Service {
    ehr: Ehr,
    token: String,
}

async fn registered(profile: &str) -> Ehr {
    let ehr = Ehr::start_as(profile).await;
    let client = json!({"client_id": "service", "name": "Service", "launch_url": "http://localhost:8080/launch",
        "redirect_uris": [], "auth": {"type": "secret", "value": SECRET}, "scopes": SCOPES.split(' ').collect::<Vec<_>>()});
    assert!(ehr.admin(Method::POST, "/clients", client).await.status.is_success());
    ehr
}

async fn token(ehr: &Ehr, scope: Option<&str>) -> Reply {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("service:{SECRET}"));
    let basic = format!("Basic {basic}");
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(scope.map(|scope| ("scope", scope)));
    ehr.form_with(&ehr.oauth("/token"), &fields, &[("authorization", basic.as_str())]).await
}

impl Service {
    async fn start(profile: &str) -> Self {
        let ehr = registered(profile).await;
        let reply = token(&ehr, Some(SCOPES)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        Self { token: text(&reply.json(), "access_token").to_owned(), ehr }
    }

    async fn send(&self, method: Method, url: &str, more: &[(&str, &str)]) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        headers.extend_from_slice(more);
        self.ehr.try_send(method, url, &headers, String::new()).await.unwrap()
    }

    async fn kick_off(&self, query: &str) -> Reply {
        let url = self.ehr.fhir(&format!("/Group/all/$export{query}"));
        self.send(Method::GET, &url, &[("prefer", "respond-async")]).await
    }

    /// Waits by the sandbox's clock; the manifest.
    async fn manifest(&mut self, status: &str, seconds: i64) -> Value {
        self.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": seconds})).await;
        // The token may have died meanwhile, as it does in a real export.
        self.token = text(&token(&self.ehr, Some(SCOPES)).await.json(), "access_token").to_owned();
        let reply = self.send(Method::GET, status, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }
}

#[tokio::test]
async fn an_export_is_promised_made_fetched_and_deleted() {
    let mut service = Service::start("strict").await;
    let promised = service.kick_off("?_type=Patient").await;
    assert_eq!(promised.status, 202, "{}", promised.body);
    let status = promised.header("content-location").to_owned();
    let waiting = service.send(Method::GET, &status, &[]).await;
    assert_eq!((waiting.status.as_u16(), waiting.header("retry-after")), (202, "10"));
    let manifest = service.manifest(&status, 31).await;
    let url = text(&manifest["output"][0], "url").to_owned();
    let file = service.send(Method::GET, &url, &[]).await;
    assert_eq!((file.header("content-type"), file.body.lines().count()), ("application/fhir+ndjson", 4));
    assert!(file.body.contains("canary-pat-0001") && file.body.contains("canary-pat-0004"));
    assert_eq!(service.send(Method::DELETE, &status, &[]).await.status, 202);
    assert_eq!(service.send(Method::GET, &status, &[]).await.status, 404);
}

#[tokio::test]
async fn an_export_needs_its_scopes_and_the_right_preference() {
    let service = Service::start("strict").await;
    let url = service.ehr.fhir("/Group/all/$export");
    assert_eq!(service.send(Method::GET, &url, &[]).await.status, 400);
    let ehr = registered("strict").await;
    let without = text(&token(&ehr, Some("system/Patient.rs")).await.json(), "access_token").to_owned();
    let poor = Service { ehr, token: without };
    assert_eq!(poor.kick_off("").await.status, 403);
}

#[tokio::test]
async fn a_service_token_reaches_everybody_and_a_persons_app_never_gets_one() {
    let service = Service::start("strict").await;
    let found = service.send(Method::GET, &service.ehr.fhir("/Patient"), &[]).await.json();
    assert_eq!(found["total"], json!(4));
    let request = service.ehr.authorize_request("public-app", None).with("scope", "system/Patient.rs");
    let back = service.ehr.get(&request.url()).await.location();
    assert_eq!(crate::ehr::answer(&back, "error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn one_product_grants_without_being_asked_and_another_insists() {
    let epic = token(&registered("epic").await, None).await.json();
    assert!(text(&epic, "scope").contains("system/Patient.read"), "{epic}");
    let oracle = token(&registered("oracle").await, None).await.json();
    assert_eq!(oracle["error"], "invalid_scope");
    assert_eq!(
        token(&registered("nextgen").await, Some(SCOPES)).await.json()["error"],
        "unsupported_grant_type"
    );
}

#[tokio::test]
async fn epic_knows_no_since_and_refuses_the_same_group_for_a_day() {
    let mut epic = Service::start("epic").await;
    assert_eq!(epic.kick_off("?_since=2026-01-01T00:00:00Z").await.status, 400);
    let status = epic.kick_off("?_type=Patient").await.header("content-location").to_owned();
    epic.manifest(&status, 601).await;
    assert_eq!(epic.kick_off("?_type=Patient").await.status, 429, "not deleted");
    epic.send(Method::DELETE, &status, &[]).await;
    let again = epic.kick_off("?_type=Patient").await;
    assert!(again.status == 429 && again.body.contains("too recently"), "{}", again.body);
    epic.ehr.admin(Method::POST, "/clock", json!({"advance_seconds": 24 * 3600})).await;
    epic.token = text(&token(&epic.ehr, None).await.json(), "access_token").to_owned();
    assert_eq!(epic.kick_off("?_type=Patient").await.status, 202);
}

#[tokio::test]
async fn oracle_sends_to_signed_addresses_that_refuse_a_token_and_repeats_rows() {
    let mut oracle = Service::start("oracle").await;
    assert_eq!(
        oracle.kick_off("?_type=Patient&_type=Condition").await.status,
        400,
        "joined with commas only"
    );
    let status = oracle.kick_off("?_type=Patient,Condition").await.header("content-location").to_owned();
    assert_eq!(oracle.send(Method::GET, &status, &[]).await.header("retry-after"), "18000");
    let manifest = oracle.manifest(&status, 3601).await;
    let outputs = manifest["output"].as_array().unwrap();
    let patients = outputs.iter().find(|output| output["type"] == "Patient").unwrap();
    let redirect = oracle.send(Method::GET, text(patients, "url"), &[]).await;
    assert_eq!(redirect.status, 307);
    let signed = redirect.location().to_string();
    assert_eq!(oracle.send(Method::GET, &signed, &[]).await.status, 400, "with a token");
    let file = oracle.ehr.get(&signed).await;
    let lines: Vec<_> = file.body.lines().collect();
    assert!(lines.len() == 5 && lines[0] == lines[1]);
}
