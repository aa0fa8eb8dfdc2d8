//! A hand-made sign-in service: a token endpoint that rotates refresh tokens and ends the family on reuse, a key set,
//! revocation and introspection; everything can be told to misbehave.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, encode};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) authorization: Option<String>,
    pub(crate) form: BTreeMap<String, String>,
}

/// What the next request to an endpoint gets instead of the usual.
#[derive(Clone)]
pub(crate) enum Script {
    /// This status and body.
    Answer(u16, &'static str, String),
    /// A status with `Retry-After`.
    Busy(u16, u64),
    /// The same with a date.
    BusyUntil(u16, &'static str),
    /// The usual, but late.
    Late(Duration),
    /// The usual, but only when the test says so.
    Held(Arc<Notify>),
    /// The usual, but the answer never arrives.
    Lost,
    /// The connection breaks while the answer is sent; the usual has happened.
    Broken,
}

type Change = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// The service's state.
pub(crate) struct SignIn {
    pub(crate) url: String,
    seen: Mutex<BTreeMap<&'static str, Vec<Seen>>>,
    scripts: Mutex<BTreeMap<&'static str, VecDeque<Script>>>,
    change_response: Mutex<Option<Change>>,
    change_claims: Mutex<Option<Change>>,
    change_discovery: Mutex<Option<Change>>,
    discoveries: AtomicUsize,
    rotates: Mutex<bool>,
    serial: AtomicUsize,
    released: AtomicUsize,
    family: Mutex<Family>,
    signer: Mutex<Signer>,
    pub(crate) key_fetches: AtomicUsize,
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
}

#[derive(Default)]
struct Family {
    current: Option<String>,
    reuses: usize,
}

struct Signer {
    kid: String,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(kid: &str) -> Self {
        use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING as P384, EcdsaKeyPair, KeyPair};
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&P384, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&P384, pkcs8.as_ref()).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let jwk = json!({"kty":"EC","crv":"P-384","x":x,"y":y,"kid":kid});
        Self { kid: kid.to_owned(), key: EncodingKey::from_ec_der(pkcs8.as_ref()), jwk }
    }
}

impl SignIn {
    pub(crate) async fn start(now: Arc<dyn Fn() -> i64 + Send + Sync>) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Mutex::default(),
            scripts: Mutex::default(),
            change_response: Mutex::default(),
            change_claims: Mutex::default(),
            change_discovery: Mutex::default(),
            discoveries: AtomicUsize::new(0),
            rotates: Mutex::new(true),
            serial: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            family: Mutex::default(),
            signer: Mutex::new(Signer::new("key-1")),
            key_fetches: AtomicUsize::new(0),
            now,
        });
        let router = Router::new()
            .route("/{base}/.well-known/smart-configuration", get(discovery))
            .route("/oauth/jwks", get(keys))
            .route("/oauth/{endpoint}", post(form))
            .with_state(Arc::clone(&this));
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    /// What the next requests to an endpoint get.
    pub(crate) fn script(&self, endpoint: &'static str, scripts: impl IntoIterator<Item = Script>) {
        self.scripts.lock().unwrap().entry(endpoint).or_default().extend(scripts);
    }

    /// Changes every token response from here on.
    pub(crate) fn change_response(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        *self.change_response.lock().unwrap() = Some(Arc::new(change));
    }

    /// Changes every id_token's claims from here on.
    pub(crate) fn change_claims(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        *self.change_claims.lock().unwrap() = Some(Arc::new(change));
    }

    /// Changes the discovery document from here on.
    pub(crate) fn change_discovery(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        *self.change_discovery.lock().unwrap() = Some(Arc::new(change));
    }

    /// How often the discovery document was read.
    pub(crate) fn discoveries(&self) -> usize {
        self.discoveries.load(Ordering::SeqCst)
    }

    /// Refresh tokens stay the same from here on.
    pub(crate) fn stop_rotating(&self) {
        *self.rotates.lock().unwrap() = false;
    }

    /// Signs with another key from here on.
    pub(crate) fn change_key(&self, kid: &str) {
        *self.signer.lock().unwrap() = Signer::new(kid);
    }

    /// The requests an endpoint got.
    pub(crate) fn seen(&self, endpoint: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().get(endpoint).cloned().unwrap_or_default()
    }

    /// The token requests of a grant type.
    pub(crate) fn seen_grants(&self, grant_type: &str) -> Vec<Seen> {
        self.seen("token").into_iter().filter(|s| s.form["grant_type"] == grant_type).collect()
    }

    /// How many held answers were let go.
    pub(crate) fn released(&self) -> usize {
        self.released.load(Ordering::SeqCst)
    }

    /// How often a refresh token was used after it had been replaced.
    pub(crate) fn reuses(&self) -> usize {
        self.family.lock().unwrap().reuses
    }

    fn usual(&self, endpoint: &str, form: &BTreeMap<String, String>) -> Response {
        match endpoint {
            "token" => self.token(form),
            "introspect" => {
                let exp = (self.now)() + 100;
                axum::Json(json!({"active":true,"scope":"openid","exp":exp,"client_id":"c"})).into_response()
            }
            _ => StatusCode::OK.into_response(),
        }
    }

    fn token(&self, form: &BTreeMap<String, String>) -> Response {
        let mut family = self.family.lock().unwrap();
        let serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
        let is_refresh = form["grant_type"] == "refresh_token";
        if is_refresh && family.current.as_ref() != form.get("refresh_token") {
            family.reuses += 1;
            family.current = None;
            let body = json!({"error":"invalid_grant","error_description":"reuse"});
            return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
        }
        let access = format!("access-canary-{serial:04}");
        let mut response = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": 3600,
            "scope": "openid fhirUser launch patient/*.rs", "patient": "patient-1", "encounter": "encounter-1"
        });
        let is_service = form["grant_type"] == "client_credentials";
        if is_service {
            response = json!({
                "access_token": access, "token_type": "Bearer", "expires_in": 300, "scope": form["scope"]
            });
        } else if *self.rotates.lock().unwrap() || family.current.is_none() {
            let refresh = format!("refresh-canary-{serial:04}");
            response["refresh_token"] = json!(refresh);
            family.current = Some(refresh);
        }
        if form["grant_type"] == "authorization_code" {
            response["id_token"] = json!(self.id_token(&form["code"]));
        }
        if let Some(change) = &*self.change_response.lock().unwrap() {
            change(&mut response);
        }
        axum::Json(response).into_response()
    }

    /// The nonce travels as the code's tail, as a server would remember it.
    fn id_token(&self, code: &str) -> String {
        let now = (self.now)();
        let nonce = code.rsplit('~').next().unwrap_or_default();
        let mut claims = json!({
            "iss": format!("{}/oauth", self.url), "sub": "user-canary-1", "aud": "client-public", "exp": now + 300,
            "iat": now, "nonce": nonce, "fhirUser": "Practitioner/p-1", "name": "Dr. Ada Example"
        });
        if let Some(change) = &*self.change_claims.lock().unwrap() {
            change(&mut claims);
        }
        let signer = self.signer.lock().unwrap();
        let mut header = jsonwebtoken::Header::new(Algorithm::ES384);
        header.kid = Some(signer.kid.clone());
        encode(&header, &claims, &signer.key).unwrap()
    }
}

