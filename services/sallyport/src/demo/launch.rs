//! Launching the app as a person would, through the sandbox EHR.

use anyhow::{Context, bail};
use sallyport_model::LaunchId;
use url::Url;

use super::{
    Outside,
    browser::{Browser, Page},
};

/// A launch that reached the chart.
pub struct Launched {
    /// The launch handle.
    pub launch: LaunchId,
    /// Its patient's id at the EHR.
    pub patient: String,
    /// Every page on the way.
    pub pages: Vec<Page>,
}

impl Launched {
    /// `/fhir/{launch}/…` or `/api/{launch}/…`.
    ///
    /// # Errors
    /// When the path is none.
    pub fn url(&self, outside: &Outside, prefix: &str, rest: &str) -> anyhow::Result<Url> {
        Ok(Url::parse(&format!("{}/{prefix}/{}/{rest}", outside.ready.app, self.launch))?)
    }
}

/// Launches from the EHR with a patient open, and walks to the chart.
///
/// # Errors
/// When the walk ends anywhere else; the error tells the status it ended with.
pub async fn ehr_launch(outside: &Outside, browser: &mut Browser, patient: &str) -> anyhow::Result<Launched> {
    let start = outside.launch_url(patient).await?;
    let pages = browser.walk(&start).await?;
    finished(pages, patient)
}

/// Launches without the EHR: signs in, picks the patient and agrees on the EHR's own pages.
///
/// # Errors
/// When the walk ends anywhere else.
pub async fn standalone_launch(
    outside: &Outside,
    browser: &mut Browser,
    registration: &str,
    patient: &str,
) -> anyhow::Result<Launched> {
    let start = Url::parse(&format!("{}/launch/{registration}", outside.ready.app))?;
    let mut pages = browser.walk(&start).await?;
    // Login, picker and consent are forms with one obvious answer each.
    for _ in 0..4 {
        let last = pages.last().context("no page")?;
        if last.url.as_str().starts_with(&outside.ready.app) {
            break;
        }
        let (action, body) = outside.fill_form(last, patient)?;
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        let page = browser.send(http::Method::POST, &action, &headers, &body).await?;
        let next = page.location();
        pages.push(page);
        if let Some(next) = next {
            pages.extend(browser.walk(&next).await?);
        }
    }
    finished(pages, patient)
}

fn finished(pages: Vec<Page>, patient: &str) -> anyhow::Result<Launched> {
    let last = pages.last().context("no page")?;
    let mut segments = last.url.path_segments().context("no path")?;
    let (prefix, handle) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    if last.status != 200 || !matches!(prefix, "chart" | "app") {
        bail!("the launch ended at /{prefix} with status {}", last.status);
    }
    let launch = LaunchId::parse(handle).context("the chart's address holds no launch handle")?;
    Ok(Launched { launch, patient: patient.to_owned(), pages })
}
