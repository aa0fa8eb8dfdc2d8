//! Revocation: at once here, told to everybody, and taken to the EHR as far as it goes.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::{Kind, Outcome},
    types::v1::{
        GrantFigures, RevocationEvent, Selector, User, WatchRevocationsRequest, revocation_event::What,
        selector::By, watch_revocations_response::Item,
    },
    vault::v1::{AccessTokenRequest, CountGrantsRequest, ExchangeRequest, RevokeRequest},
};

use crate::{
    sign_in::Script,
    world::{World, code, each, each_with, eventually, usual},
};

/// Reads the stream until `count` events have come.
async fn events(world: &World, after: i64, count: usize) -> Vec<RevocationEvent> {
    let mut client = world.client(ServiceName::FhirGateway);
    let mut stream = client.watch_revocations(WatchRevocationsRequest { after }).await.unwrap().into_inner();
    let mut events = Vec::new();
    while events.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
        if let Some(Item::Event(event)) = next.unwrap().unwrap().unwrap().item {
            events.push(event);
        }
    }
    events
}

fn user(world: &World) -> User {
    User {
        issuer: format!("{}/oauth", world.sign_in.url),
        subject: "user-canary-1".to_owned(),
        fhir_user: String::new(),
    }
}

#[tokio::test]
async fn each_selector_ends_exactly_what_it_names() {
    each(|world| async move {
        let request = world.transaction("public");
        let launch = request.launch_id.clone();
        let by_launch = world.exchange(request).await.unwrap().grant_id;
        let by_grant = world.grant().await;
        let elsewhere = world.grant_of("elsewhere").await;
        let foreign = lake(&world).await;
        let by_user = world.grant().await;
        let by_registration = world.grant_of("basic").await;
        for (selector, dead, alive) in [
            (By::Registration("basic".to_owned()), &by_registration, &by_launch),
            (By::Launch(launch), &by_launch, &by_grant),
            (By::Grant(by_grant.clone()), &by_grant, &by_user),
            (By::User(user(&world)), &by_user, &elsewhere),
            (By::Endpoint("other".to_owned()), &elsewhere, &elsewhere),
        ] {
            assert_eq!(world.revoke(selector).await.unwrap().grants, 1);
            assert_eq!(code(&world.access(dead).await.unwrap_err()), "grant.revoked");
            assert_eq!(world.access(alive).await.is_ok(), alive != dead);
        }
        let (a, b) = (world.grant().await, world.grant().await);
        assert_eq!(world.revoke(By::Tenant("general".to_owned())).await.unwrap().grants, 2);
        assert!(world.access(&a).await.is_err() && world.access(&b).await.is_err());
        let request =
            AccessTokenRequest { tenant: "lakeside".to_owned(), grant_id: foreign, rejected_sha256: vec![] };
        assert!(
            world.client(ServiceName::FhirGateway).access_token(request).await.is_ok(),
            "another tenant's"
        );
    })
    .await;
}

async fn lake(world: &World) -> Vec<u8> {
    let request = ExchangeRequest { issuer: String::new(), ..world.transaction("lake") };
    world.exchange(request).await.unwrap().grant_id
}

#[tokio::test]
async fn what_names_nothing_or_another_tenant_is_refused() {
    each(|world| async move {
        let mut client = world.client(ServiceName::Operator);
        let nameless = User { issuer: String::new(), ..user(&world) };
        for selector in [
            None,
            Some(Selector { by: None }),
            Some(Selector { by: Some(By::User(nameless)) }),
            Some(Selector { by: Some(By::Tenant("lakeside".to_owned())) }),
            Some(Selector { by: Some(By::Tenant(String::new())) }),
            Some(Selector { by: Some(By::Grant(Vec::new())) }),
        ] {
            let request = RevokeRequest { tenant: "general".to_owned(), selector, reason: "r".to_owned() };
            let refused = client.revoke(request).await.unwrap_err();
            assert_eq!(code(&refused), "request.invalid");
        }
        let selector = Some(Selector { by: Some(By::Tenant("general".to_owned())) });
        for reason in [String::new(), "x".repeat(201), "a\nb".to_owned()] {
            let request = RevokeRequest { tenant: "general".to_owned(), selector: selector.clone(), reason };
            assert_eq!(code(&client.revoke(request).await.unwrap_err()), "request.invalid");
        }
    })
    .await;
}

