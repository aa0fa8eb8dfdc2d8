//! The key service away: at the start, in between, and for good.

use std::{sync::Arc, time::Duration};

use sallyport_keyring::{Deployment, KeyError, Login, Transit, TransitSettings};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::{
    bao::{Bao, eventually, use_once},
    proxy::Proxy,
};

fn is_away(outcome: &Result<(), KeyError>) -> bool {
    matches!(outcome, Err(KeyError::Unavailable(_)))
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_error_at_the_start_and_is_found_when_it_comes() {
    let Some(bao) = Bao::start().await else { return };
    let proxy = Proxy::start(&bao.address, false, None).await;
    let mut settings = bao.settings(Login::TokenFile(bao.token_file("1h").await));
    settings.address = format!("http://127.0.0.1:{}", proxy.port);
    let transit = Transit::connect(settings, Deployment::Development).unwrap();
    for _ in 0..3 {
        assert!(is_away(&use_once(&transit).await));
    }
    assert!(!transit.is_connected());
    proxy.mend();
    eventually("the connection", || async { transit.is_connected() }).await;
    use_once(&transit).await.unwrap();
}

#[tokio::test]
async fn an_outage_is_an_error_at_once_and_over_when_the_server_is_back() {
    let Some(bao) = Bao::start().await else { return };
    let proxy = Proxy::start(&bao.address, true, None).await;
    let mut settings = bao.settings(Login::TokenFile(bao.token_file("1h").await));
    settings.address = format!("http://127.0.0.1:{}", proxy.port);
    let transit = Transit::connect(settings, Deployment::Development).unwrap();
    use_once(&transit).await.unwrap();
    for _ in 0..2 {
        proxy.cut();
        for _ in 0..20 {
            assert!(is_away(&use_once(&transit).await));
        }
        eventually("that it is noticed", || async { !transit.is_connected() }).await;
        proxy.mend();
        eventually("the way back", || async { use_once(&transit).await.is_ok() }).await;
        assert!(transit.is_connected());
    }
}

#[tokio::test]
async fn a_server_that_takes_requests_and_never_answers_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    assert!(is_away(&ask(port).await));
    server.abort();
}

#[tokio::test]
async fn a_sealed_server_is_one_that_is_away() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = "{\"errors\":[\"Vault is sealed\"]}";
            let head =
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // Whoever asked may be gone.
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    assert!(is_away(&ask(port).await));
    server.abort();
}

async fn ask(port: u16) -> Result<(), KeyError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s.token\n").unwrap();
    let mut settings = TransitSettings::new(format!("http://127.0.0.1:{port}"), Login::TokenFile(file));
    settings.timeout = Duration::from_millis(200);
    let transit = Transit::connect(settings, Deployment::Development).unwrap();
    let outcome = use_once(&transit).await;
    assert!(!transit.is_connected());
    outcome
}

#[tokio::test]
async fn over_https_only_the_authority_that_was_given_is_believed() {
    let Some(bao) = Bao::start().await else { return };
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key);
    let proxy = Proxy::start(&bao.address, true, Some(Arc::new(config.unwrap()))).await;
    let mut settings = bao.settings(Login::TokenFile(bao.token_file("1h").await));
    settings.address = format!("https://localhost:{}", proxy.port);

    settings.ca_file = Some(bao.write("ca", &own.cert.pem()));
    let transit = Transit::connect(settings.clone(), Deployment::Production).unwrap();
    use_once(&transit).await.unwrap();

    settings.ca_file = Some(bao.write("other", &other.cert.pem()));
    let stranger = Transit::connect(settings.clone(), Deployment::Production).unwrap();
    assert!(is_away(&use_once(&stranger).await));
    assert!(!stranger.is_connected());

    settings.ca_file = Some("/nowhere/ca.pem".into());
    let missing = Transit::connect(settings, Deployment::Production);
    assert!(matches!(missing, Err(KeyError::Configuration(_))), "a missing file is found at once");
}
