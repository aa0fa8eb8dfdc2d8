use std::sync::{Mutex, atomic::AtomicUsize};

use axum::{Router, response::IntoResponse, routing::any};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::Pin;

/// Serves `router` on a free port of this machine.
async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Answers every connection with `answer` after one read, whatever was asked, then closes it.
async fn serve_raw(answer: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0_u8; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(answer).await;
        }
    });
    url
}

fn get(url: Url) -> Request<'static> {
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        bearer: None,
        deadline: Instant::now() + Duration::from_secs(5),
        max_body_bytes: 1 << 20,
        allow_loopback: true,
    }
}

fn pins(url: &Url) -> Pins {
    Pin::origin_of(url).unwrap().into()
}

fn egress() -> Egress {
    #[cfg(feature = "planted-bugs")]
    if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
        sallyport_model::planted::set(&[&name]);
    }
    Egress::new(Limits::default()).unwrap()
}

#[tokio::test]
async fn the_token_goes_to_the_pinned_origin_in_the_header_alone() {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let url = serve(Router::new().fallback(any(move |headers: HeaderMap| {
        sink.lock().unwrap().push(headers);
        async { "ok" }
    })))
    .await;
    let token = Secret::new("opaque.token-1".to_owned());
    let request = Request { bearer: Some(&token), ..get(url.join("Patient/1").unwrap()) };
    let response = egress().send(&pins(&url), request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (StatusCode::OK, &b"ok"[..]));
    let headers = seen.lock().unwrap().pop().unwrap();
    assert_eq!(headers[header::AUTHORIZATION], "Bearer opaque.token-1");
    assert_eq!(headers[header::ACCEPT_ENCODING], "gzip");
}

#[tokio::test]
async fn an_unpinned_url_is_never_contacted() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let url = serve(Router::new().fallback(any(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { "ok" }
    })))
    .await;
    let elsewhere = Pins::parse(["http://127.0.0.1:1/"]).unwrap();
    let outcome = egress().send(&elsewhere, get(url)).await;
    assert_eq!(outcome.unwrap_err(), EgressError::NotPinned);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_an_error_and_is_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let target = serve(Router::new().fallback(any(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { "stolen" }
    })))
    .await;
    let location = target.to_string();
    let url = serve(Router::new().fallback(any(move || {
        let location = location.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response() }
    })))
    .await;
    let outcome = egress().send(&pins(&url), get(url)).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Redirect(307));
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn this_machine_and_plain_http_need_permission() {
    let url = serve(Router::new().fallback(any(|| async { "ok" }))).await;
    let outcome = egress().send(&pins(&url), Request { allow_loopback: false, ..get(url.clone()) }).await;
    assert_eq!(outcome.unwrap_err(), EgressError::AddressRefused);
    let mut https = url;
    https.set_scheme("https").unwrap();
    let outcome = egress().send(&pins(&https), Request { allow_loopback: false, ..get(https.clone()) }).await;
    assert_eq!(outcome.unwrap_err(), EgressError::AddressRefused);
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_cut() {
    let url = serve(Router::new().fallback(any(|| async { vec![b'x'; 4096] }))).await;
    let outcome = egress().send(&pins(&url), Request { max_body_bytes: 4095, ..get(url.clone()) }).await;
    assert_eq!(outcome.unwrap_err(), EgressError::TooLarge);
    let outcome = egress().send(&pins(&url), Request { max_body_bytes: 4096, ..get(url.clone()) }).await;
    assert_eq!(outcome.unwrap().body.len(), 4096);
}

#[tokio::test]
async fn a_silent_server_is_a_timeout_whose_outcome_is_unknown() {
    let url = serve(Router::new().fallback(any(|| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
    })))
    .await;
    let request = Request {
        method: Method::POST,
        body: Bytes::from_static(b"grant_type=refresh_token"),
        deadline: Instant::now() + Duration::from_millis(200),
        ..get(url.clone())
    };
    let error = egress().send(&pins(&url), request).await.unwrap_err();
    assert_eq!(error, EgressError::Timeout);
    assert!(error.outcome_is_unknown());
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_the_outcome_unknown() {
    let url = serve_raw(b"").await;
    let request = Request { method: Method::POST, body: Bytes::from_static(b"a=b"), ..get(url.clone()) };
    let error = egress().send(&pins(&url), request).await.unwrap_err();
    assert_eq!(error, EgressError::Interrupted);
    assert!(error.outcome_is_unknown());
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = egress().send(&pins(&url), get(url)).await.unwrap_err();
    assert_eq!(error, EgressError::Unreachable);
    assert!(!error.outcome_is_unknown());
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_invalid() {
    let url = serve_raw(b"SSH-2.0-OpenSSH\r\n").await;
    assert_eq!(egress().send(&pins(&url), get(url)).await.unwrap_err(), EgressError::Invalid);
}

#[tokio::test]
async fn hop_by_hop_headers_and_a_second_authorization_are_refused() {
    let url = serve(Router::new().fallback(any(|| async { "ok" }))).await;
    for name in ["connection", "transfer-encoding", "host", "content-length", "keep-alive", "te", "upgrade"] {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_static("authorization"),
        )]);
        let outcome = egress().send(&pins(&url), Request { headers, ..get(url.clone()) }).await;
        assert_eq!(outcome.unwrap_err(), EgressError::Invalid, "{name}");
    }
    let token = Secret::new("t".to_owned());
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Basic x"))]);
    let outcome = egress().send(&pins(&url), Request { headers, bearer: Some(&token), ..get(url) }).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Invalid);
}

