//! The operators' console through the front door: in by a link, the log without patients, whose data it was for a reason, a
//! session that is ended by somebody else; and who is there for another tenant sees nothing.

use std::time::Duration;

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::{
    Outside,
    browser::{Browser, Page},
    ehr_launch,
};
use sallyport_model::{ServiceName, operator::Role};
use sallyport_proto::{
    convert,
    launch::v1::{EndOperatorRequest, InviteRequest, operators_client::OperatorsClient},
};
use tokio::time::Instant;
use url::Url;

use crate::world::World;

/// The longest that anybody waits for what happens in moments.
const PATIENCE: Duration = Duration::from_secs(60);

/// In one process.
///
/// # Errors
/// What did not hold.
pub async fn the_console_shows_the_log_without_patients_until_somebody_says_why() -> anyhow::Result<()> {
    let world = World::start().await?;
    let told = console_holds(&world.outside).await;
    world.stop().await?;
    told
}

/// The same wherever the instance runs.
///
/// # Errors
/// What did not hold.
pub async fn console_holds(outside: &Outside) -> anyhow::Result<()> {
    let patient = outside.patients().await?.into_iter().next().context("a patient")?;
    let launched = ehr_launch(outside, &mut Browser::new(), &patient).await?;
    let app = outside.ready.app.as_str();
    let mut nobody = Browser::new();
    let refused = get(&mut nobody, app, "/console").await?;
    ensure!(refused.status == 401 && refused.text().contains("sallyport console"), "{}", refused.status);

    let mut auditor = signed_in(outside, "Olga", Role::Auditor).await?;
    let overview = get(&mut auditor, app, "/console?tenant=general").await?;
    ensure!(overview.status == 200 && !overview.text().contains("role=\"alert\""), "{}", overview.text());
    let path = format!("/console/audit?tenant=general&last=1h&kind=FHIR_CALL&launch={}", launched.launch);
    let log = until(&mut auditor, app, &path, "href=\"/console/audit/records/").await?;
    ensure!(!log.contains(&patient), "the log names no patient");
    let (_, rest) = log.split_once("href=\"/console/audit/records/").context("a record")?;
    let id = rest.split(['?', '"']).next().context("a record's id")?.to_owned();
    let record = get(&mut auditor, app, &format!("/console/audit/records/{id}?tenant=general")).await?.text();
    ensure!(!record.contains(&patient), "nor does a record");
    let form = format!("/console/audit/records/{id}/unmask?tenant=general");
    let filled = format!("token={}&reason=complaint+4711", token(&record, "/unmask")?);
    let shown = post(&mut auditor, app, &form, &filled).await?;
    ensure!(shown.status == 200 && shown.text().contains(&patient), "{}", shown.text());
    let forged = post(&mut auditor, app, &form, "token=forged&reason=complaint+4711").await?;
    ensure!(forged.status == 403 && !forged.text().contains(&patient), "a forged form: {}", forged.status);

    let mut operator = signed_in(outside, "Otto", Role::Operator).await?;
    let record =
        get(&mut operator, app, &format!("/console/audit/records/{id}?tenant=general")).await?.text();
    ensure!(record.contains("does not allow to see whose data"), "an operator sees no patient");

    end(outside, "Olga").await?;
    let deadline = Instant::now() + PATIENCE;
    while get(&mut auditor, app, "/console").await?.status != 401 {
        ensure!(Instant::now() < deadline, "an ended session opens pages for a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(get(&mut operator, app, "/console").await?.status == 200, "another session goes on");
    Ok(())
}

/// Somebody who has used a link.
async fn signed_in(outside: &Outside, name: &str, role: Role) -> anyhow::Result<Browser> {
    let mut operators = OperatorsClient::new(outside.operator(ServiceName::LaunchAuth).await?);
    let request = InviteRequest {
        name: name.to_owned(),
        role: convert::role_number(role),
        tenants: vec!["general".to_owned()],
        by: "test".to_owned(),
        reason: "test".to_owned(),
        ..InviteRequest::default()
    };
    let link = operators.invite(request).await?.into_inner().link_secret;
    let (mut browser, app) = (Browser::new(), outside.ready.app.as_str());
    let page = get(&mut browser, app, &format!("/console/sign-in?link={link}")).await?;
    ensure!(page.status == 200 && page.text().contains(name), "{}", page.text());
    let answer = post(&mut browser, app, "/console/sign-in", &format!("link={link}")).await?;
    ensure!(answer.status == 303, "{}: {}", answer.status, answer.text());
    Ok(browser)
}

async fn end(outside: &Outside, name: &str) -> anyhow::Result<()> {
    let mut operators = OperatorsClient::new(outside.operator(ServiceName::LaunchAuth).await?);
    let (by, reason) = ("test".to_owned(), "a lost laptop".to_owned());
    let request = EndOperatorRequest { name: name.to_owned(), by, reason, ..EndOperatorRequest::default() };
    ensure!(operators.end_operator(request).await?.into_inner().ended == 1, "one session was ended");
    Ok(())
}

async fn get(browser: &mut Browser, app: &str, path: &str) -> anyhow::Result<Page> {
    let headers = [("accept", "text/html"), ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")];
    browser.send(Method::GET, &Url::parse(&format!("{app}{path}"))?, &headers, "").await
}

async fn post(browser: &mut Browser, app: &str, path: &str, form: &str) -> anyhow::Result<Page> {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    browser.send(Method::POST, &Url::parse(&format!("{app}{path}"))?, &headers, form).await
}

/// A page, once it says that: the log is written behind the answers that it is about.
async fn until(browser: &mut Browser, app: &str, path: &str, says: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(browser, app, path).await?;
        let text = page.text();
        if page.status == 200 && text.contains(says) {
            return Ok(text);
        }
        ensure!(Instant::now() < deadline, "{path} does not say {says}: {} {text}", page.status);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The token of the form that leads there.
fn token(page: &str, action: &str) -> anyhow::Result<String> {
    let mut forms =
        page.split("<form").filter(|form| form.split('>').next().is_some_and(|tag| tag.contains(action)));
    let form = forms.next().context("the form")?;
    let (_, rest) = form.split_once("name=\"token\" value=\"").context("its token")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
