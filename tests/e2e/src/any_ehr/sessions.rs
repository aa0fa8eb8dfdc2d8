//! The life of a session in the browser: logout of one launch among two, and idleness that polling does not prevent.

use std::time::Duration;

use anyhow::{Context, ensure};
use http::{Method, header};
use sallyport::demo::browser::Browser;
use tokio::time::Instant;
use url::Url;

use super::grants::Unopened;
use crate::world::World;

/// Two launches in one browser; the person ends the first.
///
/// # Errors
/// When the second is touched, or the first is not over.
pub async fn logout_ends_one_launch_alone() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut browser = Browser::new();
    let first = Unopened::start(&world, &mut browser, 0).await?;
    let second = Unopened::start(&world, &mut browser, 1).await?;
    let mut stolen = browser.clone();
    let url = Url::parse(&format!("{}/session/{}", world.outside.ready.app, first.launch))?;
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        ("sec-fetch-site", "cross-site"),
        ("x-sallyport-call", "1"),
    ];
    let forged = browser.send(Method::POST, &url, &form, "action=logout").await?;
    ensure!(forged.status == 403, "another site's logout was answered {}", forged.status);
    let own = form
        .map(|(name, value)| if name == "sec-fetch-site" { (name, "same-origin") } else { (name, value) });
    let out = browser.send(Method::POST, &url, &own, "action=logout").await?;
    ensure!(out.status == 200, "logout was answered {}: {}", out.status, out.text());
    let cookies: Vec<&str> =
        out.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let [cookie] = cookies.as_slice() else { anyhow::bail!("logout set {} cookies", cookies.len()) };
    let is_expired =
        cookie.starts_with(&format!("__Host-s-{}=;", first.launch)) && cookie.contains("Max-Age=0");
    ensure!(is_expired && cookie.contains("Partitioned"), "the cookie is {cookie}");
    ensure!(out.headers.get("clear-site-data").is_none(), "Clear-Site-Data would end every launch");
    // The cookie as it was, as somebody could have kept it, opens nothing either.
    for browser in [&mut browser, &mut stolen] {
        let over = first.read(&world, browser).await?;
        ensure!(over.status == 401, "after logout the launch was answered {}", over.status);
        let alive = second.read(&world, browser).await?;
        ensure!(alive.status == 200, "the other launch was answered {}: {}", alive.status, alive.text());
    }
    world.stop().await?;
    Ok(())
}

/// Two launches that are called equally often; behind one stands a person, behind the other a timer.
///
/// # Errors
/// When the timer keeps its session alive, or the person's ends.
pub async fn polling_keeps_nobody_signed_in() -> anyhow::Result<()> {
    const IDLE: Duration = Duration::from_secs(6);
    let world =
        World::start_with("[launch_auth]\nsession_idle_seconds = 6\nsweep_interval_ms = 200\n").await?;
    let mut browser = Browser::new();
    let person = Unopened::start(&world, &mut browser, 0).await?;
    let timer = Unopened::start(&world, &mut browser, 1).await?;
    let started = Instant::now();
    let mut ended = None;
    while started.elapsed() < IDLE * 3 {
        let by_person = [("sec-fetch-site", "same-origin"), ("x-sallyport-activity", "person")];
        let url = person.url(&world, &format!("Patient/{}", person.patient))?;
        let page = browser.send(Method::GET, &url, &by_person, "").await?;
        ensure!(
            page.status == 200,
            "after {:?} the person was answered {}: {}",
            started.elapsed(),
            page.status,
            page.text()
        );
        let page = timer.read(&world, &mut browser).await?;
        match (page.status, ended) {
            (200, None) => ensure!(started.elapsed() < IDLE * 2, "polling keeps the session alive"),
            (401, None) => {
                ensure!(page.text().contains("session.expired"), "it ended with {}", page.text());
                ended = Some(started.elapsed());
            }
            (401, Some(_)) => {}
            (status, _) => anyhow::bail!("the timer was answered {status}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let ended = ended.context("polling kept the session alive for three idle times")?;
    ensure!(ended >= IDLE - Duration::from_secs(1), "the session was over after {ended:?} already");
    world.stop().await?;
    Ok(())
}
