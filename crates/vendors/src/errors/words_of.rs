//! What an error body says: codes that may be kept, and words that are only looked at.
//!
//! What an EHR writes into an error can hold patient data. Nothing here is told on but codes, and addresses without a query.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// How much of a body is read.
const MAX_BYTES: usize = 64 * 1024;

/// Issues that are read.
const MAX_ISSUES: usize = 16;

/// What was found.
#[derive(Default)]
pub(super) struct Said {
    /// (system, code) of the issues' codings.
    pub(super) codings: Vec<(Option<String>, String)>,
    /// Issue types.
    pub(super) issues: Vec<String>,
    /// Every text, in lower case: to be searched, never told.
    pub(super) words: String,
    /// `error_uri`, an https address without its query.
    pub(super) error_uri: Option<String>,
    /// `error` or `code` of JSON that is no OperationOutcome.
    pub(super) plain_code: Option<String>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(default, borrow)]
    issue: Vec<Issue<'a>>,
}

#[derive(Deserialize)]
struct Issue<'a> {
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    diagnostics: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    details: Option<Details<'a>>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(default, borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    coding: Vec<Coding<'a>>,
}

#[derive(Deserialize)]
struct Coding<'a> {
    #[serde(default, borrow)]
    system: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    display: Option<Cow<'a, str>>,
}

/// Reads a body of any shape. What cannot be read says nothing.
pub(super) fn read(body: &[u8]) -> Said {
    let body = body.get(..MAX_BYTES).unwrap_or(body).trim_ascii();
    let mut said = Said::default();
    match body.first() {
        Some(b'{') => match serde_json::from_slice::<Outcome<'_>>(body) {
            Ok(outcome) if !outcome.issue.is_empty() => from_outcome(outcome, &mut said),
            _ => from_json(body, &mut said),
        },
        Some(_) => said.words = String::from_utf8_lossy(body).to_lowercase(),
        None => {}
    }
    said
}

fn from_outcome(outcome: Outcome<'_>, said: &mut Said) {
    for issue in outcome.issue.into_iter().take(MAX_ISSUES) {
        said.issues.extend(issue.code.as_deref().filter(|code| is_code(code)).map(str::to_owned));
        let details = issue.details.unwrap_or(Details { text: None, coding: Vec::new() });
        for text in [issue.diagnostics, details.text].into_iter().flatten() {
            add_words(said, &text);
        }
        for coding in details.coding.into_iter().take(MAX_ISSUES) {
            if let Some(display) = &coding.display {
                add_words(said, display);
            }
            if let Some(code) = coding.code.filter(|code| is_code(code)) {
                said.codings.push((coding.system.map(Cow::into_owned), code.into_owned()));
            }
        }
    }
}

/// `{"error":…,"error_uri":…}`, `{"resource":…,"detail":…}`, `{"status":4012}` and whatever comes next.
fn from_json(body: &[u8], said: &mut Said) {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return };
    for (name, value) in &members {
        match (name.as_str(), value) {
            ("error_uri", Value::String(uri)) => said.error_uri = address(uri),
            ("error" | "code" | "status" | "errorCode", Value::String(code)) if is_code(code) => {
                add_words(said, code);
                said.plain_code = Some(code.clone());
            }
            ("code" | "status" | "errorCode", Value::Number(code)) if said.plain_code.is_none() => {
                said.plain_code = Some(code.to_string()).filter(|code| is_code(code));
            }
            (_, Value::String(text)) => add_words(said, text),
            _ => {}
        }
    }
}

fn add_words(said: &mut Said, text: &str) {
    said.words.push_str(&text.to_lowercase());
    said.words.push('\n');
}

/// A code as products write them: nothing that could be a name, a date or a sentence.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

/// An address that explains an error. Its query and fragment may hold anything.
fn address(uri: &str) -> Option<String> {
    let bare = uri.split(['?', '#']).next().unwrap_or_default();
    let is_plain = bare.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'@'));
    (bare.starts_with("https://") && bare.len() <= 512 && is_plain).then(|| bare.to_owned())
}
