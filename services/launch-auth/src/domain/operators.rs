//! Who uses the console: links that are used once, sessions that end by themselves. A session says who, as what and for which
//! tenants; what may be done with it, the services decide.

use sallyport_model::{Code, Micros, RecordId, RequestId, Secret, TenantId, operator::Tenants};
use sallyport_proto::{audit::v1::Kind, convert, launch::v1 as wire};
use uuid::Uuid;

use super::{App, digest, new_secret, record::Event};
use crate::{
    error::{Refusal, unavailable},
    store::{OperatorSession, Person},
};

/// How long a link can be used when nobody says.
const LINK_SECONDS: i32 = 600;

/// The longest: a day.
const LINK_SECONDS_MAX: i32 = 86_400;

/// Longest name.
const NAME_MAX: usize = 100;

/// A session that was used within this time is not written again for each click.
const TOUCH_EVERY_MICROS: Micros = 30 * 1_000_000;

/// Makes a link. Its secret is told once.
///
/// # Errors
/// `request.invalid`; `audit.unavailable`, and then there is no link.
pub(crate) async fn invite(
    app: &App,
    asked: &wire::InviteRequest,
    request: Option<RequestId>,
) -> Result<(Secret<String>, Micros), Code> {
    let person = person(app, asked)?;
    let seconds = match asked.lifetime_s {
        0 => LINK_SECONDS,
        given if (1..=LINK_SECONDS_MAX).contains(&given) => given,
        _ => return Err(Code::RequestInvalid),
    };
    if !convert::is_reason(&asked.by) || !convert::is_reason(&asked.reason) {
        return Err(Code::RequestInvalid);
    }
    let words = format!("{}: {}", said(&person), asked.reason);
    app.record(event(&person, request).operator(&asked.by, "console-invite").detail(&words)).await?;
    let (secret, now) = (new_secret(), app.clock.now());
    let expires_at = now.saturating_add(i64::from(seconds) * 1_000_000);
    let kept = app.store.keep_link(&digest(&secret), &person, (now, expires_at)).await;
    kept.map_err(|error| unavailable(&error))?;
    Ok((secret, expires_at))
}

fn person(app: &App, asked: &wire::InviteRequest) -> Result<Person, Code> {
    let name = asked.name.trim();
    let is_name = convert::is_reason(name) && name.chars().count() <= NAME_MAX;
    let role = convert::role(asked.role).map_err(|_none| Code::RequestInvalid)?;
    let tenants =
        convert::tenants(asked.all_tenants, &asked.tenants).map_err(|_none| Code::RequestInvalid)?;
    let are_known = match &tenants {
        Tenants::All => true,
        Tenants::Some(names) => names.iter().all(|name| app.registry.tenant(name).is_some()),
    };
    if is_name && are_known {
        Ok(Person { name: name.to_owned(), role, tenants })
    } else {
        Err(Code::RequestInvalid)
    }
}

/// For whom a link is. Uses nothing up: programs that look at links before people do open no session.
///
/// # Errors
/// `console.link_used`.
pub(crate) async fn peek(app: &App, link: &Secret<String>) -> Result<Person, Code> {
    let found = app.store.link(&digest(link), app.clock.now()).await;
    found.map_err(|error| unavailable(&error))?.ok_or(Code::ConsoleLinkUsed)
}

/// Opens a session from a link, once.
///
/// # Errors
/// `console.link_used`; `audit.unavailable`, and then the link is still good.
pub(crate) async fn sign_in(
    app: &App,
    link: &Secret<String>,
    request: Option<RequestId>,
) -> Result<(Secret<String>, OperatorSession), Code> {
    let Ok(person) = peek(app, link).await else { return Err(refused(app, request).await) };
    // First: nobody is at the console without a record of it.
    let named = console_name(&person);
    app.record(event(&person, request).operator(&named, "console-sign-in").detail(&said(&person))).await?;
    let (secret, now) = (new_secret(), app.clock.now());
    let id = RecordId::new(app.clock.as_ref()).uuid();
    let until = now.saturating_add(app.config.console_absolute_micros());
    let opened = app.store.open_by_link(&digest(link), (id, &digest(&secret)), (now, until)).await;
    match opened.map_err(|error| unavailable(&error))? {
        Some(session) => Ok((secret, session)),
        // Two clicks at a time: one of them.
        None => Err(refused(app, request).await),
    }
}

async fn refused(app: &App, request: Option<RequestId>) -> Code {
    let event = Event::new(Kind::Operator, request).operator("", "console-sign-in");
    app.record_anyway(event.refused(&Refusal::new(Code::ConsoleLinkUsed))).await;
    Code::ConsoleLinkUsed
}

