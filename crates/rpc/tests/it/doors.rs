//! The HTTP door: for edge alone, with the browser's address, streaming both ways.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, Uri, header},
    routing::{any, post},
};
use http_body_util::BodyExt;
use sallyport_model::{RequestId, ServiceName, SystemClock};
use sallyport_rpc::{HttpPeer, PeerError, ServerSettings, forwarded::Source};

use sallyport_telemetry::http::Incoming;

use crate::world::{Counting, House, PATIENCE, Running};

/// What the routes saw: the address, the authority, and whether anything forwarded was left.
async fn seen(ConnectInfo(from): ConnectInfo<SocketAddr>, uri: Uri, headers: HeaderMap) -> String {
    let forwarded = headers.contains_key("x-forwarded-for");
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    format!("{from} {authority} {forwarded} {}", headers.contains_key(header::CONNECTION))
}

fn routes() -> Router {
    Router::new().route("/seen", any(seen)).route("/echo", post(|body: Body| async move { Body::new(body) }))
}

async fn web(house: &House) -> Running {
    house.serve(ServiceName::Web, &Counting::named("web"), Some(routes()), ServerSettings::default()).await
}

fn peer(house: &House, caller: ServiceName, server: &Running) -> HttpPeer {
    HttpPeer::new(house.identity(caller), ServiceName::Web, &[server.uri()]).unwrap()
}

async fn text(answer: http::Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "app.example").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn browsers_come_by_way_of_edge_alone() {
    let house = House::new();
    let server = web(&house).await;
    let answer = peer(&house, ServiceName::Edge, &server).request(get("/seen")).await.unwrap();
    assert_eq!(answer.status(), 200);
    for other in ServiceName::ALL.into_iter().filter(|name| *name != ServiceName::Edge) {
        let answer = peer(&house, other, &server).request(get("/seen")).await.unwrap();
        assert_eq!(answer.status(), 403, "{}", other.as_str());
        assert!(text(answer).await.contains("rpc.caller_denied"));
    }
}

#[tokio::test]
async fn the_browsers_address_is_the_one_edge_forwards() {
    let house = House::new();
    let server = web(&house).await;
    let edge = peer(&house, ServiceName::Edge, &server);
    let mut request = get("/seen");
    // What a browser says of itself, and what it would take away, counts for nothing beside what edge says.
    request.headers_mut().insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
    request.headers_mut().insert("connection", "keep-alive, x-forwarded-for".parse().unwrap());
    request.extensions_mut().insert(Source("203.0.113.5".parse().unwrap()));
    let answer = edge.request(request).await.unwrap();
    assert_eq!(text(answer).await, "203.0.113.5:0 app.example false false");
    let answer = edge.request(get("/seen")).await.unwrap();
    assert!(text(answer).await.starts_with("127.0.0.1:"), "without one, edge itself");
}

#[tokio::test]
async fn the_request_id_of_the_front_door_goes_along() {
    let house = House::new();
    let routes = Router::new().route(
        "/id",
        any(async |headers: HeaderMap| headers["x-request-id"].clone().to_str().unwrap().to_owned()),
    );
    let counting = Counting::named("web");
    let server = house.serve(ServiceName::Web, &counting, Some(routes), ServerSettings::default()).await;
    let id = RequestId::new(&SystemClock);
    let mut request = get("/id");
    request.headers_mut().insert("x-request-id", "what-a-browser-says".parse().unwrap());
    request.extensions_mut().insert(Incoming(id));
    let answer = peer(&house, ServiceName::Edge, &server).request(request).await.unwrap();
    assert_eq!(text(answer).await, id.to_string());
}

#[tokio::test]
async fn a_browser_cannot_speak_grpc_through_edge() {
    let house = House::new();
    let counting = Counting::named("web");
    let server = house.serve(ServiceName::Web, &counting, Some(routes()), ServerSettings::default()).await;
    let mut request = get("/sallyport.gateway.v1.FhirGateway/View");
    request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
    let answer = peer(&house, ServiceName::Edge, &server).request(request).await.unwrap();
    assert_eq!(answer.status(), 415);
    assert_eq!(counting.executed(), 0);
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let house = House::new();
    let server = web(&house).await;
    let edge = peer(&house, ServiceName::Edge, &server);
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receive));
    let request = Request::post("/echo").body(body).unwrap();
    let mut echoed =
        tokio::time::timeout(PATIENCE, edge.request(request)).await.unwrap().unwrap().into_body();
    for part in ["one", "two"] {
        send.send(Ok(Bytes::from(part))).await.unwrap();
        let frame = tokio::time::timeout(PATIENCE, echoed.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), part, "echoed before the next part is sent");
    }
    drop(send);
    assert!(echoed.collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_told_at_once_and_found_when_it_comes() {
    let house = House::new();
    let address = web(&house).await;
    let (uri, port) = (address.uri(), address.address.port());
    address.kill().await;
    let edge = HttpPeer::new(house.identity(ServiceName::Edge), ServiceName::Web, &[uri]).unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(10), edge.request(get("/seen"))).await.unwrap();
    assert_eq!(refused.unwrap_err(), PeerError::Unreachable(ServiceName::Web));
    assert!(!edge.is_connected());
    let identity = house.identity(ServiceName::Web);
    let counting = Counting::named("web");
    let _server = Running::start(identity, &counting, Some(routes()), ServerSettings::default(), port).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while edge.request(get("/seen")).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline);
    }
    assert!(edge.is_connected());
}
