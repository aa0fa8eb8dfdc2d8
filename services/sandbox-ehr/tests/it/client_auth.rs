//! Each way a client authenticates, and each way it fails to.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sallyport_sandbox_ehr::ClientAuth;
use serde_json::{Value, json};

use crate::ehr::{Ehr, Reply, SECRET, app};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Signer {
    key: EncodingKey,
    alg: Algorithm,
}

impl Signer {
    fn es384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        Self { key: EncodingKey::from_ec_pem(pem(der.as_ref()).as_bytes()).unwrap(), alg: Algorithm::ES384 }
    }

    fn rs384() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        Self { key: EncodingKey::from_rsa_pem(pem(der.as_ref()).as_bytes()).unwrap(), alg: Algorithm::RS384 }
    }

    fn jwks(&self) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.alg).unwrap()).unwrap();
        key["kid"] = json!("k1");
        json!({"keys": [key]})
    }

    fn assertion(&self, client_id: &str, aud: &str, jti: &str) -> String {
        let mut header = Header::new(self.alg);
        header.kid = Some("k1".to_owned());
        let exp = jsonwebtoken::get_current_timestamp() + 240;
        let claims = json!({"iss": client_id, "sub": client_id, "aud": aud, "exp": exp, "jti": jti});
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

async fn redeem_by_assertion(ehr: &Ehr, client_id: &str, assertion: &str) -> Reply {
    let code = ehr.code(client_id).await;
    let fields =
        [("code", code.as_str()), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    ehr.redeem_with(&fields, &[]).await
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[tokio::test]
async fn a_secret_is_accepted_by_basic_plain_or_encoded_and_in_the_form() {
    let ehr = Ehr::start().await;
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    for shown in [SECRET, &encoded] {
        let code = ehr.code("secret-app").await;
        let header = basic("secret-app", shown);
        let reply = ehr.redeem_with(&[("code", &code)], &[("authorization", &header)]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let code = ehr.code("secret-app").await;
    let fields = [("code", code.as_str()), ("client_id", "secret-app"), ("client_secret", SECRET)];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.status, 200);
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_invalid_client_and_does_not_spend_the_code() {
    let ehr = Ehr::start().await;
    let code = ehr.code("secret-app").await;
    let wrong = basic("secret-app", "wrong");
    let reply = ehr.redeem_with(&[("code", &code)], &[("authorization", &wrong)]).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")));
    assert!(reply.header("www-authenticate").starts_with("Basic"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let reply = ehr.redeem("secret-app", &code).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")));
    let right = basic("secret-app", SECRET);
    assert_eq!(ehr.redeem_with(&[("code", &code)], &[("authorization", &right)]).await.status, 200);
}

#[tokio::test]
async fn a_client_authenticates_in_one_way_and_in_its_own() {
    let ehr = Ehr::start().await;
    let code = ehr.code("secret-app").await;
    let right = basic("secret-app", SECRET);
    let both = [("code", code.as_str()), ("client_secret", SECRET)];
    let reply = ehr.redeem_with(&both, &[("authorization", &right)]).await;
    assert_eq!(reply.json()["error"], "invalid_request");
    let code = ehr.code("public-app").await;
    let fields = [("code", code.as_str()), ("client_id", "public-app"), ("client_secret", "x")];
    assert_eq!(ehr.redeem_with(&fields, &[]).await.json()["error"], "invalid_client");
    let nobody = [("code", code.as_str()), ("client_id", "nobody")];
    assert_eq!(ehr.redeem_with(&nobody, &[]).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn assertions_with_rs384_and_es384_are_accepted_once_each() {
    let ehr = Ehr::start().await;
    for signer in [Signer::rs384(), Signer::es384()] {
        ehr.sandbox.register(app("jwks-app", ClientAuth::Jwks(signer.jwks())));
        let jti = format!("{:?}", signer.alg);
        let assertion = signer.assertion("jwks-app", &ehr.oauth("/token"), &jti);
        let reply = redeem_by_assertion(&ehr, "jwks-app", &assertion).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let replayed = redeem_by_assertion(&ehr, "jwks-app", &assertion).await;
        assert_eq!((replayed.status.as_u16(), &replayed.json()["error"]), (401, &json!("invalid_client")));
    }
}

#[tokio::test]
async fn an_assertion_for_another_audience_or_from_another_key_is_refused() {
    let ehr = Ehr::start().await;
    let (signer, stranger) = (Signer::es384(), Signer::es384());
    ehr.sandbox.register(app("jwks-app", ClientAuth::Jwks(signer.jwks())));
    let token_url = ehr.oauth("/token");
    for assertion in [
        signer.assertion("jwks-app", &ehr.oauth(""), "a"),
        signer.assertion("other-app", &token_url, "b"),
        stranger.assertion("jwks-app", &token_url, "c"),
        "not.a.jwt".to_owned(),
    ] {
        let reply = redeem_by_assertion(&ehr, "jwks-app", &assertion).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")));
    }
}

#[tokio::test]
async fn the_key_set_is_fetched_from_the_registered_url() {
    let ehr = Ehr::start().await;
    let signer = Signer::es384();
    let jwks = signer.jwks().to_string();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let router: Router = Router::new().route("/jwks.json", get(move || async move { jwks }));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    ehr.sandbox.register(app("uri-app", ClientAuth::JwksUri(url)));
    let assertion = signer.assertion("uri-app", &ehr.oauth("/token"), "a");
    let reply = redeem_by_assertion(&ehr, "uri-app", &assertion).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    server.abort();
    ehr.sandbox.register(app("uri-app", ClientAuth::JwksUri("http://127.0.0.1:1/none".to_owned())));
    let assertion = signer.assertion("uri-app", &ehr.oauth("/token"), "b");
    assert_eq!(redeem_by_assertion(&ehr, "uri-app", &assertion).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn other_grant_types_and_bodies_that_are_not_forms_are_refused() {
    let ehr = Ehr::start().await;
    let fields = [("grant_type", "password"), ("client_id", "public-app")];
    assert_eq!(ehr.form(&ehr.oauth("/token"), &fields).await.json()["error"], "unsupported_grant_type");
    let reply = ehr.try_send(http::Method::POST, &ehr.oauth("/token"), &[], "{}".to_owned()).await.unwrap();
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_request")));
}
