//! Opening a session: the handle in the URL picks it, the cookie's secret proves it, time decides whether it lives.

use sallyport_model::{Code, LaunchId, Micros, Secret, session};

use super::{App, digest, is_equal};
use crate::{
    error::unavailable,
    store::{EndReason, Open, Session},
};

/// More cookies than this are not looked at: nobody has that many launches, and each costs a query.
const COOKIES_MAX: usize = 32;

/// The session of `launch` if `secret` is its cookie's.
///
/// # Errors
/// `session.missing`, `session.expired`, `session.revoked`; `service.unavailable` without the database.
pub(crate) async fn resolve(app: &App, launch: LaunchId, secret: &Secret<String>) -> Result<Session, Code> {
    let open = app.store.session(launch).await.map_err(|error| unavailable(&error))?;
    let open = open.ok_or(Code::SessionMissing)?;
    let is_own = is_equal(&digest(secret), &open.secret_digest);
    if !is_own && !sallyport_model::planted!("cookie-of-any-launch") {
        return Err(Code::SessionMissing);
    }
    alive(&open, app.clock.now(), app.config.idle_micros())?;
    Ok(open.session)
}

/// The session of `launch` if it lives, whoever asks: for what a launch that started from it is compared with.
///
/// # Errors
/// As [`resolve`].
pub(crate) async fn open(app: &App, launch: LaunchId) -> Result<Session, Code> {
    let open = app.store.session(launch).await.map_err(|error| unavailable(&error))?;
    let open = open.ok_or(Code::SessionMissing)?;
    alive(&open, app.clock.now(), app.config.idle_micros())?;
    Ok(open.session)
}

/// The session of `launch` if this browser has it.
///
/// # Errors
/// As [`resolve`].
pub(crate) async fn by_cookie(app: &App, launch: LaunchId, cookies: &str) -> Result<Session, Code> {
    let secret = session::find_cookie(cookies, launch).ok_or(Code::SessionMissing)?;
    resolve(app, launch, &secret).await
}

/// The sessions that are open in this browser.
pub(crate) async fn live_sessions(app: &App, cookies: &str) -> Vec<Session> {
    let mut live: Vec<Session> = Vec::new();
    for launch in session::launches_in(cookies).into_iter().take(COOKIES_MAX) {
        if live.iter().all(|known| known.launch != launch)
            && let Ok(session) = by_cookie(app, launch, cookies).await
        {
            live.push(session);
        }
    }
    live
}

fn alive(open: &Open, now: Micros, idle: Micros) -> Result<(), Code> {
    match open.ended {
        Some(EndReason::Expired) => return Err(Code::SessionExpired),
        Some(EndReason::Logout | EndReason::Revoked | EndReason::Evicted) => {
            return Err(Code::SessionRevoked);
        }
        None => {}
    }
    let is_over = now >= idle_expires_at(&open.session, idle) || now >= open.session.absolute_expires_at;
    if is_over { Err(Code::SessionExpired) } else { Ok(()) }
}

/// When the session ends if nothing happens.
pub(crate) fn idle_expires_at(session: &Session, idle: Micros) -> Micros {
    session.last_active_at.saturating_add(idle).min(session.absolute_expires_at)
}
