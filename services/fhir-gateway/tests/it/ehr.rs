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

use crate::chart::Chart;

/// A scripted answer.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
    pub(crate) is_broken: bool,
}

impl Reply {
    /// An answer that ends before it is whole.
    pub(crate) fn broken() -> Self {
        Self { is_broken: true, ..Self::json("") }
    }

    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/fhir+json".to_owned())],
            body: body.into(),
            delay: Duration::ZERO,
            is_broken: false,
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
    chart: Option<Chart>,
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

    /// Answers any path of this host with these replies in turn; the last one stays.
    pub(crate) fn at(&self, path: &str, replies: impl Into<Vec<Reply>>) {
        self.script.lock().unwrap().replies.insert(path.to_owned(), replies.into());
    }

    /// What no path is scripted for is answered from this chart.
    pub(crate) fn chart(&self, chart: Chart) {
        self.script.lock().unwrap().chart = Some(chart);
    }

    pub(crate) fn with_chart(&self, change: impl FnOnce(&mut Chart)) {
        change(self.script.lock().unwrap().chart.as_mut().unwrap());
    }

    /// How many records of a type the chart has.
    pub(crate) fn written(&self, kind: &str) -> usize {
        self.script.lock().unwrap().chart.as_ref().unwrap().count(kind)
    }

    pub(crate) fn newest(&self, kind: &str, id: &str) -> Option<serde_json::Value> {
        self.script.lock().unwrap().chart.as_ref().unwrap().newest(kind, id).cloned()
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
    let range = parts.headers.get("range").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let target = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let reply = {
        let mut script = ehr.script.lock().unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let seen = Seen { method: parts.method.to_string(), target, headers: parts.headers, body };
        script.seen.push(seen.clone());
        match script.replies.get_mut(parts.uri.path()) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None => {
                let base = format!("{}/fhir", ehr.url);
                let charted = script.chart.as_mut().and_then(|chart| chart.answer(&seen, &base));
                charted.unwrap_or_else(|| Reply::new(404, ""))
            }
        }
    };
    let gate = ehr.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    tokio::time::sleep(reply.delay).await;
    let range = range.filter(|_| reply.headers.iter().any(|(name, _)| *name == "accept-ranges"));
    let from = range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, body, content_range) = match from {
        Some(from) if from < reply.body.len() => {
            let whole = reply.body.len();
            (206, reply.body[from..].to_owned(), Some(format!("bytes {from}-{}/{whole}", whole - 1)))
        }
        _ => (reply.status, reply.body, None),
    };
    let is_streamed = reply.headers.iter().any(|(name, _)| *name == "accept-ranges");
    let body = match (reply.is_broken, is_streamed) {
        (true, _) => Body::from_stream(futures_util::stream::iter([
            Ok("{".to_owned()),
            Err(std::io::Error::other("cut")),
        ])),
        // In two pieces, as a network would.
        (false, true) => {
            let (first, second) = body.as_bytes().split_at(body.len() / 2);
            let pieces = [first.to_vec(), second.to_vec()].map(Ok::<_, std::convert::Infallible>);
            Body::from_stream(futures_util::stream::iter(pieces))
        }
        (false, false) => Body::from(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(range) = content_range {
        response.headers_mut().insert("content-range", range.parse().unwrap());
    }
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
