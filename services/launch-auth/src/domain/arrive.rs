//! The browser is back from the EHR. The order is fixed (LAUNCH-14): cookie, state used up, issuer, error or code,
//! exchange, context. What was started with is what is used: nothing is looked up again.

use std::sync::Arc;

use sallyport_model::{Code, LaunchId, RegistrationId, Secret, scope::ScopeSet, session};
use sallyport_proto::{audit::v1::Kind, convert, vault::v1::ExchangeResponse};
use sallyport_registry::{Entry, Open as Opens};
use sallyport_smart::{
    authorize::{Answer, Refusal as EhrRefusal, Response, check_issuer},
    context::{ContextFault, LaunchContext},
};
use tracing::Instrument;

use super::{
    App, Visit, checks, digest, end, exchange, is_equal, new_secret,
    record::Event,
    resolve::{self, live_sessions},
};
use crate::{
    error::{NewWindow, Refusal, unavailable},
    store::{EndReason, Found, NewSession, Session, Transaction},
};

/// Where the browser goes, and which cookies it gets.
pub(crate) struct Arrival {
    pub(crate) location: String,
    pub(crate) set_cookies: Vec<String>,
}

/// Takes the answer of an authorization server, counts it and records it.
///
/// # Errors
/// The refusal to show.
pub(crate) async fn arrive(
    app: &Arc<App>,
    visit: &Visit,
    registration: &str,
    encoded: &[u8],
) -> Result<Arrival, Refusal> {
    let outcome = receive(app, visit, registration, encoded).await;
    match &outcome {
        Ok(_) => app.numbers.callbacks.inc(&["ok"]),
        Err(refusal) => {
            app.numbers.callbacks.inc(&[refusal.code.as_str()]);
            // With a launch known, the refusal was recorded inside the launch's trace.
            if refusal.launch.is_none() {
                record_refusal(app, visit, refusal).await;
            }
        }
    }
    outcome
}

async fn record_refusal(app: &App, visit: &Visit, refusal: &Refusal) {
    let mut event = Event::new(Kind::Callback, Some(visit.request_id));
    if let Some(entry) = refusal.registration.as_ref().and_then(|id| app.registry.registration(id)) {
        event = event.at(&entry);
    }
    app.record_anyway(event.refused(refusal)).await;
}

async fn receive(
    app: &Arc<App>,
    visit: &Visit,
    registration: &str,
    encoded: &[u8],
) -> Result<Arrival, Refusal> {
    let id = RegistrationId::parse(registration).ok();
    let entry = id.and_then(|id| app.registry.registration(&id)).ok_or(Code::LaunchRegistrationUnknown)?;
    let refuse = |code: Code| Refusal::new(code).at(&entry.tenant.id, &entry.registration.id);
    let response = Response::parse(encoded).map_err(|_fault| refuse(Code::CallbackInvalid))?;
    let found = app.store.launch_by_state(&digest(&response.state)).await;
    let found = found.map_err(|error| refuse(unavailable(&error)))?;
    let found = found.ok_or_else(|| refuse(Code::CallbackStateUnknown))?;

    let launch = found.transaction.launch;
    let span = tracing::info_span!(
        "launch-auth.callback.finish",
        launch.id = %launch,
        tenant.id = entry.tenant.id.as_str(),
        endpoint.id = entry.endpoint.id.as_str(),
        vendor.id = entry.endpoint.vendor.as_str(),
        outcome = tracing::field::Empty,
    );
    // The launch's trace goes on; the request that brought the answer has one of its own, and the two are joined.
    sallyport_telemetry::propagate::set_parent_text(&span, &found.transaction.traceparent);
    if let Some(request) = sallyport_telemetry::propagate::traceparent() {
        sallyport_telemetry::propagate::link(&span, &request);
    }
    async {
        let outcome = match admit(app, visit, &entry, &found).await {
            Ok(Admitted::Again(arrival)) => Ok(arrival),
            Ok(Admitted::First(transaction)) => finish(app, visit, *transaction, response).await,
            Err(refusal) => Err(refusal),
        };
        let word = outcome.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "ok");
        tracing::Span::current().record("outcome", word);
        if let Err(refusal) = &outcome {
            record_refusal(app, visit, refusal).await;
        }
        outcome
    }
    .instrument(span)
    .await
}

enum Admitted {
    /// The state was used up by this call.
    First(Box<Transaction>),
    /// The same answer again in the same browser: the session is there.
    Again(Arrival),
}