async fn discovery(State(this): State<Arc<SignIn>>) -> Response {
    this.discoveries.fetch_add(1, Ordering::SeqCst);
    let url = &this.url;
    let mut document = json!({
        "issuer": format!("{url}/oauth"), "token_endpoint": format!("{url}/oauth/token"),
        "revocation_endpoint": format!("{url}/oauth/revoke"),
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"]
    });
    if let Some(change) = &*this.change_discovery.lock().unwrap() {
        change(&mut document);
    }
    axum::Json(document).into_response()
}

async fn keys(State(this): State<Arc<SignIn>>) -> Response {
    this.key_fetches.fetch_add(1, Ordering::SeqCst);
    let jwk = this.signer.lock().unwrap().jwk.clone();
    axum::Json(json!({ "keys": [jwk] })).into_response()
}

async fn form(
    State(this): State<Arc<SignIn>>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(endpoint) = ["token", "revoke", "introspect"].into_iter().find(|e| *e == endpoint) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // RFC 6749 §4.1.3: what is no form is not looked at.
    if headers.get(header::CONTENT_TYPE).is_none_or(|v| v != "application/x-www-form-urlencoded") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let authorization = headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned());
    this.seen.lock().unwrap().entry(endpoint).or_default().push(Seen { authorization, form: form.clone() });
    let script = this.scripts.lock().unwrap().get_mut(endpoint).and_then(VecDeque::pop_front);
    match script {
        None => this.usual(endpoint, &form),
        Some(Script::Answer(status, kind, body)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Some(Script::Busy(status, seconds)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Some(Script::BusyUntil(status, date)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(header::RETRY_AFTER, date)]).into_response()
        }
        Some(Script::Late(wait)) => {
            tokio::time::sleep(wait).await;
            this.usual(endpoint, &form)
        }
        Some(Script::Held(release)) => {
            release.notified().await;
            let answer = this.usual(endpoint, &form);
            this.released.fetch_add(1, Ordering::SeqCst);
            answer
        }
        Some(Script::Lost) => {
            let _happened = this.usual(endpoint, &form);
            std::future::pending().await
        }
        Some(Script::Broken) => {
            let _happened = this.usual(endpoint, &form);
            let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
            (StatusCode::OK, [(header::CONTENT_LENGTH, "999")], Body::from_stream(broken)).into_response()
        }
    }
}
