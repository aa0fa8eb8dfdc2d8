//! The clinician's pages: the chart in the EHR's frame, rendered on the server, streamed banner first; and the operators'
//! console.
//!
//! Holds no state and no token. A chart is opened by the launch's own cookie, the console by its own; each travels on as secret
//! metadata, and this service's identity alone opens nothing.

mod console;
mod domain;
mod gateway;
mod http;
mod pages;

use std::{sync::Arc, time::Duration};

use axum::Router;
use sallyport_model::Clock;
use sallyport_registry::Registry;
use sallyport_rpc::Transport;
use sallyport_telemetry::health::Ready;
use serde::Deserialize;

pub use console::ConsolePorts;

/// Settings of the pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The one origin under which browsers reach all of the product, without a trailing slash.
    pub public_url: String,
    /// Where the sandbox EHR's own page is, when it runs beside; shown on the start page only.
    pub sandbox_ehr_url: Option<String>,
    /// Where the console links a trace to, with `{trace_id}` in place of its id, e.g.
    /// `https://jaeger.example.org/trace/{trace_id}`. Empty: the id alone is shown.
    pub trace_url: String,
    /// How long the summary waits for a section before it offers a link instead, in milliseconds.
    pub summary_deadline_ms: u64,
    /// How long the patient's name and a page of one section are waited for, in milliseconds.
    pub page_deadline_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://localhost:8080".to_owned(),
            sandbox_ehr_url: None,
            trace_url: String::new(),
            summary_deadline_ms: 2_000,
            page_deadline_ms: 20_000,
        }
    }
}

/// What the pages need from outside.
#[derive(Clone)]
pub struct Ports {
    /// To fhir-gateway, called as `web`.
    pub gateway: Transport,
    /// What the operators' console asks.
    pub console: ConsolePorts,
    /// The tenants' files: which EHRs may frame a page that has no session to tell, and what the console shows of them.
    pub registry: Arc<Registry>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The built service: pages only.
pub struct Service {
    /// `/`, `/chart/{launch}/…`, `/console/…`, `/assets/…`.
    pub http: Router,
    /// Whether pages can be served. They hold no state: a gateway that is away is a page that says so.
    pub ready: Ready,
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `public_url` is not an origin.
    #[error("web.public_url must be an http or https origin without a path, such as https://app.example.org")]
    PublicUrl,
    /// `trace_url` leads nowhere.
    #[error("web.trace_url must be an https or http address with {{trace_id}} in it, or empty")]
    TraceUrl,
    /// A deadline is zero.
    #[error("web.summary_deadline_ms and web.page_deadline_ms must be at least 1")]
    Deadline,
}

/// Everything a handler works with.
#[derive(Clone)]
struct App {
    gateway: gateway::Gateway,
    console: console::Clients,
    trace_url: Option<Arc<str>>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    public_origin: Arc<str>,
    sandbox_ehr_url: Option<Arc<str>>,
    summary_deadline: Duration,
    page_deadline: Duration,
}

/// Builds the pages.
///
/// # Errors
/// [`BuildError`] naming the setting that cannot work.
#[expect(clippy::unused_async, reason = "every service is built the same way")]
pub async fn build(config: Config, ports: Ports) -> Result<Service, BuildError> {
    let origin = config.public_url.trim_end_matches('/');
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    if !rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' '])) {
        return Err(BuildError::PublicUrl);
    }
    if config.summary_deadline_ms == 0 || config.page_deadline_ms == 0 {
        return Err(BuildError::Deadline);
    }
    let leads = |url: &str| ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    let trace_url = (!config.trace_url.is_empty()).then_some(config.trace_url);
    if trace_url.as_deref().is_some_and(|url| !leads(url) || !url.contains("{trace_id}")) {
        return Err(BuildError::TraceUrl);
    }
    let app = App {
        gateway: gateway::Gateway::new(ports.gateway),
        console: console::Clients::new(ports.console),
        trace_url: trace_url.map(Into::into),
        registry: ports.registry,
        clock: ports.clock,
        public_origin: origin.into(),
        sandbox_ehr_url: config.sandbox_ehr_url.map(Into::into),
        summary_deadline: Duration::from_millis(config.summary_deadline_ms),
        page_deadline: Duration::from_millis(config.page_deadline_ms),
    };
    Ok(Service { http: http::router(app), ready: Arc::new(|| Ok(())) })
}
