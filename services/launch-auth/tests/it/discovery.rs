//! Discovery through the launch: cached, revalidated, held against the registration.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    browser::query,
    ehr::Document,
    world::{World, each, eventually},
};

const WELL_KNOWN: &str = "/r4/.well-known/smart-configuration";

async fn code(world: &World) -> String {
    let answer = world.browser().get(&world.launch_path()).await;
    assert!(answer.cookies_set().is_empty() && answer.header("location").is_none());
    answer.code().to_owned()
}

#[tokio::test]
async fn many_launches_at_once_fetch_the_document_once() {
    each(|world: World| async move {
        let world = Arc::new(world);
        world.ehr.gate.forget_permits(100);
        let mut launches = Vec::new();
        for _ in 0..8 {
            let world = Arc::clone(&world);
            launches.push(tokio::spawn(async move { world.depart(&mut world.browser()).await }));
        }
        eventually("the first request", || async { !world.ehr.paths().is_empty() }).await;
        world.ehr.gate.add_permits(100);
        for launch in launches {
            launch.await.unwrap();
        }
        assert_eq!(world.ehr.paths(), [WELL_KNOWN]);
        assert_eq!(world.ehr.last_header("accept").as_deref(), Some("application/json"));
        assert_eq!(world.ehr.last_header("authorization"), None);
    })
    .await;
}

#[tokio::test]
async fn a_launch_reads_nothing_of_the_ehr_but_its_discovery_document() {
    each(|world: World| async move {
        world.open(&mut world.browser()).await;
        assert_eq!(world.ehr.paths(), [WELL_KNOWN]);
    })
    .await;
}

