//! Walking through sign-in pages as a browser with scripts does: redirects are followed, forms that submit themselves
//! are submitted. The walk stops in front of the chart, so that a test decides what is the first call of a launch.

use anyhow::{Context, bail};
use http::Method;
use sallyport::demo::browser::{Browser, Page};
use sallyport_model::LaunchId;
use url::Url;

/// More steps than any sign-in has.
const MAX_STEPS: usize = 20;

/// Where a walk ended.
pub struct Walked {
    /// Every page on the way.
    pub pages: Vec<Page>,
    /// The chart's address, when the launch succeeded; nobody has opened it yet.
    pub chart: Option<Url>,
}

impl Walked {
    /// The launch that succeeded.
    ///
    /// # Errors
    /// Where the walk ended instead.
    pub fn launch(&self) -> anyhow::Result<LaunchId> {
        let Some(chart) = &self.chart else {
            let last = self.last()?;
            bail!(
                "the walk ended at {} with status {}: {}",
                last.url.path(),
                last.status,
                words(&last.text())
            );
        };
        let handle =
            chart.path_segments().and_then(|mut s| s.nth(1)).context("a handle in the chart's address")?;
        Ok(LaunchId::parse(handle)?)
    }

    /// The page that the person sees.
    ///
    /// # Errors
    /// When there was none.
    pub fn last(&self) -> anyhow::Result<&Page> {
        self.pages.last().context("no page")
    }
}

/// Walks from `start` to the chart of the app at `app`, or to the page that a person would be left with.
///
/// # Errors
/// When a server does not answer, or the walk does not end.
pub async fn walk(browser: &mut Browser, app: &str, start: &Url) -> anyhow::Result<Walked> {
    let mut pages = vec![browser.visit(start).await?];
    for _ in 0..MAX_STEPS {
        let last = pages.last().context("no page")?;
        let next = if (300..400).contains(&last.status) {
            let to = last.location().context("a redirect without an address")?;
            if to.as_str().starts_with(&format!("{app}/chart/")) {
                return Ok(Walked { pages, chart: Some(to) });
            }
            browser.visit(&to).await?
        } else if last.status == 200 && last.text().contains("document.forms[0].submit()") {
            let (action, body) = form(last)?;
            post(browser, &action, &body).await?
        } else {
            return Ok(Walked { pages, chart: None });
        };
        pages.push(next);
    }
    bail!("the walk does not end")
}

/// Walks on from a page that the person has just answered by posting `body`.
///
/// # Errors
/// As [`walk`].
pub async fn answer(browser: &mut Browser, app: &str, action: &Url, body: &str) -> anyhow::Result<Walked> {
    let page = post(browser, action, body).await?;
    match page.location() {
        Some(to) if to.as_str().starts_with(&format!("{app}/chart/")) => {
            Ok(Walked { pages: vec![page], chart: Some(to) })
        }
        Some(to) => walk(browser, app, &to).await,
        None => Ok(Walked { pages: vec![page], chart: None }),
    }
}

async fn post(browser: &mut Browser, action: &Url, body: &str) -> anyhow::Result<Page> {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "iframe"),
    ];
    browser.send(Method::POST, action, &headers, body).await
}

/// The action and the hidden fields of a page's first form.
fn form(page: &Page) -> anyhow::Result<(Url, String)> {
    let text = page.text();
    let form = text.split("<form").nth(1).and_then(|f| f.split("</form>").next()).context("no form")?;
    let action = page.url.join(&attribute(form, "action").context("a form without an action")?)?;
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input").skip(1).filter_map(|i| i.split('>').next()) {
        if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
            body.append_pair(&name, &value);
        }
    }
    Ok((action, body.finish()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

/// A page's words without its tags, short enough for a test's message.
pub fn words(html: &str) -> String {
    let visible = html.rsplit("</style>").next().unwrap_or_default();
    let texts = visible.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    texts.map(str::trim).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_submits_itself_is_read_with_its_escapes() {
        let html = r#"<form method="post" action="/a?x=1&amp;y=2"><input type="hidden" name="n" value="a&amp;&quot;b"></form>"#;
        let page = Page {
            url: Url::parse("http://127.0.0.1:1/start").unwrap(),
            status: 200,
            headers: http::HeaderMap::new(),
            body: html.as_bytes().to_vec(),
        };
        let (action, body) = form(&page).unwrap();
        assert_eq!((action.as_str(), body.as_str()), ("http://127.0.0.1:1/a?x=1&y=2", "n=a%26%22b"));
    }
}