/// Whose session that is, if it lives.
///
/// # Errors
/// `console.signed_out` for a secret of nobody, `console.ended`; `service.unavailable` without the database.
pub(crate) async fn resolve(
    app: &App,
    secret: &Secret<String>,
    is_active: bool,
) -> Result<OperatorSession, Code> {
    let found = app.store.operator_session(&digest(secret)).await.map_err(|error| unavailable(&error))?;
    let session = found.ok_or(Code::ConsoleSignedOut)?;
    let now = app.clock.now();
    let is_over = now >= idle_expires_at(app, &session) || now >= session.absolute_expires_at;
    if (session.is_ended || is_over) && !sallyport_model::planted!("console-session-immortal") {
        return Err(Code::ConsoleEnded);
    }
    if is_active && now.saturating_sub(session.last_active_at) >= TOUCH_EVERY_MICROS {
        app.store.touch_operator(session.id, now).await.map_err(|error| unavailable(&error))?;
        return Ok(OperatorSession { last_active_at: now, ..session });
    }
    Ok(session)
}

/// Ends the session of a secret. One that is over is over.
///
/// # Errors
/// `service.unavailable`.
pub(crate) async fn sign_out(
    app: &App,
    secret: &Secret<String>,
    request: Option<RequestId>,
) -> Result<(), Code> {
    let found = app.store.operator_session(&digest(secret)).await.map_err(|error| unavailable(&error))?;
    let Some(session) = found else { return Ok(()) };
    if app.store.end_operator(session.id, app.clock.now()).await.map_err(|error| unavailable(&error))? {
        let event = event(&session.person, request);
        app.record_anyway(event.operator(&console_name(&session.person), "console-sign-out")).await;
    }
    Ok(())
}

/// Which sessions somebody wants ended.
pub(crate) enum Whose {
    /// One.
    Session(Uuid),
    /// All of a name, and the links that were made for it.
    Named(String),
}

/// Ends sessions; how many were open.
///
/// # Errors
/// `request.invalid`, `service.unavailable`.
pub(crate) async fn end(
    app: &App,
    whose: Whose,
    (by, reason): (&str, &str),
    request: Option<RequestId>,
) -> Result<i32, Code> {
    if !convert::is_reason(by) || !convert::is_reason(reason) {
        return Err(Code::RequestInvalid);
    }
    let now = app.clock.now();
    let (ended, whom) = match whose {
        Whose::Session(id) => (app.store.end_operator(id, now).await.map(u64::from), format!("session {id}")),
        Whose::Named(name) => {
            let idle_since = now.saturating_sub(app.config.console_idle_micros());
            (app.store.end_operators_named(&name, (now, idle_since)).await, name)
        }
    };
    let ended = ended.map_err(|error| unavailable(&error))?;
    let event = Event::new(Kind::Operator, request).operator(by, "console-end");
    app.record_anyway(event.detail(&format!("{whom}: {reason}"))).await;
    Ok(i32::try_from(ended).unwrap_or(i32::MAX))
}

/// When the session ends if nothing happens.
pub(crate) fn idle_expires_at(app: &App, session: &OperatorSession) -> Micros {
    let idle = session.last_active_at.saturating_add(app.config.console_idle_micros());
    idle.min(session.absolute_expires_at)
}

/// A session as messages carry it.
pub(crate) fn told(app: &App, session: &OperatorSession) -> wire::Operator {
    let (all_tenants, tenants) = match &session.person.tenants {
        Tenants::All => (true, Vec::new()),
        Tenants::Some(names) => (false, names.iter().map(|name| name.as_str().to_owned()).collect()),
    };
    wire::Operator {
        session_id: convert::id_bytes(session.id),
        name: session.person.name.clone(),
        role: convert::role_number(session.person.role),
        tenants,
        all_tenants,
        created_at: session.created_at,
        last_active_at: session.last_active_at,
        idle_expires_at: idle_expires_at(app, session),
        absolute_expires_at: session.absolute_expires_at,
        by: session.opened_by.clone(),
    }
}

/// As records name them (`sallyport_rpc::console::Asker::named`).
fn console_name(person: &Person) -> String {
    format!("{} (console)", person.name)
}

/// In the tenant, where it is about one alone.
fn event(person: &Person, request: Option<RequestId>) -> Event {
    let event = Event::new(Kind::Operator, request);
    match &person.tenants {
        Tenants::Some(names) if names.len() == 1 => {
            names.iter().fold(event, |event, name: &TenantId| event.tenant(name))
        }
        _ => event,
    }
}

fn said(person: &Person) -> String {
    let tenants = match &person.tenants {
        Tenants::All => "all tenants".to_owned(),
        Tenants::Some(names) => names.iter().map(TenantId::as_str).collect::<Vec<_>>().join(" "),
    };
    format!("{} as {} for {tenants}", person.name, person.role.as_str())
}