/// The state belongs to this registration and to this browser, and is used up now.
async fn admit(app: &App, visit: &Visit, entry: &Entry<'_>, found: &Found) -> Result<Admitted, Refusal> {
    let launch = found.transaction.launch;
    let refuse = |code: Code| Refusal::new(code).at(&entry.tenant.id, &entry.registration.id).of(launch);
    // Each registration has a redirect URI of its own: an answer at another one is a mix-up (RFC 9700 §4.4).
    if found.transaction.registration != entry.registration.id {
        return Err(refuse(Code::CallbackIssuerMismatch));
    }
    let cookie = visit.transaction_cookie(launch);
    let is_same_browser = cookie.is_some_and(|c| is_equal(&digest(&c), &found.browser_digest));
    if !is_same_browser && !sallyport_model::planted!("state-of-any-browser") {
        if visit.is_framed && !visit.keeps_cookies() {
            let mut refusal = refuse(Code::SessionCookieBlocked);
            refusal.new_window = Some(new_window(&found.transaction));
            return Err(refusal);
        }
        return Err(refuse(Code::CallbackOtherBrowser));
    }
    if found.is_consumed && !sallyport_model::planted!("state-reusable") {
        return match resolve::by_cookie(app, launch, &visit.cookies.0).await {
            Ok(_session) => {
                let event = Event::new(Kind::Callback, Some(visit.request_id)).at(entry).launch(launch);
                app.record(event.detail("repeated")).await.map_err(refuse)?;
                Ok(Admitted::Again(Arrival { location: location(entry, launch), set_cookies: Vec::new() }))
            }
            Err(_no_session) => Err(refuse(Code::CallbackStateUnknown)),
        };
    }
    let now = app.clock.now();
    if found.expires_at <= now {
        return Err(refuse(Code::CallbackStateUnknown));
    }
    let consumed = app.store.consume(launch, now).await.map_err(|error| refuse(unavailable(&error)))?;
    consumed.map(|t| Admitted::First(Box::new(t))).ok_or_else(|| refuse(Code::CallbackStateUnknown))
}

/// The launch again, in a window of its own: the EHR's launch token where there is one.
fn new_window(transaction: &Transaction) -> NewWindow {
    let path = format!("/launch/{}", transaction.registration);
    let href = match &transaction.launch_parameter {
        None => path,
        Some(launch) => {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("iss", &transaction.aud).append_pair("launch", launch);
            format!("{path}?{}", query.finish())
        }
    };
    NewWindow { href }
}

/// Runs to its end even when the browser goes away: a code that was redeemed leads to a session that expires or to a
/// grant that is revoked, never to neither.
async fn finish(
    app: &Arc<App>,
    visit: &Visit,
    transaction: Transaction,
    response: Response,
) -> Result<Arrival, Refusal> {
    let (app, visit) = (Arc::clone(app), visit.clone());
    let launch = transaction.launch;
    let place = Refusal::new(Code::Internal).at(&transaction.tenant, &transaction.registration).of(launch);
    let task = async move {
        let outcome = complete(&app, &visit, &transaction, response).await;
        let word = outcome.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "ok");
        if let Err(error) = app.store.finish_launch(launch, word).await {
            unavailable(&error);
        }
        outcome
    };
    tokio::spawn(task.in_current_span()).await.unwrap_or(Err(place))
}

async fn complete(
    app: &Arc<App>,
    visit: &Visit,
    transaction: &Transaction,
    response: Response,
) -> Result<Arrival, Refusal> {
    let launch = transaction.launch;
    let refuse =
        |code: Code| Refusal::new(code).at(&transaction.tenant, &transaction.registration).of(launch);
    let entry = app.registry.registration(&transaction.registration).ok_or_else(|| refuse(Code::Internal))?;
    let announced = transaction.announces_issuer;
    let compared = check_issuer(response.issuer.as_deref(), transaction.issuer.as_deref(), announced);
    if compared.is_err() && !sallyport_model::planted!("callback-issuer-unchecked") {
        return Err(refuse(Code::CallbackIssuerMismatch));
    }
    let code = match response.answer {
        Answer::Code(code) => code,
        Answer::Error(EhrRefusal::AccessDenied) => return Err(refuse(Code::CallbackDenied)),
        Answer::Error(error) => return Err(refuse(Code::CallbackError).with_detail(error.label())),
    };
    let exchanged = exchange::exchange(app, visit.request_id, transaction, &code).await.map_err(refuse)?;
    let grant = convert::grant_id(&exchanged.grant_id).map_err(|_field| refuse(Code::ExchangeInvalid))?;
    match open(app, visit, &entry, transaction, exchanged).await {
        Ok(arrival) => Ok(arrival),
        Err(code) => {
            exchange::give_back(app, &transaction.tenant, grant, code.as_str()).await;
            Err(refuse(code))
        }
    }
}