#[tokio::test]
async fn a_launch_of_another_tenant_is_neither_ended_nor_told_as_ended() {
    each(|world| async move {
        let request = world.transaction("public");
        let launch = request.launch_id.clone();
        let grant = world.exchange(request).await.unwrap().grant_id;
        let selector = Some(Selector { by: Some(By::Launch(launch.clone())) });
        let foreign = RevokeRequest { tenant: "lakeside".to_owned(), selector, reason: "r".to_owned() };
        let answer = world.client(ServiceName::Operator).revoke(foreign).await.unwrap().into_inner();
        assert_eq!(answer.grants, 0);
        world.access(&grant).await.expect("it lives on");
        world.revoke(By::Launch(launch.clone())).await.unwrap();
        let told: Vec<_> = events(&world, 0, 2).await.into_iter().map(|event| event.what).collect();
        assert_eq!(told, [Some(What::Launch(launch)), Some(What::Grant(grant))], "by its own tenant, once");
    })
    .await;
}

#[tokio::test]
async fn a_revocation_is_told_in_a_gapless_sequence() {
    each(|world| async move {
        let request = world.transaction("public");
        let launch = request.launch_id.clone();
        let first = world.exchange(request).await.unwrap().grant_id;
        let second = world.grant().await;
        world.revoke(By::Launch(launch.clone())).await.unwrap();
        world.revoke(By::Grant(second.clone())).await.unwrap();
        world.revoke(By::Grant(second.clone())).await.unwrap();
        let told = events(&world, 0, 3).await;
        let sequences: Vec<_> = told.iter().map(|e| e.sequence).collect();
        assert_eq!(sequences, [1, 2, 3], "revoking again adds nothing");
        let what: Vec<_> = told.into_iter().filter_map(|e| e.what).collect();
        assert_eq!(what, [What::Launch(launch), What::Grant(first), What::Grant(second.clone())]);
        let rest = events(&world, 2, 1).await;
        assert_eq!(rest[0].what, Some(What::Grant(second)));
    })
    .await;
}

#[tokio::test]
async fn the_ehr_is_told_the_refresh_token_first_and_the_tokens_are_forgotten() {
    // The sweep may tell the EHR first, and then it is not this call that did.
    each_with(1, usual, |config| config.sweep_interval_ms = 60_000, |world| async move {
        let grant = world.grant().await;
        let outcome = world.revoke(By::Grant(grant.clone())).await.unwrap();
        assert_eq!((outcome.grants, outcome.revoked_upstream, outcome.last_expires_at), (1, 1, 0));
        let told: Vec<_> = world
            .sign_in
            .seen("revoke")
            .into_iter()
            .map(|s| (s.form["token"].clone(), s.form["token_type_hint"].clone(), s.form["client_id"].clone()))
            .collect();
        let expected = [("refresh-canary-0001", "refresh_token"), ("access-canary-0001", "access_token")];
        let expected = expected.map(|(t, h)| (t.to_owned(), h.to_owned(), "client-public".to_owned()));
        assert_eq!(told, expected);
        let left = "SELECT CAST(count(*) AS TEXT) FROM grants WHERE access_sealed IS NOT NULL OR refresh_sealed IS NOT NULL";
        assert_eq!(world.text(left).await, "0");
        assert_eq!(world.text("SELECT upstream FROM grants").await, "done");
        let record = world.records().await.pop().unwrap();
        assert_eq!((record.kind(), record.outcome()), (Kind::TokenRevoke, Outcome::Success));
        assert_eq!((record.detail.as_str(), record.grant_id), ("logout", grant));
    })
    .await;
}

