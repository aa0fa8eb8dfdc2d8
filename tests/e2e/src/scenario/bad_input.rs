//! Bad input through the front door: one clear error with its code each, nothing leaks, nothing crashes.

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::{browser::Browser, ehr_launch};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::world::World;

/// Every malformed, hostile or oversized request that a browser or a stranger can send. Answers how many there were.
///
/// # Errors
/// The first that was not answered as it should be.
pub async fn bad_input_meets_one_clear_error_each() -> anyhow::Result<usize> {
    let world = World::start().await?;
    let outside = &world.outside;
    let patient = outside.patients().await?.into_iter().next().context("a patient")?;
    let mut browser = Browser::new();
    let launched = ehr_launch(outside, &mut browser, &patient).await?;
    let base = format!("{}/fhir/{}", outside.ready.app, launched.launch);
    let long_id = "x".repeat(130);
    let cases: Vec<(String, u16, &str)> = vec![
        (format!("{base}/Patient/../Condition"), 400, "fhir.path_invalid"),
        (format!("{base}/Patient/%2e%2e/Condition"), 400, "fhir.path_invalid"),
        (format!("{base}/Patient/%2e%2e%2fCondition"), 400, "fhir.path_invalid"),
        (format!("{base}/Patient//{patient}"), 400, "fhir.path_invalid"),
        (format!("{base}/Patient;a=b/{patient}"), 400, "fhir.path_invalid"),
        (format!("{base}/Patient/{long_id}"), 400, "fhir.path_invalid"),
        (format!("{base}/patient/{patient}"), 403, "fhir.type_denied"),
        (format!("{base}/Condition?_include=Condition:subject"), 403, "fhir.parameter_denied"),
        (format!("{base}/Condition?_revinclude=Provenance:target"), 403, "fhir.parameter_denied"),
        (format!("{base}/Patient?_has:Observation:patient:code=1234-5"), 403, "fhir.parameter_denied"),
        (format!("{base}/Condition?subject.name=x"), 403, "fhir.parameter_denied"),
        (format!("{base}/Patient/{patient}/$everything"), 403, "fhir."),
        (format!("{base}/$export"), 403, "fhir."),
        (format!("{base}/Condition?patient={patient}&patient=other"), 400, "fhir.parameter_invalid"),
        (format!("{base}/AuditEvent"), 403, "fhir."),
        (format!("{}/fhir/not-a-launch/Patient/1", outside.ready.app), 404, ""),
        (format!("{}/launch/nobody", outside.ready.app), 404, "launch.registration_unknown"),
        (
            format!("{}/launch/sandbox?iss={}", outside.ready.app, outside.ready.fhir_base),
            400,
            "launch.launch_missing",
        ),
        (
            format!("{}/launch/sandbox?iss=a&iss=b&launch=x", outside.ready.app),
            400,
            "launch.parameter_invalid",
        ),
        (format!("{}/callback/sandbox?code=x&state=y", outside.ready.app), 403, "callback.state_unknown"),
        (format!("{}/callback/sandbox", outside.ready.app), 400, "callback.invalid"),
    ];
    let tried = cases.len() + 1;
    for (address, status, code) in cases {
        let since = outside.last_request().await?;
        let page = raw(&address, &browser.cookie_header("localhost")).await?;
        let shown = address.replace(&launched.launch.to_string(), "{launch}");
        ensure!(
            page.starts_with(&format!("HTTP/1.1 {status} ")) && page.contains(code),
            "{shown} did not answer {status} {code}: {page}"
        );
        ensure!(!page.contains(&long_id), "{shown} reflects its input");
        ensure!(outside.requests(since).await?.is_empty(), "{shown} reached the EHR");
    }
    oversized(outside.ready.app.as_str(), &launched.launch.to_string(), &mut browser).await?;
    let alive = browser.fetch(&launched.url(outside, "fhir", &format!("Patient/{patient}"))?).await?;
    ensure!(alive.status == 200, "it still serves");
    world.stop().await?;
    Ok(tried)
}

/// One request whose target goes over the wire exactly as written: a browser would resolve the dots.
async fn raw(address: &str, cookies: &str) -> anyhow::Result<String> {
    let rest = address.strip_prefix("http://").context("an http address")?;
    let (host, target) = rest.split_once('/').context("a path")?;
    let mut stream = TcpStream::connect(host).await?;
    let request = format!(
        "GET /{target} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\naccept: application/json\r\n\
         sec-fetch-site: same-origin\r\nsec-fetch-mode: cors\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A body far beyond the cap: refused while it is still coming.
async fn oversized(app: &str, launch: &str, browser: &mut Browser) -> anyhow::Result<()> {
    let url = Url::parse(&format!("{app}/fhir/{launch}/Condition/_search"))?;
    let body = format!("code={}", "x".repeat(8 * 1024 * 1024));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    // The server may close the connection while we still write; both are a refusal.
    if let Ok(page) = browser.send(Method::POST, &url, &headers, &body).await {
        ensure!(page.status == 413, "8 MiB were answered {}", page.status);
    }
    Ok(())
}
