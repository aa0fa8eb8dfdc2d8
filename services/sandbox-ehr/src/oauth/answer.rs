//! The end of an authorization: a code or an error for the app, by redirect or by an auto-submitted form,
//! with `state` and the issuer (RFC 9207). Also carries a flow from one page to the next.

use axum::response::{IntoResponse, Redirect, Response};
use maud::{PreEscaped, html};
use url::Url;

use super::error::error_uri;
use super::flows::{Flow, ResponseMode, ReturnTo, Step};
use crate::digest::handle;
use crate::faults::{Fault, FaultPoint, Stage};
use crate::grants::CodeAsked;
use crate::pages;
use crate::places::Place;
use crate::profile::OauthErrors;
use crate::state::AppState;

/// An error that may be told to the app (RFC 6749 §4.1.2.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

/// Goes to the page that comes next, or answers the app.
pub(crate) fn proceed(state: &AppState, point: &FaultPoint, flow: Flow) -> Response {
    let leaf = match flow.next_step(state.profile(&flow.place)) {
        Step::Login => "login",
        Step::PickPatient | Step::PickEncounter => "pick",
        Step::Consent => "consent",
        Step::Answer => return with_code(state, point, flow),
    };
    let root = state.endpoints(&flow.place).authorization;
    let key = state.flows().keep(flow, state.clock().now_seconds());
    Redirect::to(&format!("{root}/{leaf}?flow={key}")).into_response()
}

/// The page for a form or link whose flow is over.
pub(crate) fn flow_is_over(state: &AppState) -> Response {
    let what = "This sign-in is over: it was answered already, or it took too long.";
    pages::refusal(state, "Sign-in is over", what, "Go back to the app and start again.")
}

fn with_code(state: &AppState, point: &FaultPoint, flow: Flow) -> Response {
    let (place, return_to) = (flow.place.clone(), flow.return_to.clone());
    let asked = CodeAsked { redirect_uri: return_to.redirect_uri.clone(), challenge: flow.challenge.clone() };
    let code = state.grants().issue_code(
        flow.into_grant(),
        asked,
        state.profile(&place),
        state.clock().now_seconds(),
    );
    answer(state, point, &place, return_to, vec![("code", code)])
}

/// Tells the app that there will be no code.
pub(crate) fn with_error(
    state: &AppState,
    point: &FaultPoint,
    place: &Place,
    return_to: ReturnTo,
    error: AnswerError,
) -> Response {
    let mut fields = vec![("error", error.code.to_owned())];
    match state.profile(place).oauth_errors {
        OauthErrors::UriOnly(root) => fields.push(("error_uri", error_uri(root, error.code))),
        OauthErrors::NullDescription => {}
        OauthErrors::Described | OauthErrors::ResourceDetail => {
            fields.push(("error_description", error.description.to_owned()));
        }
    }
    answer(state, point, place, return_to, fields)
}

fn answer(
    state: &AppState,
    point: &FaultPoint,
    place: &Place,
    return_to: ReturnTo,
    mut fields: Vec<(&'static str, String)>,
) -> Response {
    let faults = point.take(state, Stage::Answer);
    if let Some(echo) = return_to.state {
        let wrong = faults.contains(&Fault::WrongState);
        fields.push(("state", if wrong { handle() } else { echo }));
    }
    if faults.contains(&Fault::WrongIss) {
        fields.push(("iss", "http://elsewhere.example/oauth".to_owned()));
    } else if state.profile(place).answers_with_iss && !faults.contains(&Fault::NoIss) {
        fields.push(("iss", state.endpoints(place).issuer));
    }
    match return_to.mode {
        ResponseMode::Query => by_redirect(state, &return_to.redirect_uri, &fields),
        ResponseMode::FormPost => by_form(state, &return_to.redirect_uri, &fields),
    }
}

fn by_redirect(state: &AppState, redirect_uri: &str, fields: &[(&'static str, String)]) -> Response {
    let Ok(mut target) = Url::parse(redirect_uri) else {
        let what = "The app's registered redirect address is not a URL.";
        return pages::refusal(
            state,
            "Cannot return to the app",
            what,
            "Ask for its registration to be corrected.",
        );
    };
    target.query_pairs_mut().extend_pairs(fields.iter().map(|(name, value)| (*name, value.as_str())));
    Redirect::to(target.as_str()).into_response()
}

/// OAuth 2.0 Form Post Response Mode: the browser posts the answer; without scripts the person does.
fn by_form(state: &AppState, redirect_uri: &str, fields: &[(&'static str, String)]) -> Response {
    let nonce = handle();
    let body = html! {
        form method="post" action=(redirect_uri) {
            @for (name, value) in fields {
                input type="hidden" name=(name) value=(value);
            }
            noscript { button type="submit" { "Continue to the app" } }
        }
        script nonce=(nonce) { (PreEscaped("document.forms[0].submit()")) }
    };
    pages::submitting_page(state, "Returning to the app", &body, &nonce)
}
