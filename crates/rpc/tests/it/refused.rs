//! Whoever is not a service of the house gets nothing executed, from either side.

use std::sync::Arc;

use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use sallyport_model::{Code, ServiceName};
use sallyport_proto::gateway::v1::{ChartRequest, ViewRequest, fhir_gateway_client::FhirGatewayClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    authority::{Authority, BOTH, Leaf, When, uri},
    world::{Counting, House, Running, view},
};

/// A call of `View` as HTTP/1.1 carries it: the length-prefixed empty message.
const CALL: &[u8] =
    b"POST /sallyport.gateway.v1.FhirGateway/View HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
content-type: application/grpc\r\nte: trailers\r\ncontent-length: 5\r\n\r\n\0\0\0\0\0";

fn chain(leaf: &Leaf) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap())
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    roots
}

/// What a client of no particular make gets, showing `leaf`. Any end of the connection without an answer is nothing.
async fn call_as(server: &Running, authority: &Authority, leaf: Option<&Leaf>) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authority));
    let config = match leaf.map(chain) {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut answer = Vec::new();
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
        return answer;
    };
    if stream.write_all(CALL).await.is_ok() {
        let _cut = stream.read_to_end(&mut answer).await;
    }
    answer
}

#[tokio::test]
async fn only_a_certificate_of_the_house_that_names_one_service_gets_in() {
    let house = House::new();
    let (counting, foreign) = (Counting::named("a"), Authority::new("somebody else"));
    let server = house.gateway(&counting).await;
    let (web, ours) = (uri(ServiceName::Web), &house.authority);

    let good = call_as(&server, ours, Some(&ours.good(ServiceName::Web))).await;
    assert!(good.starts_with(b"HTTP/1.1 200"), "what is refused below would be answered otherwise");
    assert_eq!(counting.executed(), 1);

    let for_servers = [ExtendedKeyUsagePurpose::ServerAuth];
    let refused: [(&str, Option<Leaf>); 11] = [
        ("no certificate", None),
        ("another authority", Some(foreign.good(ServiceName::Web))),
        ("another trust domain", Some(ours.leaf(&["spiffe://elsewhere/web"], When::Now, &BOTH))),
        (
            "a trust domain that begins alike",
            Some(ours.leaf(&["spiffe://sallyport.evil/web"], When::Now, &BOTH)),
        ),
        ("a path below a service", Some(ours.leaf(&["spiffe://sallyport/x/web"], When::Now, &BOTH))),
        ("an unknown service", Some(ours.leaf(&["spiffe://sallyport/webx"], When::Now, &BOTH))),
        ("no URI", Some(ours.leaf(&[], When::Now, &BOTH))),
        ("two services", Some(ours.leaf(&[&web, &uri(ServiceName::Edge)], When::Now, &BOTH))),
        ("expired", Some(ours.leaf(&[&web], When::Past, &BOTH))),
        ("not yet valid", Some(ours.leaf(&[&web], When::Future, &BOTH))),
        ("not for clients", Some(ours.leaf(&[&web], When::Now, &for_servers))),
    ];
    for (what, leaf) in &refused {
        let answer = call_as(&server, ours, leaf.as_ref()).await;
        assert!(answer.is_empty(), "{what}: {}", String::from_utf8_lossy(&answer));
        assert_eq!(counting.executed(), 1, "{what}: nothing was executed");
    }
}

#[tokio::test]
async fn a_client_without_tls_gets_nothing() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(CALL).await.unwrap();
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "at most a TLS alert");
    assert_eq!(counting.executed(), 0);
}

#[tokio::test]
async fn a_service_is_answered_only_where_it_is_on_the_list() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let (name, caller) = view(&house.client(&[&server])).await.unwrap();
    assert_eq!((name.as_str(), caller.as_str()), ("a", "web"), "the caller is who the certificate says");

    for other in ServiceName::ALL.into_iter().filter(|name| *name != ServiceName::Web) {
        let transport =
            sallyport_rpc::connect(house.identity(other), ServiceName::FhirGateway, &[server.uri()]).unwrap();
        let mut client = FhirGatewayClient::new(transport);
        let refused = client.view(ViewRequest::default()).await.unwrap_err();
        assert_eq!(sallyport_rpc::code_of(&refused), Code::CallerDenied, "{}", other.as_str());
    }
    let refused = house.client(&[&server]).chart(ChartRequest::default()).await.unwrap_err();
    assert_eq!(sallyport_rpc::code_of(&refused), Code::CallerDenied, "a method for nobody");
    assert_eq!(counting.executed(), 1);
}

#[tokio::test]
async fn a_client_talks_only_to_the_service_it_means() {
    let house = House::new();
    let counting = Counting::named("a");
    for service in [ServiceName::LaunchAuth, ServiceName::Web] {
        let server = house.serve(service, &counting, None, sallyport_rpc::ServerSettings::default()).await;
        let refused = view(&house.client(&[&server])).await.unwrap_err();
        assert_eq!(sallyport_rpc::code_of(&refused), Code::DependencyDown);
        assert_eq!(counting.executed(), 0, "nothing was sent to {}", service.as_str());
    }
}

#[tokio::test]
async fn a_client_refuses_a_server_of_another_authority_or_time() {
    let house = House::new();
    let (foreign, ours) = (Authority::new("somebody else"), &house.authority);
    let gateway = uri(ServiceName::FhirGateway);
    let elsewhere = ["spiffe://elsewhere/fhir-gateway"];
    for (what, leaf) in [
        ("another authority", foreign.good(ServiceName::FhirGateway)),
        ("expired", ours.leaf(&[&gateway], When::Past, &BOTH)),
        ("not yet valid", ours.leaf(&[&gateway], When::Future, &BOTH)),
        ("another trust domain", ours.leaf(&elsewhere, When::Now, &BOTH)),
        ("two services", ours.leaf(&[&gateway, &uri(ServiceName::Web)], When::Now, &BOTH)),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (chain, key) = chain(&leaf);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(stream).await.is_ok()
        });
        let transport =
            sallyport_rpc::connect(house.identity(ServiceName::Web), ServiceName::FhirGateway, &[address])
                .unwrap();
        let refused = FhirGatewayClient::new(transport).view(ViewRequest::default()).await.unwrap_err();
        assert_eq!(sallyport_rpc::code_of(&refused), Code::DependencyDown, "{what}");
        assert!(!server.await.unwrap(), "{what}: the handshake did not succeed");
    }
}
