//! A small browser: cookies per host, redirects one at a time, and a memory of every byte it was given.

use anyhow::{Context, bail};
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::Url;

/// A page larger than this is not one of ours.
const MAX_PAGE_BYTES: usize = 32 * 1024 * 1024;

/// A redirect chain longer than this is a loop.
const MAX_REDIRECTS: usize = 15;

/// An answer as the browser got it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it came from.
    pub url: Url,
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Page {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("no JSON in an answer with status {}", self.status))
    }

    /// Where it redirects to.
    pub fn location(&self) -> Option<Url> {
        self.url.join(self.headers.get(header::LOCATION)?.to_str().ok()?).ok()
    }
}

/// The browser. One instance is one person's cookie jar.
#[derive(Clone)]
pub struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    cookies: Vec<(String, String, String)>,
    received: Vec<u8>,
    keeps_traffic: bool,
}

impl Default for Browser {
    fn default() -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            cookies: Vec::new(),
            received: Vec::new(),
            keeps_traffic: false,
        }
    }
}

impl Browser {
    /// A fresh browser.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fresh browser that remembers everything it receives, for leak scans.
    pub fn remembering() -> Self {
        Self { keeps_traffic: true, ..Self::default() }
    }

    /// Everything received so far: status lines apart, headers and bodies.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// The cookies of a host, as a `Cookie` header.
    pub fn cookie_header(&self, host: &str) -> String {
        let own = self.cookies.iter().filter(|(h, _, _)| h == host);
        own.map(|(_, name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Forgets the cookies whose names start with `prefix`.
    pub fn forget(&mut self, prefix: &str) {
        self.cookies.retain(|(_, name, _)| !name.starts_with(prefix));
    }

    /// One request, no redirects followed.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<Page> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut request = Request::builder().method(method).uri(url.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies = self.cookie_header(&host);
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        let origin = url.origin().ascii_serialization();
        let response =
            self.client.request(request).await.with_context(|| format!("no answer from {origin}"))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_PAGE_BYTES)
            .collect()
            .await
            .map_err(|_cut| anyhow::anyhow!("an answer from {origin} broke off"))?;
        let body = body.to_bytes().to_vec();
        for cookie in parts.headers.get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok()) {
            self.store(&host, cookie);
        }
        if self.keeps_traffic {
            for (name, value) in &parts.headers {
                self.received.extend_from_slice(name.as_str().as_bytes());
                self.received.extend_from_slice(b": ");
                self.received.extend_from_slice(value.as_bytes());
                self.received.push(b'\n');
            }
            self.received.extend_from_slice(&body);
        }
        Ok(Page { url: url.clone(), status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// A navigation, as a click makes it; not following the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn visit(&mut self, url: &Url) -> anyhow::Result<Page> {
        let headers = [
            ("accept", "text/html,application/xhtml+xml"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe"),
        ];
        self.send(Method::GET, url, &headers, "").await
    }

    /// A navigation that follows redirects; every page on the way, the last one last.
    ///
    /// # Errors
    /// When there is no answer, or no end.
    pub async fn walk(&mut self, url: &Url) -> anyhow::Result<Vec<Page>> {
        let mut pages = vec![self.visit(url).await?];
        for _ in 0..MAX_REDIRECTS {
            let next = pages.last().filter(|p| (300..400).contains(&p.status)).and_then(Page::location);
            let Some(next) = next else { return Ok(pages) };
            let page = self.visit(&next).await?;
            pages.push(page);
        }
        bail!("the redirects do not end")
    }

    /// A call of the app's own page to its own origin.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn fetch(&mut self, url: &Url) -> anyhow::Result<Page> {
        let headers = [
            ("accept", "application/fhir+json, application/json"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
        ];
        self.send(Method::GET, url, &headers, "").await
    }

    fn store(&mut self, host: &str, cookie: &str) {
        let mut parts = cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let is_gone = parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0"));
        self.cookies.retain(|(h, n, _)| !(h == host && n == name));
        if !is_gone {
            self.cookies.push((host.to_owned(), name.to_owned(), value.to_owned()));
        }
    }
}
