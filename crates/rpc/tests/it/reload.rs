//! New certificates without a restart.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::gateway::v1::{SourceRequest, fhir_gateway_client::FhirGatewayClient};
use sallyport_rpc::{
    ServerSettings, connect,
    tls::{Files, Identity, Options, TlsError},
};
use tokio::sync::watch;

use crate::{
    authority::{Authority, BOTH, Leaf, When, uri},
    world::{Counting, House, Running, until, view},
};

fn load(files: &Files) -> Identity {
    let options = Options { look_every: Duration::from_millis(10), ..Options::default() };
    Identity::load_with(files.clone(), options).unwrap()
}

/// A leaf that ended in 2020, so that its successor shows.
fn old(house: &House, service: ServiceName) -> Leaf {
    house.authority.leaf(&[&uri(service)], When::Past, &BOTH)
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_open_connections_go_on() {
    let house = House::new();
    let (folder, pem) = (house.folder.path(), &house.authority.pem);
    let files = house.authority.good(ServiceName::FhirGateway).write(folder, "gw", pem);
    let identity = load(&files);
    let (_alive, never) = watch::channel(false);
    tokio::spawn(identity.clone().watch(never));
    let counting = Counting::named("a");
    let server = Running::start(identity.clone(), &counting, None, ServerSettings::default(), 0).await;

    let before = house.client(&[&server]);
    let call = tokio::spawn({
        let mut client = before.clone();
        async move { client.source(SourceRequest::default()).await }
    });
    until("the call is being served", || counting.waiting() == 1).await;

    // Expired: a new connection would fail if the server still showed its first certificate or showed this one's end.
    let first_end = identity.expires_at();
    old(&house, ServiceName::FhirGateway).write(folder, "gw", pem);
    until("the expired one is in use", || identity.expires_at() < first_end).await;
    assert!(view(&house.client(&[&server])).await.is_err(), "a new connection meets the new certificate");
    view(&before).await.expect("the open connection goes on");

    house.authority.good(ServiceName::FhirGateway).write(folder, "gw", pem);
    until("the renewed one is in use", || identity.expires_at() == first_end).await;
    view(&house.client(&[&server])).await.expect("the renewed certificate is shown");
    counting.gate.add_permits(1);
    call.await.unwrap().expect("the call over the old connection was not disturbed");
}

#[tokio::test]
async fn an_authority_is_replaced_without_a_moment_in_which_a_peer_is_refused() {
    let house = House::new();
    let folder = house.folder.path();
    let (first, next) = (&house.authority, Authority::new("the next one"));
    let both = format!("{}{}", first.pem, next.pem);
    let gateway_files = first.good(ServiceName::FhirGateway).write(folder, "gw", &first.pem);
    let web_files = first.good(ServiceName::Web).write(folder, "wb", &first.pem);
    let (gateway, web) = (load(&gateway_files), load(&web_files));
    let (_alive, never) = watch::channel(false);
    for identity in [&gateway, &web] {
        tokio::spawn(identity.clone().watch(never.clone()));
    }
    let counting = Counting::named("a");
    let server = Running::start(gateway.clone(), &counting, None, ServerSettings::default(), 0).await;
    let call = async || {
        let transport = connect(web.clone(), ServiceName::FhirGateway, &[server.uri()]).unwrap();
        view(&FhirGatewayClient::new(transport)).await
    };
    call().await.expect("both of the first authority");

    let settle = |identity: &Identity, end: i64| {
        let identity = identity.clone();
        async move { until("the next certificate is in use", || identity.expires_at() == end).await }
    };
    // Both authorities are trusted everywhere before the first leaf of the next one is shown. The leaf written beside
    // the bundle ends in 2020 where only its arrival is of interest, and is followed by the one that is used.
    for (name, identity, service) in
        [("gw", &gateway, ServiceName::FhirGateway), ("wb", &web, ServiceName::Web)]
    {
        let end = identity.expires_at();
        old(&house, service).write(folder, name, &both);
        until("the bundle is in use", || identity.expires_at() < end).await;
        first.good(service).write(folder, name, &both);
        settle(identity, end).await;
        call().await.expect("one side trusts both");
    }
    let end = gateway.expires_at();
    let old_of_next = next.leaf(&[&uri(ServiceName::FhirGateway)], When::Past, &BOTH);
    old_of_next.write(folder, "gw", &both);
    until("a leaf of the next authority is in use", || gateway.expires_at() < end).await;
    next.good(ServiceName::FhirGateway).write(folder, "gw", &both);
    settle(&gateway, end).await;
    call().await.expect("the server is of the next authority, the client of the first");
}

#[tokio::test]
async fn files_that_are_no_identity_change_nothing() {
    let house = House::new();
    let (folder, pem) = (house.folder.path(), &house.authority.pem);
    let files = house.authority.good(ServiceName::FhirGateway).write(folder, "gw", pem);
    let identity = load(&files);
    let (_alive, never) = watch::channel(false);
    tokio::spawn(identity.clone().watch(never));
    let counting = Counting::named("a");
    let server = Running::start(identity.clone(), &counting, None, ServerSettings::default(), 0).await;
    let end = identity.expires_at();

    std::fs::write(&files.certificate, "not a certificate").unwrap();
    std::fs::remove_file(&files.key).unwrap();
    house.authority.good(ServiceName::Audit).write(folder, "gw", pem);
    // Another service's certificate is no successor either: by the next good one we know that it was looked at.
    old(&house, ServiceName::FhirGateway).write(folder, "gw", pem);
    until("the next usable one is in use", || identity.expires_at() < end).await;
    assert_eq!(identity.service(), ServiceName::FhirGateway);
    house.authority.good(ServiceName::FhirGateway).write(folder, "gw", pem);
    until("and its successor", || identity.expires_at() == end).await;
    view(&house.client(&[&server])).await.unwrap();
}

#[test]
fn what_is_no_identity_of_the_house_does_not_load() {
    let house = House::new();
    let (folder, ours) = (house.folder.path(), &house.authority);
    let refused = |leaf: &Leaf, authorities: &str| {
        Identity::load(leaf.write(folder, "x", authorities)).err().expect("refused")
    };
    let good = ours.good(ServiceName::Web);
    let other = ours.good(ServiceName::Web);
    let mixed = Leaf { certificate: good.certificate.clone(), key: other.key };
    assert!(matches!(refused(&mixed, &ours.pem), TlsError::Key(_)));
    assert!(matches!(refused(&good, &Authority::new("other").pem), TlsError::Chain(_)));
    assert!(matches!(refused(&good, ""), TlsError::Pem(_)));
    assert!(matches!(refused(&ours.leaf(&[], When::Now, &BOTH), &ours.pem), TlsError::Name));
    let two = ours.leaf(&[&uri(ServiceName::Web), "https://x.example"], When::Now, &BOTH);
    assert!(matches!(refused(&two, &ours.pem), TlsError::Name));
    let for_servers = ours.leaf(&[&uri(ServiceName::Web)], When::Now, &BOTH[..1]);
    assert!(matches!(refused(&for_servers, &ours.pem), TlsError::Chain(_)));
}