#[tokio::test]
async fn the_document_lives_as_long_as_the_ehr_says_and_is_revalidated_by_its_etag() {
    each(|world: World| async move {
        let headers =
            vec![("cache-control", "public, max-age=120".to_owned()), ("etag", "\"v1\"".to_owned())];
        let body = world.ehr.sound("/r4").to_string();
        world.ehr.serve(WELL_KNOWN, Document { status: 200, headers, body });
        let mut browser = world.browser();
        world.depart(&mut browser).await;
        world.clock.advance(Duration::from_secs(119));
        world.depart(&mut browser).await;
        assert_eq!(world.ehr.paths().len(), 1);
        world.clock.advance(Duration::from_secs(1));
        world.depart(&mut browser).await;
        assert_eq!(world.ehr.paths().len(), 2);
        assert_eq!(world.ehr.last_header("if-none-match").as_deref(), Some("\"v1\""));
        // The 304 made it fresh again.
        world.clock.advance(Duration::from_secs(119));
        world.depart(&mut browser).await;
        assert_eq!(world.ehr.paths().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_old_document_serves_while_the_ehr_fails_and_a_failure_is_not_asked_for_twice_at_once() {
    each(|world: World| async move {
        world.depart(&mut world.browser()).await;
        world.ehr.serve(WELL_KNOWN, Document { status: 503, headers: vec![], body: "<html>".to_owned() });
        world.clock.advance(Duration::from_secs(3_601));
        world.depart(&mut world.browser()).await;
        world.depart(&mut world.browser()).await;
        assert_eq!(world.ehr.paths().len(), 2, "the failure is remembered for a moment");
        world.clock.advance(Duration::from_secs(25 * 3_600));
        assert_eq!(code(&world).await, "launch.discovery_failed");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_moved_is_a_finding_and_never_followed() {
    each(|world: World| async move {
        let lake = world.lake.url.clone();
        for member in ["authorization_endpoint", "token_endpoint", "jwks_uri", "revocation_endpoint"] {
            world.ehr.describe("/r4", |d| d[member] = json!(format!("{lake}/x")));
            world.clock.advance(Duration::from_secs(2 * 3_600));
            assert_eq!(code(&world).await, "launch.discovery_drift", "{member}");
        }
        world.ehr.describe("/r4", |d| d["issuer"] = json!(format!("{lake}/oauth")));
        world.clock.advance(Duration::from_secs(2 * 3_600));
        assert_eq!(code(&world).await, "launch.discovery_drift");
        assert!(lake_is_untouched(&world));
    })
    .await;
}

fn lake_is_untouched(world: &World) -> bool {
    world.lake.paths().is_empty()
}

#[tokio::test]
async fn a_server_without_the_protection_is_refused() {
    each(|world: World| async move {
        for methods in [json!([]), json!(["plain"]), json!(["S256", "plain"]), json!(null)] {
            world.ehr.describe("/r4", |d| d["code_challenge_methods_supported"] = methods.clone());
            world.clock.advance(Duration::from_secs(2 * 3_600));
            assert_eq!(code(&world).await, "launch.pkce_unsupported", "{methods}");
        }
    })
    .await;
}

#[tokio::test]
async fn answers_that_are_no_description_are_refused() {
    each(|world: World| async move {
        let lake = world.lake.url.clone();
        let document = |status, headers, body: &str| Document { status, headers, body: body.to_owned() };
        let elsewhere = vec![("location", format!("{lake}/fhir/.well-known/smart-configuration"))];
        let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
        for bad in [
            document(200, vec![], "<html>login</html>"),
            document(200, vec![], "[]"),
            document(302, elsewhere, ""),
            document(401, vec![], "no"),
            document(200, vec![], &huge),
            document(200, vec![], "{}"),
        ] {
            world.ehr.serve(WELL_KNOWN, bad);
            world.clock.advance(Duration::from_secs(2 * 3_600));
            assert_eq!(code(&world).await, "launch.discovery_failed");
        }
        assert!(lake_is_untouched(&world), "a redirect was followed");
    })
    .await;
}

#[tokio::test]
async fn a_capability_statement_stands_in_only_where_the_endpoint_allows_it() {
    each(|world: World| async move {
        let statement = |url: &str| {
            json!({"resourceType": "CapabilityStatement", "rest": [{"security": {"extension": [
                {"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", "extension": [
                    {"url": "authorize", "valueUri": format!("{url}/oauth/old-authorize")},
                    {"url": "token", "valueUri": format!("{url}/oauth/old-token")}
                ]}
            ]}}]})
        };
        let gone = Document { status: 404, headers: vec![], body: String::new() };
        world.ehr.serve(WELL_KNOWN, gone.clone());
        world.ehr.serve_json("/r4/metadata", &statement(&world.ehr.url));
        let mut browser = world.browser();
        let url = browser.get(&world.launch_path()).await.location();
        assert_eq!(url.path(), "/oauth/old-authorize");
        assert_eq!(query(&url, "code_challenge_method").as_deref(), Some("S256"), "PKCE is sent all the same");

        world.lake.serve("/fhir/.well-known/smart-configuration", gone);
        world.lake.serve_json("/fhir/metadata", &statement(&world.lake.url));
        let answer = world.browser().get(&format!("/launch/lake?launch=x&iss={}/fhir", world.lake.url)).await;
        assert_eq!(answer.code(), "launch.discovery_failed");
        assert_eq!(world.lake.paths(), ["/fhir/.well-known/smart-configuration"]);
    })
    .await;
}

#[tokio::test]
async fn a_kind_of_launch_that_the_ehr_does_not_list_is_not_tried() {
    each(|world: World| async move {
        world.ehr.describe("/r4", |d| d["capabilities"] = json!(["launch-ehr", "permission-v2"]));
        assert_eq!(world.browser().get("/launch/both").await.code(), "launch.not_offered");
        world.depart(&mut world.browser()).await;
    })
    .await;
}

#[tokio::test]
async fn the_key_set_is_found_through_the_issuer_where_the_document_does_not_name_it() {
    each(|world: World| async move {
        world.ehr.describe("/r4", |d| d["jwks_uri"] = json!(null));
        let keys = format!("{}/oauth/keys-of-openid", world.ehr.url);
        let openid = json!({"issuer": world.issuer(), "jwks_uri": keys});
        world.ehr.serve_json("/oauth/.well-known/openid-configuration", &openid);
        world.open(&mut world.browser()).await;
        assert_eq!(world.vault.exchanges.lock().unwrap()[0].jwks_uri, keys);

        let forged = json!({"issuer": "https://evil.test", "jwks_uri": keys});
        world.ehr.serve_json("/oauth/.well-known/openid-configuration", &forged);
        world.clock.advance(Duration::from_secs(2 * 3_600));
        world.open(&mut world.browser()).await;
        assert_eq!(world.vault.exchanges.lock().unwrap()[1].jwks_uri, "");
    })
    .await;
}
