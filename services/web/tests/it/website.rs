//! A browser reduced to what the tests need: one launch, its cookie, whole pages.

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use sallyport_model::{LaunchId, session::cookie_name};
use tower::ServiceExt;

use crate::fake::{self, Canned, SECRET};

/// One launch's pages.
pub(crate) struct Website {
    pub(crate) pages: Router,
    pub(crate) launch: LaunchId,
}

/// An answer read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// The markup between two texts.
    pub(crate) fn between(&self, from: &str, to: &str) -> &str {
        let (_, rest) = self.text.split_once(from).unwrap_or_else(|| panic!("the page has no {from}"));
        rest.split_once(to).map_or(rest, |(inner, _)| inner)
    }

    /// The section of that name.
    pub(crate) fn section(&self, name: &str) -> &str {
        self.between(&format!("<section class=\"card\" slot=\"{name}\""), "</section>")
    }

    pub(crate) fn banner(&self) -> &str {
        self.between("<div class=\"banner", "<section class=\"card\" slot=")
    }
}

impl Website {
    pub(crate) async fn of(canned: Canned) -> Self {
        Self::with(canned, sallyport_web::Config::default()).await
    }

    pub(crate) async fn with(canned: Canned, config: sallyport_web::Config) -> Self {
        let launch = fake::launch();
        Self { pages: fake::pages(vec![(launch, canned)], config).await, launch }
    }

    pub(crate) fn cookie(&self) -> String {
        format!("{}={SECRET}", cookie_name(self.launch))
    }

    pub(crate) fn address(&self, page: &str) -> String {
        format!("/chart/{}/{page}", self.launch)
    }

    pub(crate) async fn get(&self, page: &str) -> Answer {
        let request = Request::get(self.address(page)).header(header::COOKIE, self.cookie());
        send(&self.pages, request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, page: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(self.address(page))
            .header(header::COOKIE, self.cookie())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.pages, request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

/// Sends a request and reads the answer whole.
pub(crate) async fn send(pages: &Router, request: Request<Body>) -> Answer {
    let answer = pages.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}