/// Checks the context, opens the session and makes room for it in this browser.
async fn open(
    app: &App,
    visit: &Visit,
    entry: &Entry<'_>,
    transaction: &Transaction,
    exchanged: ExchangeResponse,
) -> Result<Arrival, Code> {
    let session = session_of(app, entry, transaction, exchanged)?;
    checks::step_up(app, entry, transaction, &session).await?;
    let launch = session.launch;
    let secret: Secret<String> = new_secret();
    let mut set_cookies = make_room(app, &visit.cookies.0).await;
    set_cookies.push(session::set_cookie(launch, &secret));
    let event = Event::new(Kind::Callback, Some(visit.request_id))
        .at(entry)
        .session(&session)
        .scopes(&transaction.requested_scope, &session.granted_scope);
    let new = NewSession { secret_digest: digest(&secret), session };
    app.store.insert_session(&new).await.map_err(|error| unavailable(&error))?;
    if let Err(code) = app.record(event).await {
        end::end(app, &new.session, EndReason::Revoked, None).await;
        return Err(code);
    }
    Ok(Arrival { location: location(entry, launch), set_cookies })
}

fn session_of(
    app: &App,
    entry: &Entry<'_>,
    transaction: &Transaction,
    exchanged: ExchangeResponse,
) -> Result<Session, Code> {
    let profile = entry.endpoint.behaviour.now(app.clock.now())?;
    let context = LaunchContext::parse(&exchanged.context_json, *profile.data.max_id_length)
        .map_err(|_fault| Code::ContextInvalid)?;
    let granted = ScopeSet::parse(&exchanged.granted_scope);
    if context.check_patient(&granted) == Err(ContextFault::PatientMissing) {
        return Err(Code::ContextPatientMissing);
    }
    if !checks::is_enough(entry, &granted) {
        return Err(Code::ScopeRequiredMissing);
    }
    let user = exchanged.user.map(TryInto::try_into).transpose().map_err(|_field| Code::IdentityInvalid)?;
    let now = app.clock.now();
    Ok(Session {
        launch: transaction.launch,
        tenant: transaction.tenant.clone(),
        endpoint: transaction.endpoint.clone(),
        registration: transaction.registration.clone(),
        app: transaction.app.clone(),
        is_ehr_launch: transaction.is_ehr_launch,
        grant: convert::grant_id(&exchanged.grant_id).map_err(|_field| Code::ExchangeInvalid)?,
        user,
        user_display: (!exchanged.user_display.is_empty())
            .then(|| crate::store::Display(exchanged.user_display.clone())),
        fhir_context_json: crate::store::Context(context.fhir_context_json()),
        patient: context.patient,
        encounter: context.encounter,
        granted_scope: exchanged.granted_scope,
        intent: context.intent,
        need_patient_banner: context.need_patient_banner,
        smart_style_url: context.smart_style_url,
        features: transaction.features.clone(),
        traceparent: transaction.traceparent.clone(),
        renewable: exchanged.has_refresh_token,
        token_expires_at: exchanged.access_expires_at,
        created_at: now,
        last_active_at: now,
        absolute_expires_at: now.saturating_add(app.config.absolute_micros()),
    })
}

/// Ends this browser's oldest launches until one more fits. Only sessions whose cookie matches count: a made-up cookie
/// name ends nobody's.
async fn make_room(app: &App, cookies: &str) -> Vec<String> {
    let mut live = live_sessions(app, cookies).await;
    live.sort_by_key(|session| session.launch);
    let limit = usize::try_from(app.config.max_launches_per_browser).unwrap_or(usize::MAX);
    let surplus = (live.len() + 1).saturating_sub(limit);
    let mut expired = Vec::new();
    for session in live.iter().take(surplus) {
        end::end(app, session, EndReason::Evicted, None).await;
        expired.push(session::expire_cookie(session.launch));
    }
    expired
}

/// Where a launch opens: chosen by the app entry, never by the request (RFC 9700 §4.11).
pub(crate) fn location(entry: &Entry<'_>, launch: LaunchId) -> String {
    match entry.app.open {
        Opens::Chart => format!("/chart/{launch}/"),
        Opens::Folder(_) | Opens::Upstream(_) => format!("/app/{launch}/"),
    }
}