#[tokio::test]
async fn a_busy_ehr_is_asked_again_while_the_grant_is_dead_here_at_once() {
    each(|world| async move {
        let grant = world.grant().await;
        world.sign_in.script("revoke", [Script::Busy(503, 30)]);
        let outcome = world.revoke(By::Grant(grant.clone())).await.unwrap();
        assert_eq!((outcome.grants, outcome.revoked_upstream), (1, 0));
        assert!(outcome.last_expires_at > 0, "until then it may live at the EHR");
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), "grant.revoked");
        world.clock.advance(Duration::from_secs(29));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(world.sign_in.seen("revoke").len(), 1, "Retry-After is kept");
        world.clock.advance(Duration::from_secs(2));
        // The first answer may have been noted after the clock was turned: then its wait counts from there.
        eventually("the second try", || async {
            world.clock.advance(Duration::from_secs(1));
            world.text("SELECT upstream FROM grants").await == "done"
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_ehr_that_stays_busy_or_refuses_is_given_up_in_the_open() {
    each(|world| async move {
        let grant = world.grant().await;
        world.sign_in.script("revoke", [Script::Answer(401, "text/plain", "no".to_owned())]);
        let outcome = world.revoke(By::Grant(grant)).await.unwrap();
        assert_eq!((outcome.grants, outcome.revoked_upstream), (1, 0));
        // The sweep may have been the one that asked.
        eventually("the end of it", || async { world.text("SELECT upstream FROM grants").await == "failed" })
            .await;
        assert!(
            world.vaults[0].metrics.render().contains("upstream_revocations_total{outcome=\"failed\"} 1")
        );
        let left = "SELECT CAST(count(*) AS TEXT) FROM grants WHERE refresh_sealed IS NOT NULL";
        assert_eq!(world.text(left).await, "0");
    })
    .await;
}

#[tokio::test]
async fn an_ehr_without_revocation_is_not_asked() {
    each(|world| async move {
        let request = ExchangeRequest { revocation_endpoint: String::new(), ..world.transaction("public") };
        let grant = world.exchange(request).await.unwrap();
        let outcome = world.revoke(By::Grant(grant.grant_id)).await.unwrap();
        assert_eq!((outcome.grants, outcome.revoked_upstream), (1, 0));
        assert_eq!(outcome.last_expires_at, grant.access_expires_at);
        assert!(world.sign_in.seen("revoke").is_empty());
        assert_eq!(world.text("SELECT upstream FROM grants").await, "not_offered");
    })
    .await;
}

async fn count(world: &World, by: By, since: i64) -> GrantFigures {
    let request =
        CountGrantsRequest { tenant: "general".to_owned(), selector: Some(Selector { by: Some(by) }), since };
    world.client(ServiceName::Operator).count_grants(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn grants_are_counted_before_and_after_a_revocation_with_what_each_ehr_made_of_it() {
    // The sweep may tell the EHR first, and then it is not this call that did.
    each_with(
        1,
        usual,
        |config| config.sweep_interval_ms = 60_000,
        |world| async move {
            let old = world.grant().await;
            world.revoke(By::Grant(old)).await.unwrap();
            world.clock.advance(Duration::from_secs(10));
            let since = world.clock_seconds() * 1_000_000;
            let main = || By::Endpoint("main".to_owned());
            let public = world.grant().await;
            let silent =
                ExchangeRequest { revocation_endpoint: String::new(), ..world.transaction("public") };
            let silent = world.exchange(silent).await.unwrap();
            let neighbour = world.grant_of("elsewhere").await;
            let before = count(&world, main(), since).await;
            assert_eq!((before.alive, before.alive_offered, before.revoked), (2, 1, 0));
            assert!(before.of_persons.is_empty(), "ids are told for a person, a launch or a grant alone");
            let of_user = count(&world, By::User(user(&world)), since).await;
            assert!(of_user.of_persons.contains(&public) && of_user.of_persons.contains(&silent.grant_id));
            // The EHR does not answer: told, with the end of the token.
            world.sign_in.script("revoke", [Script::Busy(503, 30)]);
            world.revoke(main()).await.unwrap();
            eventually("the EHR to be asked", || async { count(&world, main(), since).await.pending == 1 })
                .await;
            let after = count(&world, main(), since).await;
            assert_eq!(
                (after.alive, after.revoked, after.confirmed, after.pending, after.not_offered),
                (0, 2, 0, 1, 1),
                "{after:?}"
            );
            assert!(after.last_expires_at >= silent.access_expires_at && after.last_expires_at > since);
            assert_eq!(count(&world, main(), 0).await.revoked, 3, "those of before too");
            world.access(&neighbour).await.expect("another endpoint's lives on");
        },
    )
    .await;
}
