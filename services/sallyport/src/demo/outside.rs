//! The places from which a launch can be seen without asking the code under test: the sandbox's admin interface, the
//! audit log, the spans, the metrics.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use http::Method;
use sallyport_model::{LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::{CountsRequest, CountsResponse, QueryRequest, Record, audit_client::AuditClient},
    convert,
};
use sallyport_rpc::Transport;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::browser::{Browser, Page};
use crate::{dev_tenant, operator, ready::Ready};

/// Everything read from outside.
pub struct Outside {
    /// Where the instance is.
    pub ready: Ready,
    audit: Transport,
    browser: Mutex<Browser>,
}

impl Outside {
    /// Connects to a running instance.
    ///
    /// # Errors
    /// When its operators' socket does not answer.
    pub async fn connect(ready: &Ready) -> anyhow::Result<Self> {
        let audit = operator::reach(&ready.place(), ServiceName::Audit).await?;
        Ok(Self { ready: ready.clone(), audit, browser: Mutex::new(Browser::new()) })
    }

    /// The audit log, as operators ask it.
    pub fn audit(&self) -> AuditClient<Transport> {
        AuditClient::new(self.audit.clone())
    }

    /// Another service's methods, as operators call them.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn operator(&self, service: ServiceName) -> anyhow::Result<Transport> {
        operator::reach(&self.ready.place(), service).await
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Page> {
        let url = Url::parse(&format!("{}/_admin/{path}", self.ready.ehr))?;
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut browser = self.browser.lock().await;
        let page = browser.send(method, &url, &[("content-type", "application/json")], &body).await?;
        if page.status >= 300 {
            bail!("the sandbox EHR refused {path} with status {}: {}", page.status, page.text());
        }
        Ok(page)
    }

    /// The sandbox's patients' ids.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn patients(&self) -> anyhow::Result<Vec<String>> {
        let list = self.admin(Method::GET, "patients", None).await?.json()?;
        let list = list.as_array().context("patients are a list")?;
        Ok(list.iter().filter_map(|p| p.get("id")?.as_str().map(str::to_owned)).collect())
    }

    /// Starts a launch in the EHR; the address that its frame would open.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn launch_url(&self, patient: &str) -> anyhow::Result<Url> {
        self.launch_with(json!({ "client_id": dev_tenant::CLIENT_ID, "patient": patient })).await
    }

    /// Starts a launch with everything that the sandbox's admin interface can be told.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn launch_with(&self, launch: Value) -> anyhow::Result<Url> {
        let made = self.admin(Method::POST, "launches", Some(launch)).await?.json()?;
        let url = made.get("launch_url").and_then(Value::as_str).context("the sandbox gave no launch_url")?;
        Ok(Url::parse(url)?)
    }

    /// Makes the next `times` matching requests faulty.
    ///
    /// # Errors
    /// When the sandbox does not know the fault.
    pub async fn fault(&self, kind: &str, path: &str, fault: &str, times: u32) -> anyhow::Result<()> {
        let mut matches = json!({ "kind": kind });
        if let (false, Some(object)) = (path.is_empty(), matches.as_object_mut()) {
            object.insert("path_prefix".to_owned(), Value::from(path));
        }
        let rule = json!({ "match": matches, "fault": fault, "times": times });
        self.admin(Method::POST, "faults", Some(rule)).await.map(|_| ())
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn clear_faults(&self) -> anyhow::Result<()> {
        self.admin(Method::DELETE, "faults", None).await.map(|_| ())
    }

    /// Any other call of the sandbox's admin interface.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn sandbox(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Page> {
        self.admin(method, path, body).await
    }

    /// The last request's number in the sandbox's log.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn last_request(&self) -> anyhow::Result<u64> {
        let log = self.admin(Method::GET, "requests?since=18446744073709551615", None).await?.json()?;
        log.get("last_seq").and_then(Value::as_u64).context("the log has a last number")
    }

    /// What reached the sandbox after that number.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn requests(&self, since: u64) -> anyhow::Result<Vec<Value>> {
        let log = self.admin(Method::GET, &format!("requests?since={since}"), None).await?.json()?;
        Ok(log.get("requests").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// The audit records of a launch.
    ///
    /// # Errors
    /// When the log cannot be asked.
    pub async fn records(&self, launch: LaunchId) -> anyhow::Result<Vec<Record>> {
        let request = QueryRequest {
            tenant: dev_tenant::TENANT.to_owned(),
            launch_id: convert::id_bytes(launch.uuid()),
            ..question()
        };
        Ok(self.audit().query(request).await?.into_inner().records)
    }

    /// The audit records of a tenant since a time in microseconds.
    ///
    /// # Errors
    /// When the log cannot be asked.
    pub async fn records_since(&self, tenant: &str, from: i64) -> anyhow::Result<Vec<Record>> {
        let request = QueryRequest { tenant: tenant.to_owned(), from, until: i64::MAX, ..question() };
        Ok(self.audit().query(request).await?.into_inner().records)
    }

    /// The audit log's counts of a tenant.
    ///
    /// # Errors
    /// When the log cannot be asked.
    pub async fn counts(&self, tenant: &str) -> anyhow::Result<CountsResponse> {
        let request = CountsRequest { tenant: tenant.to_owned(), from: 0, until: i64::MAX };
        Ok(self.audit().counts(request).await?.into_inner())
    }

    /// The spans of a trace, as the processes keep them.
    ///
    /// # Errors
    /// When an admin port does not answer.
    pub async fn spans(&self, trace_id: &str) -> anyhow::Result<Vec<Value>> {
        let mut spans = Vec::new();
        for admin in self.ready.admin_ports() {
            let url = Url::parse(&format!("{admin}/traces/{trace_id}?format=json"))?;
            let page = self.browser.lock().await.fetch(&url).await?;
            spans.extend(page.json()?.as_array().cloned().unwrap_or_default());
        }
        Ok(spans)
    }

    /// `/metrics` of every process as text, one after the other.
    ///
    /// # Errors
    /// When an admin port does not answer.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for admin in self.ready.admin_ports() {
            let url = Url::parse(&format!("{admin}/metrics"))?;
            text.push_str(&self.browser.lock().await.fetch(&url).await?.text());
        }
        Ok(text)
    }

    /// Answers one of the sandbox's own forms: the first clinician, the given patient, consent.
    ///
    /// # Errors
    /// When the page has no form.
    pub fn fill_form(&self, page: &Page, patient: &str) -> anyhow::Result<(Url, String)> {
        super::launch_form::fill(page, patient)
    }
}

fn question() -> QueryRequest {
    QueryRequest {
        limit: 1_000,
        operator: "demo".to_owned(),
        reason: "demonstration".to_owned(),
        ..QueryRequest::default()
    }
}

/// The SHA-256 (hex) of every access token that the sandbox has seen after a number of its log.
pub(super) fn token_digests(requests: &[Value]) -> BTreeSet<String> {
    let tokens = requests.iter().filter_map(|r| r.get("headers")?.get("token_sha256")?.as_str());
    tokens.map(str::to_owned).collect()
}
