//! An EHR's discovery endpoints: documents by path, and a log of what was asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

pub(crate) struct Ehr {
    pub(crate) url: String,
    documents: Mutex<HashMap<String, Document>>,
    log: Mutex<Vec<(String, HeaderMap)>>,
    /// Closed while the EHR is to be slow.
    pub(crate) gate: Semaphore,
}

impl Ehr {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ehr = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            documents: Mutex::default(),
            log: Mutex::default(),
            gate: Semaphore::new(100),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&ehr));
        tokio::spawn(async move { axum::serve(listener, router).await });
        ehr
    }

    /// The document of a server that does everything right.
    pub(crate) fn sound(&self, base: &str) -> Value {
        let url = &self.url;
        json!({
            "issuer": format!("{url}/oauth"),
            "jwks_uri": format!("{url}/oauth/jwks"),
            "authorization_endpoint": format!("{url}/oauth/authorize"),
            "token_endpoint": format!("{url}/oauth/token"),
            "revocation_endpoint": format!("{url}/oauth/revoke"),
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": base == "/r4",
            "capabilities": ["launch-ehr", "launch-standalone", "permission-v2", "sso-openid-connect", "client-public"]
        })
    }

    pub(crate) fn serve(&self, path: &str, document: Document) {
        self.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    pub(crate) fn serve_json(&self, path: &str, body: &Value) {
        self.serve(path, Document { status: 200, headers: Vec::new(), body: body.to_string() });
    }

    /// Serves the sound document of `base` with a change.
    pub(crate) fn describe(&self, base: &str, change: impl FnOnce(&mut Value)) {
        let mut document = self.sound(base);
        change(&mut document);
        self.serve_json(&format!("{base}/.well-known/smart-configuration"), &document);
    }

    /// The paths that were asked for.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    pub(crate) fn last_header(&self, name: &str) -> Option<String> {
        let log = self.log.lock().unwrap();
        Some(log.last()?.1.get(name)?.to_str().unwrap().to_owned())
    }
}

async fn answer(State(ehr): State<Arc<Ehr>>, request: Request) -> Response {
    ehr.log.lock().unwrap().push((request.uri().path().to_owned(), request.headers().clone()));
    let _open = ehr.gate.acquire().await.unwrap();
    let document = ehr.documents.lock().unwrap().get(request.uri().path()).cloned();
    let Some(document) = document else { return StatusCode::NOT_FOUND.into_response() };
    let etag = document.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value.clone());
    let asked = request.headers().get("if-none-match").map(|value| value.to_str().unwrap().to_owned());
    let is_same = etag.is_some() && etag == asked;
    let mut response = match is_same {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => (StatusCode::from_u16(document.status).unwrap(), document.body).into_response(),
    };
    for (name, value) in document.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
