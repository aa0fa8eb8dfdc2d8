//! The request log: what reached the EHR, for tests that must see an app from outside. Kept are method,
//! path, query and a few listed headers; never a body, and of a token only its SHA-256.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use crate::digest::TokenDigest;
use crate::faults::Reset;
use crate::state::{AppState, bearer};

/// Entries kept; the oldest go first.
const MOST_ENTRIES: usize = 100_000;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A FHIR interaction, `/metadata` included.
    Fhir,
    /// The authorization server, its pages and its keys.
    Oauth,
    /// `.well-known/smart-configuration` and the documents it points to.
    Discovery,
    /// The EHR's own pages.
    Portal,
    /// Control of the sandbox; not logged.
    Admin,
}

impl Kind {
    pub(crate) fn of(path: &str) -> Self {
        let mut segments = path.split('/').skip(1);
        let (first, _, third, fourth) = (segments.next(), segments.next(), segments.next(), segments.next());
        match (first, third, fourth) {
            (Some("_admin"), _, _) => Self::Admin,
            (_, Some("fhir"), Some(".well-known")) | (_, Some("brands.json" | "style"), _) => Self::Discovery,
            (_, Some("fhir"), _) => Self::Fhir,
            (_, Some("oauth"), _) => Self::Oauth,
            _ => Self::Portal,
        }
    }
}

/// Headers that are kept.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LoggedHeaders {
    #[serde(rename = "x-request-id")]
    request_id: Option<String>,
    traceparent: Option<String>,
    accept: Option<String>,
    #[serde(rename = "content-type")]
    content_type: Option<String>,
    #[serde(rename = "user-agent")]
    user_agent: Option<String>,
    /// Whether there was an `Authorization` header.
    authorization: bool,
    /// SHA-256 of the bearer token, hex.
    token_sha256: Option<String>,
}

impl LoggedHeaders {
    fn of(headers: &HeaderMap) -> Self {
        let text =
            |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            request_id: text(HeaderName::from_static("x-request-id")),
            traceparent: text(HeaderName::from_static("traceparent")),
            accept: text(http::header::ACCEPT),
            content_type: text(http::header::CONTENT_TYPE),
            user_agent: text(http::header::USER_AGENT),
            authorization: headers.contains_key(http::header::AUTHORIZATION),
            token_sha256: bearer(headers).map(|token| TokenDigest::of(token).as_str().to_owned()),
        }
    }
}

/// One request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// Position in the order of arrival, from 1.
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) kind: Kind,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: LoggedHeaders,
    /// The launch value the request belongs to, where it can be told.
    pub(crate) launch: Option<String>,
    /// Status of the answer; absent while there is none, which stays so if the client went away.
    pub(crate) status: Option<u16>,
}

/// Filters of a query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Only entries after this position.
    pub(crate) since: Option<u64>,
    /// Only paths that contain this.
    pub(crate) path: Option<String>,
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    last_seq: u64,
}

impl RequestLog {
    fn begin(&self, mut entry: Entry) -> u64 {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.last_seq += 1;
        entry.seq = log.last_seq;
        if log.entries.len() >= MOST_ENTRIES {
            log.entries.pop_front();
        }
        log.entries.push_back(entry);
        log.last_seq
    }

    fn end(&self, seq: u64, status: u16) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // Entries are ordered by position, and the one that ends is mostly among the newest.
        if let Some(entry) = log.entries.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.status = Some(status);
        }
    }

    pub(crate) fn query(&self, filter: &Filter) -> Vec<Entry> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |entry: &&Entry| {
            filter.since.is_none_or(|since| entry.seq > since)
                && filter.path.as_ref().is_none_or(|path| entry.path.contains(path.as_str()))
                && filter.kind.is_none_or(|kind| entry.kind == kind)
        };
        log.entries.iter().filter(wanted).cloned().collect()
    }

    /// Empties the log; positions go on counting, so a remembered `since` stays right.
    pub(crate) fn clear(&self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).entries.clear();
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).last_seq
    }
}

/// Middleware: writes the entry when the request arrives, its status when the answer is ready.
pub(crate) async fn record(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let kind = Kind::of(path);
    if kind == Kind::Admin {
        return next.run(request).await;
    }
    let entry = Entry {
        seq: 0,
        at: state.clock().now().to_string(),
        kind,
        method: request.method().to_string(),
        path: path.to_owned(),
        query: request.uri().query().map(str::to_owned),
        headers: LoggedHeaders::of(request.headers()),
        launch: launch_of(&state, &request),
        status: None,
    };
    let seq = state.log().begin(entry);
    let response = next.run(request).await;
    // A connection that is to be closed without an answer has no status.
    if response.extensions().get::<Reset>().is_none() {
        state.log().end(seq, response.status().as_u16());
    }
    response
}

fn launch_of(state: &AppState, request: &Request) -> Option<String> {
    if let Some(token) = bearer(request.headers()) {
        return state.grants().launch_of(&TokenDigest::of(token));
    }
    let query = request.uri().query()?.as_bytes();
    url::form_urlencoded::parse(query).find(|(name, _)| name == "launch").map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry {
            seq: 0,
            at: String::new(),
            kind: Kind::of(path),
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: None,
            headers: LoggedHeaders::of(&HeaderMap::new()),
            launch: None,
            status: None,
        }
    }

    #[test]
    fn paths_are_sorted_by_what_they_are_for() {
        for (path, kind) in [
            ("/strict/general/fhir/Patient/1", Kind::Fhir),
            ("/strict/general/fhir/metadata", Kind::Fhir),
            ("/strict/general/fhir", Kind::Fhir),
            ("/strict/general/fhir/.well-known/smart-configuration", Kind::Discovery),
            ("/strict/general/oauth/.well-known/openid-configuration", Kind::Oauth),
            ("/strict/general/oauth/token", Kind::Oauth),
            ("/_admin/requests", Kind::Admin),
            ("/", Kind::Portal),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn the_token_itself_is_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer very-secret".parse().unwrap());
        headers.insert("cookie", "also=secret".parse().unwrap());
        let text = serde_json::to_string(&LoggedHeaders::of(&headers)).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains(TokenDigest::of("very-secret").as_str()));
    }

    #[test]
    fn positions_go_on_after_the_log_is_cleared() {
        let log = RequestLog::default();
        let first = log.begin(entry("/strict/general/fhir/Patient"));
        log.end(first, 200);
        log.clear();
        log.begin(entry("/strict/general/oauth/token"));
        let found = log.query(&Filter { since: Some(first), ..Filter::default() });
        assert_eq!(found.iter().map(|entry| (entry.seq, entry.status)).collect::<Vec<_>>(), [(2, None)]);
        let none = Filter { kind: Some(Kind::Fhir), ..Filter::default() };
        assert!(log.query(&none).is_empty());
    }
}
