//! Forms of the console: each is made for one session and one action, and comes from our own pages.

use std::collections::HashMap;

use axum::{
    Form,
    extract::{FromRequest, Request},
    response::Response,
};
use maud::{Markup, html};
use sallyport_model::{Code, planted};
use sallyport_smart::form;

use super::{frame, seat::Seat};
use crate::App;

/// What the tokens of the console's forms are made for, beside the action.
const SUBJECT: &str = "console";

/// What somebody filled in.
pub(super) struct Filled(HashMap<String, String>);

impl Filled {
    /// Reads a form; its token must be this session's and of this action.
    ///
    /// # Errors
    /// The page that says why it does not count.
    pub(super) async fn of(seat: &Seat, action: &str, request: Request) -> Result<Self, Response> {
        let Ok(Form(fields)) = Form::<HashMap<String, String>>::from_request(request, &()).await else {
            return Err(frame::refused(seat, Code::RequestInvalid));
        };
        let token = fields.get("token").map_or("", String::as_str);
        let counts =
            is_ours(&seat.app, &seat.headers) && form::is_token(&seat.secret, SUBJECT, action, token);
        if !counts && !planted!("console-form-unchecked") {
            return Err(frame::refused(seat, Code::RequestCrossSite));
        }
        Ok(Self(fields))
    }

    /// A field, without the space around it; empty where there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }
}

/// Whether a form was sent from one of our own pages, as far as the browser says.
pub(super) fn is_ours(app: &App, headers: &http::HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == &*app.public_origin,
        (None, None) => true,
    }
}

/// The hidden field that makes a form count.
pub(super) fn token(seat: &Seat, action: &str) -> Markup {
    html! { input type="hidden" name="token" value=(form::token(&seat.secret, SUBJECT, action)); }
}

/// A field for why.
pub(super) fn reason(label: &str) -> Markup {
    html! {
        p.field {
            label for="reason" { (label) }
            input #reason name="reason" required minlength="3" maxlength="200" autocomplete="off";
        }
    }
}

/// What somebody wrote as a reason, if it is one.
pub(super) fn is_reason(text: &str) -> bool {
    text.chars().count() >= 3 && sallyport_proto::convert::is_reason(text)
}
