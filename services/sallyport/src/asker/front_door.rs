//! The front door with a person's session: https as any browser reaches it, plain http on this machine alone.

use std::time::Duration;

use anyhow::Context;
use http::{HeaderValue, Method, header};
use sallyport_egress::{Bytes, Egress, HeaderMap, HeaderName, Instant, Limits, Pins, Request};
use sallyport_model::{LaunchId, Secret, session};
use url::Url;

use crate::{certify::asking::Door, demo::browser::Page};

const PATIENCE: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The app's own origin, and nothing beside it: the cookie goes nowhere else.
pub(crate) struct FrontDoor {
    egress: Egress,
    pins: Pins,
    cookie: HeaderValue,
    is_here: bool,
}

impl FrontDoor {
    pub(super) fn new(app: &Url, launch: LaunchId, secret: &Secret<String>) -> anyhow::Result<Self> {
        let pins = Pins::parse([app.as_str()]).context("that is no address of an app")?;
        let cookie = format!("{}={}", session::cookie_name(launch), secret.expose());
        let mut cookie = HeaderValue::try_from(cookie).context("the file holds no cookie's value")?;
        cookie.set_sensitive(true);
        let is_here = sallyport_smart::discovery::is_transport_safe(app, true) && app.scheme() == "http";
        Ok(Self { egress: Egress::new(Limits::default())?, pins, cookie, is_here })
    }
}

impl Door for FrontDoor {
    async fn get(&mut self, url: &Url) -> anyhow::Result<Page> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json, application/json"));
        headers.insert(header::COOKIE, self.cookie.clone());
        for (name, value) in
            [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers,
            body: Bytes::new(),
            bearer: None,
            deadline: Instant::now() + PATIENCE,
            max_body_bytes: MAX_BYTES,
            allow_loopback: self.is_here,
        };
        let answer = self.egress.send(&self.pins, request).await.context("the app does not answer")?;
        Ok(Page {
            url: url.clone(),
            status: answer.status.as_u16(),
            headers: answer.headers,
            body: answer.body.to_vec(),
        })
    }
}
