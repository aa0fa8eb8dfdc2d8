//! A SMART on FHIR server with habits of its own, written against the specifications alone: no line of it is shared
//! with the product or with the sandbox EHR.
//!
//! Its FHIR base holds a simulator's settings and is over 1,000 characters long; its id_tokens name no key; it refuses
//! at the token endpoint with 401 and at the FHIR server with 401 in plain text; it knows SMART 1 scopes only, gives no
//! refresh token, and can neither introspect nor revoke.

mod authorize;
mod discovery;
mod fhir;
mod jose;
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jose::SigningKey;
use sallyport_model::Secret;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// The patient whose chart it opens.
pub const PATIENT: &str = "smart-1288992";

/// The encounter that is going on.
const ENCOUNTER: &str = "e-77";

/// The launch token of its launches: a document, as some EHRs send.
pub const LAUNCH: &str = "WzAsIiIsIiIsIkFVVE8iLDAsMCwwLCIiLCIiLCIiLCIiLCIiLCIiLCIiLDAsMSwiIl0+/=";

/// How a client proves who it is.
#[derive(Clone)]
pub enum Proof {
    /// Only PKCE.
    Public,
    /// A secret in the `Authorization` header.
    Basic(Secret<String>),
    /// A secret in the form.
    Post(Secret<String>),
    /// A signed assertion; the keys are fetched from this address.
    Jwt(Url),
}

/// An app registered here.
#[derive(Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Where it may return to.
    pub redirect_uri: String,
    /// How it authenticates.
    pub proof: Proof,
}

/// What this server does in its own way. The default is what it does every day.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// No smart-configuration, only the CapabilityStatement of SMART 1.
    pub has_only_a_statement: bool,
    /// The smart-configuration leaves the key set to OpenID discovery.
    pub leaves_keys_to_openid: bool,
    /// Takes the authorization request by POST, and says so.
    pub takes_post: bool,
    /// Answers the authorization request with a form that posts itself.
    pub answers_by_form: bool,
    /// Signs id_tokens with another key than it publishes.
    pub signs_with_another_key: bool,
    /// Refuses every code with this error.
    pub refuses_codes: Option<&'static str>,
    /// Refuses every access token.
    pub refuses_tokens: bool,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `discovery`, `metadata`, `openid`, `keys`, `authorize`, `token` or `fhir`.
    pub what: &'static str,
    /// What it was answered.
    pub status: u16,
    /// How it came, or why it was refused.
    pub note: String,
}

struct Code {
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    scope: String,
}

#[derive(Default)]
struct Memory {
    client: Option<Client>,
    habits: Habits,
    seen: Vec<Seen>,
    codes: HashMap<String, Code>,
    tokens: Vec<String>,
}

struct Server {
    origin: String,
    base: String,
    key: SigningKey,
    other_key: SigningKey,
    memory: Mutex<Memory>,
}

/// A running server; it ends with this value.
pub struct Foreign {
    server: Arc<Server>,
    task: JoinHandle<()>,
}

impl Foreign {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(habits: Habits) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let settings =
            format!(r#"{{"h":"1","launch_type":"provider-ehr","fill":"{}"}}"#, "simulated ".repeat(80));
        let base = format!("{origin}/v/r4/sim/{}/fhir", URL_SAFE_NO_PAD.encode(settings));
        let server = Arc::new(Server {
            origin,
            base,
            key: SigningKey::generate()?,
            other_key: SigningKey::generate()?,
            memory: Mutex::new(Memory { habits, ..Memory::default() }),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
        let task = tokio::spawn(async move {
            // It ends when the test does.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { server, task })
    }

    /// Its FHIR base, which is also its issuer.
    pub fn base(&self) -> &str {
        &self.server.base
    }

    /// Registers the one app it knows.
    pub fn register(&self, client: Client) {
        self.server.memory().client = Some(client);
    }

    /// Changes what it does from now on.
    pub fn behave(&self, habits: Habits) {
        self.server.memory().habits = habits;
    }

    /// What arrived so far.
    pub fn seen(&self, what: &str) -> Vec<Seen> {
        self.server.memory().seen.iter().filter(|seen| seen.what == what).cloned().collect()
    }

    /// What it complained of: requests that it had to refuse.
    pub fn complaints(&self) -> Vec<Seen> {
        self.server.memory().seen.iter().filter(|seen| seen.status >= 400).cloned().collect()
    }

    /// The address that a page of this EHR opens in its frame.
    ///
    /// # Errors
    /// Never with an app's address that is one.
    pub fn launch_url(&self, app: &str, registration: &str) -> anyhow::Result<Url> {
        let mut url = Url::parse(&format!("{app}/launch/{registration}"))?;
        url.query_pairs_mut().append_pair("iss", self.base()).append_pair("launch", LAUNCH);
        Ok(url)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn habits(&self) -> Habits {
        self.memory().habits
    }

    fn client(&self) -> Option<Client> {
        self.memory().client.clone()
    }
}

/// An answer with the word about it that tests read.
struct Told {
    what: &'static str,
    note: String,
    response: Response,
}

impl Told {
    fn new(what: &'static str, note: impl Into<String>, response: impl IntoResponse) -> Self {
        Self { what, note: note.into(), response: response.into_response() }
    }
}

async fn answer(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let below_base = uri.path().strip_prefix(server.base.strip_prefix(&server.origin).unwrap_or_default());
    let told = match (below_base, uri.path()) {
        (Some("/.well-known/smart-configuration"), _) => discovery::smart_configuration(&server),
        (Some("/.well-known/openid-configuration"), _) => discovery::openid_configuration(&server),
        (Some("/metadata"), _) => discovery::statement(&server),
        (Some(path), _) => fhir::answer(&server, path, query, &headers),
        (None, "/auth/keys") => discovery::keys(&server),
        (None, "/auth/authorize") if method == Method::POST => authorize::answer(&server, &method, &body),
        (None, "/auth/authorize") => authorize::answer(&server, &method, query.as_bytes()),
        (None, "/auth/token") => token::answer(&server, &headers, &body).await,
        (None, _) => Told::new("elsewhere", uri.path(), StatusCode::NOT_FOUND),
    };
    let seen = Seen { what: told.what, status: told.response.status().as_u16(), note: told.note };
    server.memory().seen.push(seen);
    told.response
}

/// The parameters of a query or form; a repeated one is none.
fn parameters(encoded: &[u8]) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded) {
        if all.insert(name.to_string(), value.to_string()).is_some() {
            return HashMap::new();
        }
    }
    all
}

fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