#[tokio::test]
async fn a_token_that_is_no_header_value_is_refused_not_cut() {
    let url = serve(Router::new().fallback(any(|| async { "ok" }))).await;
    let token = Secret::new("a\r\nX-Evil: 1".to_owned());
    let outcome = egress().send(&pins(&url), Request { bearer: Some(&token), ..get(url.clone()) }).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Invalid);
}

#[tokio::test]
async fn tls_is_verified_and_a_further_authority_can_be_added() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0_u8; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    let stranger = egress().send(&pins(&url), get(url.clone())).await;
    assert_eq!(stranger.unwrap_err(), EgressError::Unreachable);
    let limits = Limits { extra_ca_pem: certified.cert.pem().into_bytes(), ..Limits::default() };
    let known = Egress::new(limits).unwrap().send(&pins(&url), get(url)).await;
    assert_eq!(known.unwrap().status, StatusCode::OK);
}

/// The versions of TLS that a ClientHello offers (RFC 8446 §4.2.1), after the record's and the message's own headers.
fn offered_versions(hello: &[u8]) -> Vec<u16> {
    // version, random, session id, cipher suites, compression methods: each but the first two has its length before it.
    let mut rest = &hello[5 + 4 + 2 + 32..];
    for width in [1_usize, 2, 1] {
        let length = rest[..width].iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
        rest = &rest[width + length..];
    }
    rest = &rest[2..];
    while let [kind_high, kind_low, length_high, length_low, after @ ..] = rest {
        let (body, next) = after.split_at(usize::from(u16::from_be_bytes([*length_high, *length_low])));
        if (*kind_high, *kind_low) == (0, 43) {
            return body[1..].chunks(2).map(|v| u16::from_be_bytes([v[0], v[1]])).collect();
        }
        rest = next;
    }
    Vec::new()
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
    let hello = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0_u8; 5];
        stream.read_exact(&mut header).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        [header.to_vec(), hello].concat()
    });
    let refused = egress().send(&pins(&url), get(url)).await;
    assert!(refused.is_err(), "nobody answered in TLS");
    let mut offered = offered_versions(&hello.await.unwrap());
    offered.sort_unstable();
    assert_eq!(offered, [0x0303, 0x0304], "TLS 1.2 and 1.3");
}

/// Each planted bug of this crate turns the test red that guards against it.
#[cfg(feature = "planted-bugs")]
#[test]
fn each_planted_bug_turns_its_test_red() {
    sallyport_testkit::planted::each_turns_its_test_red(&[
        ("redirect-followed", "client::tests::a_redirect_is_an_error_and_is_not_followed"),
        ("next-link-followed-anywhere", "client::tests::an_unpinned_url_is_never_contacted"),
    ]);
}
