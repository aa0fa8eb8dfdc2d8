//! Several replicas of a peer: taken in turn, passed over when they fail, and the same one for the same key.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Router, body::Body, http::Request, routing::get};
use http_body_util::BodyExt;
use sallyport_model::ServiceName;
use sallyport_proto::gateway::v1::SourceRequest;
use sallyport_rpc::{HttpPeer, ServerSettings, once_more};

use crate::world::{Counting, House, PATIENCE, Running, until, view};

async fn three(house: &House) -> (Vec<Counting>, Vec<Running>) {
    let (mut counting, mut servers) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let one = Counting::named(name);
        servers.push(house.gateway(&one).await);
        counting.push(one);
    }
    (counting, servers)
}

#[tokio::test]
async fn calls_go_to_the_replicas_in_turn() {
    let house = House::new();
    let (counting, servers) = three(&house).await;
    let client = house.client(&servers.iter().collect::<Vec<_>>());
    for _ in 0..30 {
        view(&client).await.unwrap();
    }
    assert_eq!(counting.iter().map(Counting::executed).collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test]
async fn a_replica_that_is_gone_fails_no_call() {
    let house = House::new();
    let (_counting, mut servers) = three(&house).await;
    let client = house.client(&servers.iter().collect::<Vec<_>>());
    for _ in 0..6 {
        view(&client).await.unwrap();
    }
    servers.remove(0).kill().await;
    let mut answered = BTreeSet::new();
    for _ in 0..60 {
        let (name, _) = once_more(|| view(&client)).await.expect("the other two answer");
        answered.insert(name);
    }
    assert!(answered.contains("b") && answered.contains("c"), "{answered:?}");
}

#[tokio::test]
async fn a_read_whose_replica_dies_under_it_is_answered_by_another() {
    let house = House::new();
    let (counting, mut servers) = three(&house).await;
    let client = house.client(&servers.iter().collect::<Vec<_>>());
    let read = tokio::spawn(async move {
        once_more(|| {
            let mut client = client.clone();
            async move { client.source(SourceRequest::default()).await }
        })
        .await
    });
    let taken_by = || counting.iter().position(|c| c.waiting() > 0);
    until("a replica has the call", || taken_by().is_some()).await;
    let first = taken_by().unwrap();
    servers.remove(first).kill().await;
    until("another has it", || counting.iter().filter(|c| c.waiting() > 0).count() == 2).await;
    for one in &counting {
        one.gate.add_permits(1);
    }
    let answer = tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap().unwrap().into_inner();
    assert_ne!(answer.json, counting[first].name.as_bytes());
}

#[tokio::test]
async fn a_call_that_was_sent_is_not_sent_again_by_itself() {
    let house = House::new();
    let (counting, mut servers) = three(&house).await;
    let mut client = house.client(&servers.iter().collect::<Vec<_>>());
    let call = tokio::spawn(async move { client.source(SourceRequest::default()).await });
    let taken_by = || counting.iter().position(|c| c.waiting() > 0);
    until("a replica has the call", || taken_by().is_some()).await;
    servers.remove(taken_by().unwrap()).kill().await;
    let failed = tokio::time::timeout(PATIENCE, call).await.unwrap().unwrap();
    assert!(failed.is_err(), "it may have been acted on");
    assert_eq!(counting.iter().map(Counting::waiting).sum::<usize>(), 1, "nobody else was asked");
}

async fn http(house: &House, name: &'static str) -> Running {
    let routes = Router::new().route("/", get(move || async move { name }));
    let counting = Counting::named(name);
    house.serve(ServiceName::FhirGateway, &counting, Some(routes), ServerSettings::default()).await
}

async fn who(peer: &HttpPeer, key: u32) -> String {
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = peer.sticky(&key.to_be_bytes(), request).await.expect("some replica answers");
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn one_key_stays_with_one_replica_and_moves_only_when_that_is_gone() {
    let house = House::new();
    let mut servers =
        vec![("a", http(&house, "a").await), ("b", http(&house, "b").await), ("c", http(&house, "c").await)];
    let addresses: Vec<_> = servers.iter().map(|(_, server)| server.uri()).collect();
    let edge = house.identity(ServiceName::Edge);
    let peer = HttpPeer::new(edge.clone(), ServiceName::FhirGateway, &addresses).unwrap();
    let turned: Vec<_> = addresses.iter().rev().cloned().collect();
    let elsewhere = HttpPeer::new(edge, ServiceName::FhirGateway, &turned).unwrap();

    let mut home = BTreeMap::new();
    for key in 0..60 {
        let name = who(&peer, key).await;
        assert_eq!(who(&peer, key).await, name, "the same again");
        assert_eq!(who(&elsewhere, key).await, name, "the same from another process with another order");
        home.insert(key, name);
    }
    assert_eq!(home.values().collect::<BTreeSet<_>>().len(), 3, "all three have keys");

    let (gone, server) = servers.remove(1);
    server.kill().await;
    for (key, name) in &home {
        // What was under way when it died may fail once; who asks again is answered.
        let now = loop {
            let request = Request::get("/").body(Body::empty()).unwrap();
            if let Ok(answer) = peer.sticky(&key.to_be_bytes(), request).await {
                let bytes = answer.into_body().collect().await.unwrap().to_bytes();
                break String::from_utf8(bytes.to_vec()).unwrap();
            }
        };
        assert!(if name == gone { now != *gone } else { now == *name }, "{key}: {name} became {now}");
    }
}
