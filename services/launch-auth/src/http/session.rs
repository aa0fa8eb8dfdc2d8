//! `/session/{launch}`: what an app's own page may know about its session, and the two things a person can do to it.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use sallyport_model::{Code, EncounterId, LaunchId, PatientId, scope::ScopeSet, session as cookie};
use sallyport_smart::form;
use serde_json::{Map, Value, json};

use super::{
    answer::{self, way_on},
    guard::{self, CALL_HEADER},
    launch,
    source::{Source, form as form_of, segment},
};
use crate::{
    domain::{
        App, end, resolve,
        start::{self, frame_ancestors},
    },
    error::{Refusal, unavailable},
    page,
    store::{EndReason, Session},
};

type PathText = Result<Path<String>, PathRejection>;
type Form = Result<Bytes, BytesRejection>;

/// The field of a form that carries its token.
const FORM_TOKEN: &str = "token";

/// The feature that a step-up is for.
const FORM_FEATURE: &str = "feature";

/// Where an action of a form is named.
const FORM_ACTION: &str = "action";

/// GET and HEAD: whether the session lives, and what it is about. No token is in it, and looking keeps nothing alive.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    path: PathText,
    headers: HeaderMap,
    source: Source,
) -> Response {
    let handle = segment(path);
    if !guard::may_read(&headers) {
        return refuse_json(&source, Code::RequestCrossSite);
    }
    let session = match LaunchId::parse(&handle) {
        Ok(launch) => resolve::by_cookie(&app, launch, &source.visit.cookies.0).await,
        Err(_shape) => Err(Code::SessionMissing),
    };
    match session {
        Ok(session) => answer::json(StatusCode::OK, &describe(&app, &session)),
        Err(code) => refuse_json(&source, code),
    }
}

/// POST with the action as a form field.
pub(super) async fn act(
    state: State<Arc<App>>,
    path: PathText,
    headers: HeaderMap,
    source: Source,
    body: Form,
) -> Response {
    let action = body.as_ref().ok().and_then(|body| field(body, FORM_ACTION));
    match action.as_deref() {
        Some("logout") => logout(state, path, headers, source, body).await,
        Some("keep-alive") => keep_alive(state, path, headers, source, body).await,
        _ => refuse_json(&source, Code::RequestInvalid),
    }
}

/// Ends the session, its grant and this one cookie. Other launches in the browser go on.
pub(super) async fn logout(
    State(app): State<Arc<App>>,
    path: PathText,
    headers: HeaderMap,
    source: Source,
    body: Form,
) -> Response {
    let session = match authorised(&app, path, "logout", &headers, &source, body).await {
        Ok(session) => session,
        Err(code) => return refuse(&app, &source, code),
    };
    end::end(&app, &session, EndReason::Logout, Some(source.visit.request_id)).await;
    let expired = [cookie::expire_cookie(session.launch)];
    if source.wants_json || headers.contains_key(CALL_HEADER) {
        return answer::with_cookies(answer::json(StatusCode::OK, &json!({ "ended": true })), &expired);
    }
    let nonce = answer::nonce();
    let place = Refusal::new(Code::SessionRevoked).at(&session.tenant, &session.registration);
    let content = page::signed_out(&way_on(&app, &place), &nonce);
    let ancestors = frame_ancestors(&app, Some(&session.registration));
    answer::with_cookies(answer::html(StatusCode::OK, content, &nonce, &ancestors, false), &expired)
}

/// Somebody wants to write: the EHR is asked for that feature's scopes too, by an authorisation of its own.
pub(super) async fn step_up(
    State(app): State<Arc<App>>,
    path: PathText,
    headers: HeaderMap,
    source: Source,
    body: Form,
) -> Response {
    let feature = body.as_ref().ok().and_then(|body| field(body, FORM_FEATURE)).unwrap_or_default();
    let session = match authorised(&app, path, "step-up", &headers, &source, body).await {
        Ok(session) => session,
        Err(code) => return refuse(&app, &source, code),
    };
    if let Err(seconds) = app.limits.admit("launch", source.ip).await {
        return launch::limited(&app, &source, seconds);
    }
    match start::step_up(&app, &source.visit, &session, &feature).await {
        Ok(departure) => launch::leave(&app, &departure),
        Err(refusal) => answer::refuse(&app, &source, &refusal),
    }
}

