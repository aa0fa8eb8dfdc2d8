//! Asking an EHR through the gateway, as a page's client does: one answer, all pages of a search, a refusal in words.

use std::future::Future;

use serde_json::Value;
use url::Url;

use crate::demo::browser::{Browser, Page};

/// More pages than any search of a patient's record should have.
const MOST_PAGES: usize = 60;

/// Whoever can call the front door with a launch's session.
pub trait Door: Send {
    /// One GET of the app's own page.
    ///
    /// # Errors
    /// When there is no answer.
    fn get(&mut self, url: &Url) -> impl Future<Output = anyhow::Result<Page>> + Send;
}

impl Door for Browser {
    async fn get(&mut self, url: &Url) -> anyhow::Result<Page> {
        self.fetch(url).await
    }
}

/// What a search brought.
#[derive(Debug, Default)]
pub struct Found {
    /// The matches.
    pub resources: Vec<Value>,
    /// How many pages they came on.
    pub pages: usize,
    /// What the caller was told beside the matches.
    pub told: Vec<String>,
}

impl Found {
    /// Ids of the matches, each as often as it came.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().filter_map(|body| body.get("id")?.as_str())
    }
}

/// Every page that was asked for, for whoever keeps an account.
pub trait Account: Send {
    /// Takes note of an answer.
    fn note(&mut self, page: &Page);
}

/// Follows a search to its end, or tells how it was refused.
///
/// # Errors
/// When there is no answer, one is no Bundle, or the pages do not end.
pub async fn pages(
    door: &mut impl Door,
    address: &Url,
    account: &mut impl Account,
) -> anyhow::Result<Result<Found, String>> {
    let mut found = Found::default();
    let mut next = Some(address.clone());
    while let Some(address) = next.take() {
        let page = door.get(&address).await?;
        account.note(&page);
        if page.status != 200 {
            let told = refusal(&page);
            if found.pages == 0 {
                return Ok(Err(told));
            }
            found.told.push(told);
            break;
        }
        let bundle = page.json()?;
        found.pages += 1;
        for entry in bundle.get("entry").and_then(Value::as_array).into_iter().flatten() {
            let Some(resource) = entry.get("resource") else { continue };
            if resource.get("resourceType").and_then(Value::as_str) == Some("OperationOutcome") {
                found.told.push(words(resource));
            } else {
                found.resources.push(resource.clone());
            }
        }
        anyhow::ensure!(found.pages < MOST_PAGES, "a search never ends");
        next = match next_link(&bundle) {
            Some(url) => Some(page.url.join(url)?),
            None => None,
        };
    }
    Ok(Ok(found))
}

fn next_link(bundle: &Value) -> Option<&str> {
    let links = bundle.get("link").and_then(Value::as_array)?;
    let next = links.iter().find(|link| link.get("relation").and_then(Value::as_str) == Some("next"))?;
    next.get("url")?.as_str()
}

/// A refusal in words: status and what its body says first.
pub fn refusal(page: &Page) -> String {
    let said = page.json().map(|body| words(&body)).unwrap_or_default();
    format!("{} {said}", page.status).trim().to_owned()
}

/// Code and text of an OperationOutcome's first issue. They are the gateway's own: no words of an EHR reach it.
pub fn words(outcome: &Value) -> String {
    let text = |pointer: &str| outcome.pointer(pointer).and_then(Value::as_str);
    let code = text("/issue/0/details/coding/0/code").or_else(|| text("/issue/0/code"));
    let said = text("/issue/0/details/text").or_else(|| text("/issue/0/diagnostics"));
    [code, said].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// Whether an answer to an unknown id is what it must be, whatever the product answers: an OperationOutcome with a code.
pub fn is_clear_refusal(page: &Page) -> bool {
    let is_outcome = page.json().is_ok_and(|body| {
        body.get("resourceType").and_then(Value::as_str) == Some("OperationOutcome")
            && body.pointer("/issue/0/code").is_some()
    });
    is_outcome && (400..500).contains(&page.status)
}
