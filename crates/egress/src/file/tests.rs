use std::{
    io::Write,
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
};

use axum::{Router, response::IntoResponse, routing::any};
use http::HeaderValue;
use sallyport_model::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use super::*;
use crate::{Limits, Pin};

const IDLE: Duration = Duration::from_secs(5);

async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
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
        max_body_bytes: 0,
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

async fn whole(mut file: File) -> Result<Vec<u8>, EgressError> {
    let mut all = Vec::new();
    while let Some(piece) = file.next().await? {
        assert!(!piece.is_empty());
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// A host that answers and remembers the headers it got.
async fn host(answer: &'static str) -> (Url, Arc<Mutex<Vec<HeaderMap>>>) {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let router = Router::new().fallback(any(move |headers: HeaderMap| {
        sink.lock().unwrap().push(headers);
        async move { answer }
    }));
    (serve(router).await, seen)
}

/// A host that sends everybody on.
async fn redirecting(to: &Url) -> Url {
    let location = to.to_string();
    let router = Router::new().fallback(any(move || {
        let location = location.clone();
        async move { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response() }
    }));
    serve(router).await
}

#[tokio::test]
async fn a_signed_address_at_a_pinned_host_is_followed_without_the_token() {
    let (storage, seen) = host("rows").await;
    let url = redirecting(&storage.join("file?signature=s").unwrap()).await;
    let token = Secret::new("opaque.token-1".to_owned());
    let mut headers = HeaderMap::new();
    headers.insert(header::RANGE, HeaderValue::from_static("bytes=4-"));
    headers.insert("x-request-id", HeaderValue::from_static("r-1"));
    let request = Request { bearer: Some(&token), headers, ..get(url.clone()) };
    let file = egress().file(&pins(&url), &pins(&storage), request, IDLE).await.unwrap();
    assert_eq!(whole(file).await.unwrap(), b"rows");
    let headers = seen.lock().unwrap().pop().unwrap();
    assert!(!headers.contains_key(header::AUTHORIZATION), "the token went to whoever signed the address");
    assert_eq!(
        (&headers[header::RANGE], &headers[header::ACCEPT_ENCODING]),
        (&HeaderValue::from_static("bytes=4-"), &HeaderValue::from_static("identity"))
    );
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_not_pinned_for_files_is_not_followed() {
    let (elsewhere, seen) = host("stolen").await;
    let url = redirecting(&elsewhere).await;
    let other = Pins::parse(["http://127.0.0.1:1/"]).unwrap();
    let outcome = egress().file(&pins(&url), &other, get(url.clone()), IDLE).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Redirect(307));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_second_redirect_is_not_followed() {
    let (storage, seen) = host("rows").await;
    let middle = redirecting(&storage).await;
    let url = redirecting(&middle).await;
    let signed = Pins::new(vec![Pin::origin_of(&storage).unwrap(), Pin::origin_of(&middle).unwrap()]);
    let outcome = egress().file(&pins(&url), &signed, get(url.clone()), IDLE).await;
    assert_eq!(outcome.unwrap_err(), EgressError::Redirect(307));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_address_that_is_not_pinned_is_never_contacted() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let url = serve(Router::new().fallback(any(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { "rows" }
    })))
    .await;
    let elsewhere = Pins::parse(["http://127.0.0.1:1/"]).unwrap();
    let outcome = egress().file(&elsewhere, &pins(&url), get(url), IDLE).await;
    assert_eq!(outcome.unwrap_err(), EgressError::NotPinned);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_packed_file_comes_unpacked_and_a_bomb_does_not_come() {
    let pack = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let mut plain = Vec::new();
    for n in 0_u32..200_000 {
        plain.extend_from_slice(n.wrapping_mul(2_654_435_761).to_string().as_bytes());
        plain.push(b'\n');
    }
    let (packed, bomb) = (pack(&plain), pack(&vec![b' '; 64 << 20]));
    let router = Router::new()
        .route("/file", any(move || async move { ([(header::CONTENT_ENCODING, "gzip")], packed) }))
        .route("/bomb", any(move || async move { ([(header::CONTENT_ENCODING, "gzip")], bomb) }));
    let url = serve(router).await;
    let fetch = async |path: &str| {
        let request = get(url.join(path).unwrap());
        egress().file(&pins(&url), &Pins::default(), request, IDLE).await.unwrap()
    };
    let file = fetch("file").await;
    assert_eq!(file.length, None, "what comes over the wire is not the file's length");
    assert_eq!(whole(file).await.unwrap(), plain);
    assert_eq!(whole(fetch("bomb").await).await, Err(EgressError::TooLarge));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_never_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0_u8; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    });
    let file = egress().file(&pins(&url), &Pins::default(), get(url.clone()), IDLE).await.unwrap();
    assert_eq!((file.length, file.status), (Some(100), StatusCode::OK));
    assert_eq!(whole(file).await, Err(EgressError::Interrupted));
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // An answer before its question would be taken for a broken connection.
        let mut buffer = [0_u8; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    });
    let idle = Duration::from_millis(50);
    let file = egress().file(&pins(&url), &Pins::default(), get(url.clone()), idle).await.unwrap();
    assert_eq!(whole(file).await, Err(EgressError::Timeout));
}
