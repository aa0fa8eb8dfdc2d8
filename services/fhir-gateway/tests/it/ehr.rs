//! A FHIR server that answers what a test tells it to, and remembers what it was asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use tokio::sync::Semaphore;

/// A scripted answer.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/fhir+json".to_owned())],
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// A request as it came in.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Default)]
struct Script {
    replies: HashMap<String, Vec<Reply>>,
    seen: Vec<Seen>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Ehr {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    /// Answers take one permit each once [`Ehr::hold`] was called.
    gate: Arc<Mutex<Option<Arc<Semaphore>>>>,
}

impl Ehr {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ehr = Self { url, script: Arc::default(), gate: Arc::default() };
        let router = Router::new().fallback(answer).with_state(ehr.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        ehr
    }

    /// Answers `path` (below the base, without query) with these replies in turn; the last one stays.
    pub(crate) fn on(&self, path: &str, replies: impl Into<Vec<Reply>>) {
        self.script.lock().unwrap().replies.insert(format!("/fhir{path}"), replies.into());
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|s| format!("{} {}", s.method, s.target)).collect()
    }

    /// From now on answers wait until the returned semaphore gives permits.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }
}

async fn answer(State(ehr): State<Ehr>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let reply = {
        let mut script = ehr.script.lock().unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        script.seen.push(Seen { method: parts.method.to_string(), target, headers: parts.headers, body });
        match script.replies.get_mut(parts.uri.path()) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None => Reply::new(404, ""),
        }
    };
    let gate = ehr.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

/// A searchset of these resources.
pub(crate) fn searchset(resources: &[&str]) -> String {
    with_next(resources, None)
}

/// A searchset with a `next` link.
pub(crate) fn with_next(resources: &[&str], next: Option<&str>) -> String {
    let entries: Vec<String> =
        resources.iter().map(|r| format!(r#"{{"resource":{r},"search":{{"mode":"match"}}}}"#)).collect();
    let next = next.map(|url| {
        format!(r#","link":[{{"relation":"self","url":"x"}},{{"relation":"next","url":"{url}"}}]"#)
    });
    format!(
        r#"{{"resourceType":"Bundle","id":"b","type":"searchset","total":{}{},"entry":[{}]}}"#,
        resources.len(),
        next.unwrap_or_default(),
        entries.join(",")
    )
}

/// A Condition of a patient.
pub(crate) fn condition(id: &str, patient: &str) -> String {
    format!(
        r#"{{"resourceType":"Condition","id":"{id}","subject":{{"reference":"Patient/{patient}"}},"asserter":{{"reference":"Practitioner/doc-{id}"}},"code":{{"text":"canary-{id}-{patient}"}}}}"#
    )
}
