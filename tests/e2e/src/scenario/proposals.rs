//! From a scan's proposal to one record in the EHR: the clinician's page, a step-up, five clicks with the network cut.

use std::time::Duration;

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::browser::{Browser, Page};
use sallyport_model::ServiceName;
use sallyport_proto::{
    audit::v1::Record,
    convert,
    jobs::v1::{CountProposalsRequest, jobs_client::JobsClient},
};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::care_gaps::{Chart, Clinic, PATIENCE, TENANT, list, text};
use crate::any_ehr::walking::{answer, walk};

const FORM: &str = "application/x-www-form-urlencoded";

/// What a form of the page would send.
fn fields(page: &str, class: &str) -> anyhow::Result<String> {
    let form = page.split_once(&format!("<form class=\"{class}\"")).context("no such form")?.1;
    let form = form.split("</form>").next().unwrap_or_default();
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input").skip(1) {
        let value =
            |name: &str| Some(input.split_once(&format!("{name}=\""))?.1.split('"').next()?.to_owned());
        if let (Some(name), Some(value)) = (value("name"), value("value")) {
            body.append_pair(&name, &value);
        }
    }
    Ok(body.finish())
}

async fn post(browser: &mut Browser, url: &str, body: &str) -> anyhow::Result<Page> {
    let headers = [("content-type", FORM), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
    browser.send(Method::POST, &Url::parse(url)?, &headers, body).await
}

impl Clinic {
    fn app(&self) -> &str {
        &self.world.outside.ready.app
    }

    /// Signs in once more, for writing; the chart that opens beside.
    async fn step_up(&self, chart: &mut Chart, patient: &str) -> anyhow::Result<Chart> {
        let page = self.page(chart, "proposals").await?;
        ensure!(
            page.contains("Sign in for ") && !page.contains("Approve and write"),
            "no step-up is offered"
        );
        let body = fields(&page, "step-up")?;
        let asked =
            post(&mut chart.browser, &format!("{}/session/{}/step-up", self.app(), chart.launch), &body)
                .await?;
        let to = asked
            .location()
            .with_context(|| format!("the step-up answered {}: {}", asked.status, asked.text()))?;
        let mut walked = walk(&mut chart.browser, self.app(), &to).await?;
        // Login, picker and consent are forms with one obvious answer each.
        for _ in 0..4 {
            if walked.chart.is_some() {
                break;
            }
            let (action, body) = self.ehr.fill_form(walked.last()?, patient)?;
            walked = answer(&mut chart.browser, self.app(), &action, &body).await?;
        }
        let launch = walked.launch()?;
        Ok(Chart { browser: std::mem::take(&mut chart.browser), launch })
    }

    async fn decide(&self, chart: &mut Chart, body: &str) -> anyhow::Result<Page> {
        post(&mut chart.browser, &format!("{}/chart/{}/proposals", self.app(), chart.launch), body).await
    }

    /// How many requests to get in touch the EHR has of the launch's patient.
    async fn written(&self, chart: &mut Chart) -> anyhow::Result<usize> {
        let url = Url::parse(&format!("{}/fhir/{}/CommunicationRequest", self.app(), chart.launch))?;
        let headers = [
            ("accept", "application/fhir+json"),
            ("sec-fetch-site", "same-origin"),
            ("x-sallyport-feature", "outreach-list"),
        ];
        let page = chart.browser.send(Method::GET, &url, &headers, "").await?;
        ensure!(page.status == 200, "the search answered {}: {}", page.status, page.text());
        Ok(list(&page.json()?, "/entry").len())
    }

    /// `sallyport jobs proposals`, as it is printed.
    async fn counts(&self) -> anyhow::Result<String> {
        let mut jobs = JobsClient::new(self.world.outside.operator(ServiceName::JobWorker).await?);
        let request = CountProposalsRequest { tenant: TENANT.to_owned() };
        Ok(sallyport::jobs::proposals(&jobs.count_proposals(request).await?.into_inner().counts))
    }

    async fn decisions(&self, launch: &[u8]) -> anyhow::Result<Vec<Record>> {
        let mut records = self.world.outside.records_since(TENANT, 0).await?;
        records.retain(|record| record.launch_id == launch && record.interaction == "approve");
        Ok(records)
    }
}

fn has_gap(kept: &Value) -> bool {
    list(kept, "/assessments").iter().any(|one| text(one, "/outcome") == Some("gap"))
}

/// Approved five times while the network is cut there is one record in the EHR; another patient's launch neither sees nor decides
/// on the proposal; and the decision is in the audit log.
///
/// # Errors
/// What was otherwise.
pub async fn an_approval_clicked_five_times_with_the_network_cut_is_one_record() -> anyhow::Result<()> {
    let clinic = Clinic::open().await?;
    clinic.scan().await?;
    let mut with_gap = Vec::new();
    for patient in clinic.ehr.patients().await? {
        if has_gap(&clinic.kept(&patient).await?) {
            with_gap.push(patient);
        }
    }
    let [patient, stranger, ..] = with_gap.as_slice() else { anyhow::bail!("two patients with a gap") };
    let mut reading = clinic.launch(patient).await?;
    let mut chart = clinic.step_up(&mut reading, patient).await?;
    let page = clinic.page(&mut chart, "proposals").await?;
    ensure!(
        page.contains("A new record of type") && page.contains("payload.contentString"),
        "before and after"
    );
    let bound = fields(&page, "approve")?;
    let approval = format!("{bound}&decision=approve");
    ensure!(approval.contains("confirm=yes"), "the form asks for a confirmation");
    let proposal = url::form_urlencoded::parse(bound.as_bytes()).find(|(name, _)| name == "proposal");
    let proposal = proposal.context("a proposal")?.1.into_owned();

    let mut other = clinic.launch(stranger).await?;
    let mut other = clinic.step_up(&mut other, stranger).await?;
    let theirs = clinic.page(&mut other, "proposals").await?;
    ensure!(!theirs.contains(&proposal), "another patient's proposal is shown");
    let own = fields(&theirs, "approve")?;
    let token = url::form_urlencoded::parse(own.as_bytes()).find(|(name, _)| name == "token");
    let foreign: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", &token.context("a token")?.1)
        .finish();
    let rest = bound.split_once('&').context("more fields")?.1;
    let denied = clinic.decide(&mut other, &format!("{foreign}&{rest}&decision=approve")).await?;
    ensure!(denied.status == 404, "another patient's launch decided: {}", denied.status);

    clinic.ehr.fault("fhir", "/strict/general/fhir/CommunicationRequest", "reset-after", 1).await?;
    for _ in 0..5 {
        let clicked = clinic.decide(&mut chart, &approval).await?;
        ensure!(matches!(clicked.status, 303 | 409 | 504), "a click was answered {}", clicked.status);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = clinic.page(&mut chart, "proposals").await?;
        if now.contains(">Written<") {
            break;
        }
        ensure!(Instant::now() < deadline, "it is never known to be written: {now}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        clinic.decide(&mut chart, &approval).await?;
    }
    let counts = clinic.counts().await?;
    ensure!(counts.contains("house-rule  1 approved (applied), "), "the operators' report says: {counts}");
    ensure!(!counts.contains(patient.as_str()), "the operators' report names a patient");
    let count = clinic.written(&mut chart).await?;
    ensure!(count == 1, "{count} records of one approval");
    ensure!(clinic.written(&mut other).await? == 0, "something was written about the other patient");
    let launch = convert::id_bytes(chart.launch.uuid());
    let deadline = Instant::now() + PATIENCE;
    while clinic.decisions(&launch).await?.is_empty() {
        ensure!(Instant::now() < deadline, "the decision is not in the audit log");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    clinic.close().await
}
