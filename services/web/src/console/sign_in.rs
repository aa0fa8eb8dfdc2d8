//! In and out: a link is looked at before it is used, so that programs that open links before people do use nothing up.

use axum::{
    Form,
    extract::{FromRequest, Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use maud::html;
use sallyport_model::{Code, RequestId};
use sallyport_proto::{
    convert,
    launch::v1::{PeekLinkRequest, SignInRequest, SignOutRequest},
};
use sallyport_rpc::with_request_id;
use serde::Deserialize;

use super::{
    clients::answered,
    forms::{Filled, is_ours},
    frame,
    seat::{ATTRIBUTES, COOKIE, Seat},
};
use crate::{App, http::request_id, pages::said};

/// The link's secret, in the address or in the form.
#[derive(Deserialize, Default)]
pub(super) struct Link {
    #[serde(default)]
    link: String,
}

/// `GET /console/sign-in?link=…`.
pub(super) async fn ask(State(app): State<App>, parts: Parts) -> Response {
    let id = request_id(&parts, &app);
    let link = Query::<Link>::try_from_uri(&parts.uri).map(|Query(link)| link).unwrap_or_default();
    if link.link.is_empty() {
        return page_without(Code::ConsoleSignedOut, id);
    }
    let request = with_request_id(PeekLinkRequest { link_secret: link.link.clone() }, id);
    let mut operators = app.console.operators.clone();
    let person = match answered(operators.peek_link(request), app.page_deadline).await {
        Ok(person) => person,
        Err(code) => return page_without(code, id),
    };
    let role = convert::role(person.role).map_or("", sallyport_model::operator::Role::as_str);
    let body = html! {
        main.message {
            h1 { "Sign in to the console" }
            p.lead { "As " b { (said(&person.name)) } ", " (role) "." }
            form method="post" action="/console/sign-in" {
                input type="hidden" name="link" value=(link.link);
                button type="submit" { "Sign in" }
            }
            p.quiet { "The link signs in once. That you signed in, and what you look at, is recorded." }
        }
    };
    frame::answer(StatusCode::OK, "Sign in", &body)
}

/// `POST /console/sign-in`.
pub(super) async fn sign_in(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = request_id(&parts, &app);
    // Nobody is signed in yet: what protects this form is the link, which only its owner knows, and where it is sent from.
    let ours = is_ours(&app, &parts.headers);
    let Ok(Form(link)) = Form::<Link>::from_request(Request::from_parts(parts, body), &()).await else {
        return page_without(Code::RequestInvalid, id);
    };
    if !ours {
        return page_without(Code::RequestCrossSite, id);
    }
    let request = with_request_id(SignInRequest { link_secret: link.link }, id);
    let mut operators = app.console.operators.clone();
    match answered(operators.sign_in(request), app.page_deadline).await {
        Ok(signed_in) => with_cookie(&format!("{COOKIE}={}; {ATTRIBUTES}", signed_in.session_secret)),
        Err(code) => page_without(code, id),
    }
}

/// `POST /console/sign-out`.
pub(super) async fn sign_out(seat: Seat, request: Request) -> Response {
    if let Err(refused) = Filled::of(&seat, "sign-out", request).await {
        return refused;
    }
    let message = SignOutRequest { session_secret: seat.secret.expose().clone() };
    let mut operators = seat.app.console.operators.clone();
    let request = with_request_id(message, seat.request_id);
    match seat.answered(operators.sign_out(request)).await {
        Ok(_ended) => with_cookie(&format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}")),
        // The browser keeps its cookie: signed out here and open there would be a lie.
        Err(code) => frame::refused(&seat, code),
    }
}

/// To the overview, with the cookie set or removed.
fn with_cookie(cookie: &str) -> Response {
    let mut response = Redirect::to("/console").into_response();
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Nobody is signed in: why, and how one signs in.
pub(super) fn page_without(code: Code, id: RequestId) -> Response {
    let body = html! {
        main.message {
            h1 { "Sign in to the console" }
            p.lead { (code.sentence()) }
            p { "Whoever runs this instance makes a link for you, which signs in once:" }
            pre { "sallyport console --name \"Your Name\" --role auditor" }
            p { "It runs where the instance runs. Roles: viewer, operator, auditor, security." }
            p.quiet { "Code " code { (code.as_str()) } ", reference " code { (id.to_string()) } }
        }
    };
    frame::answer(frame::status_of(code), "Sign in", &body)
}