/// Somebody pressed "stay signed in". Timers of a page must not call this.
pub(super) async fn keep_alive(
    State(app): State<Arc<App>>,
    path: PathText,
    headers: HeaderMap,
    source: Source,
    body: Form,
) -> Response {
    let outcome = match authorised(&app, path, "keep-alive", &headers, &source, body).await {
        Ok(session) => touch(&app, session).await,
        Err(code) => Err(code),
    };
    match outcome {
        Ok(session) => answer::json(StatusCode::OK, &describe(&app, &session)),
        Err(code) => refuse_json(&source, code),
    }
}

async fn touch(app: &App, mut session: Session) -> Result<Session, Code> {
    let now = app.clock.now();
    let touched = app.store.touch(session.launch, now, app.config.idle_micros()).await;
    touched.map_err(|error| unavailable(&error))?;
    session.last_active_at = now.max(session.last_active_at);
    Ok(session)
}

/// Our own page, in this session, on purpose: the site check first, then the cookie, then the header or form token.
async fn authorised(
    app: &App,
    path: PathText,
    action: &str,
    headers: &HeaderMap,
    source: &Source,
    body: Form,
) -> Result<Session, Code> {
    if !guard::may_act(headers, &app.config.origin()) {
        return Err(Code::RequestCrossSite);
    }
    let body = form_of(body)?;
    let launch = LaunchId::parse(&segment(path)).map_err(|_shape| Code::SessionMissing)?;
    let cookies = &source.visit.cookies.0;
    let secret = cookie::find_cookie(cookies, launch).ok_or(Code::SessionMissing)?;
    let is_meant = headers.contains_key(CALL_HEADER)
        || field(&body, FORM_TOKEN).is_some_and(|token| form::is_token(&secret, launch, action, &token));
    if !is_meant {
        return Err(Code::RequestCrossSite);
    }
    resolve::resolve(app, launch, &secret).await
}

fn field(body: &[u8], name: &str) -> Option<String> {
    let mut values = url::form_urlencoded::parse(body).filter(|(n, _)| n == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

fn refuse(app: &App, source: &Source, code: Code) -> Response {
    answer::refuse(app, source, &Refusal::new(code))
}

fn refuse_json(source: &Source, code: Code) -> Response {
    let status = StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::BAD_REQUEST);
    answer::json(status, &answer::error_json(code, &source.visit.request_id.to_string()))
}

/// What npm `fhirclient` takes as client state, and what a page needs to show; no token.
fn describe(app: &App, session: &Session) -> Value {
    let mut context = Map::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            context.insert(name.to_owned(), json!(value));
        }
    };
    add("patient", session.patient.as_ref().map(PatientId::expose));
    add("encounter", session.encounter.as_ref().map(EncounterId::expose));
    add("intent", session.intent.as_deref());
    add("smart_style_url", session.smart_style_url.as_deref());
    add("scope", Some(&session.granted_scope));
    context.insert("need_patient_banner".to_owned(), json!(session.need_patient_banner));
    let fhir_context: Value = serde_json::from_str(&session.fhir_context_json.0).unwrap_or_default();
    context.insert("fhirContext".to_owned(), fhir_context);

    let now = app.clock.now();
    let idle_expires_at = resolve::idle_expires_at(session, app.config.idle_micros());
    let granted = ScopeSet::parse(&session.granted_scope);
    let features: Vec<Value> = session
        .features
        .iter()
        .filter_map(|id| app.registry.feature(&session.tenant, id))
        .map(|feature| {
            json!({
                "id": feature.id.as_str(),
                "title": feature.title,
                "on": feature.is_on(&granted),
                "sections": feature.sections,
            })
        })
        .collect();
    let seconds_left = |until: i64| until.saturating_sub(now).max(0).div_euclid(1_000_000);
    json!({
        "launch": session.launch.to_string(),
        "serverUrl": app.config.absolute(&format!("/fhir/{}", session.launch)),
        "apiUrl": app.config.absolute(&format!("/api/{}", session.launch)),
        "tokenResponse": context,
        "app": session.app.as_str(),
        "registration": session.registration.as_str(),
        "isEhrLaunch": session.is_ehr_launch,
        "user": session.user.as_ref().map(|user| json!({
            "display": session.user_display.as_ref().map(|d| d.0.as_str()),
            "fhirUser": user.fhir_user,
        })),
        "features": features,
        "idleExpiresAt": idle_expires_at.div_euclid(1_000),
        "absoluteExpiresAt": session.absolute_expires_at.div_euclid(1_000),
        "idleSeconds": seconds_left(idle_expires_at),
        "absoluteSeconds": seconds_left(session.absolute_expires_at),
        "renewable": session.renewable,
        "tokenExpiresAt": session.token_expires_at.div_euclid(1_000),
    })
}
