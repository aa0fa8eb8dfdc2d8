//! Logging in with a pod's service account: OpenBao asks a cluster, played here by a server of twenty lines.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_keyring::{Deployment, Login, Transit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::bao::{Bao, use_once};

const ACCOUNT: &str = "system:serviceaccount:clinic:sallyport";

#[tokio::test]
async fn a_service_account_logs_in() {
    let Some(bao) = Bao::start().await else { return };
    let cluster = cluster().await;
    let mount = bao.name("kubernetes");
    bao.ok("POST", &format!("sys/auth/{mount}"), Some(json!({"type": "kubernetes"}))).await;
    let authority = rcgen::generate_simple_self_signed(vec!["cluster".to_owned()]).unwrap();
    let config = json!({
        "kubernetes_host": cluster,
        "kubernetes_ca_cert": authority.cert.pem(),
        "disable_local_ca_jwt": true,
    });
    bao.ok("POST", &format!("auth/{mount}/config"), Some(config)).await;
    let role = json!({
        "bound_service_account_names": ["sallyport"],
        "bound_service_account_namespaces": ["clinic"],
        "token_policies": [bao.name("policy")],
        "audience": "bao",
    });
    bao.ok("POST", &format!("auth/{mount}/role/service"), Some(role)).await;

    let token_file = bao.write("account", &account_token());
    let login = Login::Kubernetes { mount: mount.clone(), role: "service".to_owned(), token_file };
    let transit = Transit::connect(bao.settings(login), Deployment::Development).unwrap();
    use_once(&transit).await.unwrap();

    let token_file = bao.write("account", &account_token());
    let login = Login::Kubernetes { mount, role: "another".to_owned(), token_file };
    let stranger = Transit::connect(bao.settings(login), Deployment::Development).unwrap();
    assert!(use_once(&stranger).await.is_err());
    assert!(!stranger.is_connected());
}

/// As a cluster signs them; the signature is the cluster's to check, and the one here says yes.
fn account_token() -> String {
    let claims = json!({
        "iss": "kubernetes/serviceaccount",
        "aud": ["bao"],
        "iat": 1_700_000_000,
        "nbf": 1_700_000_000,
        "exp": 4_102_444_800_i64,
        "sub": ACCOUNT,
        "kubernetes.io": {"namespace": "clinic", "serviceaccount": {"name": "sallyport", "uid": "uid-1"}},
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = URL_SAFE_NO_PAD.encode([7_u8; 256]);
    format!("{}.{}.{signature}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims))
}

async fn cluster() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut piece = [0_u8; 4_096];
            // One request per connection; it ends with the closing brace of its JSON.
            while !request.ends_with(b"}") && !request.ends_with(b"}\n") {
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&piece[..count]),
                }
            }
            let review = json!({
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "status": {
                    "authenticated": true,
                    "user": {"username": ACCOUNT, "uid": "uid-1", "groups": ["system:serviceaccounts"]},
                    "audiences": ["bao"],
                },
            })
            .to_string();
            let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{review}", review.len());
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://127.0.0.1:{port}")
}
