//! A sandbox on a free port, a browser-like client that follows nothing by itself, and the steps of an app.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sallyport_sandbox_ehr::{Client, ClientAuth, Config, Place, Sandbox, build, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

pub(crate) const REDIRECT: &str = "http://localhost:8080/callback/sandbox";
pub(crate) const SECRET: &str = "not-a-real/secret value";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const SCOPES: &str = "openid fhirUser launch offline_access patient/*.rs";

pub(crate) struct Ehr {
    pub(crate) base: String,
    /// The profile and tenant that are talked to.
    pub(crate) place: Place,
    pub(crate) sandbox: Sandbox,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    _stop: oneshot::Sender<()>,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn location(&self) -> Url {
        let text = self
            .headers
            .get("location")
            .unwrap_or_else(|| panic!("no location: {} {}", self.status, self.body));
        Url::parse(text.to_str().unwrap()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the first input of this name.
    pub(crate) fn input(&self, name: &str) -> String {
        self.inputs(name).into_iter().next().unwrap_or_else(|| panic!("no input {name}: {}", self.body))
    }

    /// The values of all inputs and buttons of this name.
    pub(crate) fn inputs(&self, name: &str) -> Vec<String> {
        let mark = format!("name=\"{name}\" value=\"");
        let parts = self.body.split(&mark).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")).collect()
    }
}

/// The parameters of an answer to the app.
pub(crate) fn answer(location: &Url, name: &str) -> Option<String> {
    location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) fn app(client_id: &str, auth: ClientAuth) -> Client {
    let scopes = "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access \
                  patient/*.cruds user/*.rs";
    Client {
        client_id: client_id.to_owned(),
        name: format!("App {client_id}"),
        launch_url: "http://localhost:8080/launch/sandbox".to_owned(),
        redirect_uris: vec![REDIRECT.to_owned(), "http://localhost:8080/second?fixed=1".to_owned()],
        auth,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
    }
}

impl Ehr {
    pub(crate) async fn start() -> Self {
        Self::start_as("strict").await
    }

    /// A sandbox to be talked to as one of its products.
    pub(crate) async fn start_as(profile: &str) -> Self {
        let clients = vec![
            app("public-app", ClientAuth::Public),
            app("other-app", ClientAuth::Public),
            app("secret-app", ClientAuth::Secret(SECRET.to_owned())),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let config = Config { public_base: base.clone(), patients: 4, clients, ..Config::default() };
        let sandbox = build(config).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = sandbox.clone();
        tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            serve(listener, served, shutdown).await.unwrap();
        });
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        let place = Place { profile: profile.to_owned(), tenant: "general".to_owned() };
        Self { base, place, sandbox, http, _stop: stop }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn fhir(&self, path: &str) -> String {
        self.url(&format!("/{}/{}/fhir{path}", self.place.profile, self.place.tenant))
    }

    pub(crate) fn oauth(&self, path: &str) -> String {
        self.url(&format!("/{}/{}/oauth{path}", self.place.profile, self.place.tenant))
    }

    pub(crate) fn patient(&self) -> String {
        self.sandbox.records().patients()[0].id.clone()
    }

    /// One request; an error is a connection that ended without a whole answer.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).unwrap();
        let whole = async {
            let response = self.http.request(request).await.map_err(|error| error.to_string())?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(Duration::from_secs(20), whole).await.expect("an answer within the deadline")
    }

    pub(crate) async fn get(&self, url: &str) -> Reply {
        self.try_send(Method::GET, url, &[], String::new()).await.unwrap()
    }

    pub(crate) async fn fhir_get(&self, path: &str, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        self.try_send(Method::GET, &self.fhir(path), &headers, String::new()).await.unwrap()
    }

    pub(crate) async fn form(&self, url: &str, fields: &[(&str, &str)]) -> Reply {
        self.form_with(url, fields, &[]).await
    }

    pub(crate) async fn form_with(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.try_send(Method::POST, url, &all, body).await.unwrap()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Reply {
        self.try_send(method, &self.url(&format!("/_admin{path}")), &[], body.to_string()).await.unwrap()
    }

    /// Asks for a fault once, for the next request it fits.
    pub(crate) async fn fault_once(&self, fault: &str) {
        let rule = json!({"match": {}, "fault": fault, "times": 1});
        assert_eq!(self.admin(Method::POST, "/faults", rule).await.status, 201);
    }

    /// The launch value of an EHR launch of the first patient.
    pub(crate) async fn launch(&self, client_id: &str) -> String {
        self.launch_of(client_id, &self.patient()).await
    }

    /// The launch value of an EHR launch of a patient.
    pub(crate) async fn launch_of(&self, client_id: &str, patient: &str) -> String {
        let wanted = json!({"client_id": client_id, "patient": patient,
            "profile": self.place.profile, "tenant": self.place.tenant});
        self.admin(Method::POST, "/launches", wanted).await.json()["launch"].as_str().unwrap().to_owned()
    }

    /// An authorize request that is right in every way.
    pub(crate) fn authorize_request(&self, client_id: &str, launch: Option<&str>) -> Authorize {
        let challenge = B64.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut fields = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", REDIRECT.to_owned()),
            ("scope", SCOPES.to_owned()),
            ("state", "the-state".to_owned()),
            ("nonce", "the-nonce".to_owned()),
            ("aud", self.fhir("")),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        fields.extend(launch.map(|value| ("launch", value.to_owned())));
        Authorize { fields, endpoint: self.oauth("/authorize") }
    }

    /// A whole EHR launch up to the code.
    pub(crate) async fn code(&self, client_id: &str) -> String {
        let launch = self.launch(client_id).await;
        let reply = self.get(&self.authorize_request(client_id, Some(&launch)).url()).await;
        answer(&reply.location(), "code").unwrap()
    }

    pub(crate) async fn redeem(&self, client_id: &str, code: &str) -> Reply {
        let fields = [("client_id", client_id), ("code", code)];
        self.redeem_with(&fields, &[]).await
    }

    pub(crate) async fn redeem_with(&self, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
        let mut all = vec![
            ("grant_type", "authorization_code"),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        all.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        all.extend_from_slice(fields);
        self.form_with(&self.oauth("/token"), &all, headers).await
    }

    /// A whole EHR launch of the public app up to the token response.
    pub(crate) async fn tokens(&self) -> Value {
        let code = self.code("public-app").await;
        let reply = self.redeem("public-app", &code).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "public-app")];
        self.form(&self.oauth("/token"), &fields).await
    }
}

/// The parameters of an authorize request, to be spoiled one at a time.
#[derive(Clone)]
pub(crate) struct Authorize {
    fields: Vec<(&'static str, String)>,
    pub(crate) endpoint: String,
}

impl Authorize {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self
    }

    pub(crate) fn url(&self) -> String {
        let mut url = Url::parse(&self.endpoint).unwrap();
        url.query_pairs_mut().extend_pairs(&self.fields);
        url.into()
    }

    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// The text member of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}
