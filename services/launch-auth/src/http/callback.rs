//! `GET|POST /callback/{registration}`.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    response::Response,
};
use sallyport_model::Code;

use super::{
    answer::{self, see_other},
    launch::limited,
    source::{self, Source, segment},
};
use crate::domain::{App, arrive::arrive};

type PathText = Result<Path<String>, PathRejection>;

pub(super) async fn query(
    State(app): State<Arc<App>>,
    path: PathText,
    source: Source,
    RawQuery(query): RawQuery,
) -> Response {
    handle(&app, &source, &segment(path), query.unwrap_or_default().as_bytes()).await
}

/// `response_mode=form_post`.
pub(super) async fn form(
    State(app): State<Arc<App>>,
    path: PathText,
    source: Source,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // What cannot be read has no state: it is refused, counted and recorded like any other such answer.
    let body = source::form(body).unwrap_or_default();
    handle(&app, &source, &segment(path), &body).await
}

async fn handle(app: &Arc<App>, source: &Source, registration: &str, encoded: &[u8]) -> Response {
    if let Err(seconds) = app.limits.admit("callback", source.ip).await {
        app.numbers.callbacks.inc(&[Code::LaunchRateLimited.as_str()]);
        return limited(app, source, seconds);
    }
    match arrive(app, &source.visit, registration, encoded).await {
        // A clean address at once: code and state leave the history and the Referer (RFC 9700 §4.2).
        Ok(arrival) => see_other(&arrival.location, &arrival.set_cookies),
        Err(refusal) => answer::refuse(app, source, &refusal),
    }
}
