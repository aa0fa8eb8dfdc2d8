//! The browser's side: `/launch`, `/callback`, `/session` and our public keys. Thin: read the request, call one use
//! case, answer with a redirect, a page or JSON.

mod answer;
mod callback;
mod guard;
mod keys;
mod launch;
mod session;
mod source;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use sallyport_model::Code;

use crate::domain::App;

/// Largest form that is read: an `iss` and a launch token, or a code.
const FORM_MAX_BYTES: usize = 64 * 1024;

/// The routes. The composer adds the request's span and id.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let keys = Arc::new(keys::Keys::default());
    Router::new()
        // HEAD would start launches and use states up: whoever only looks gets nothing here.
        .route("/launch", get(launch::bare).post(launch::bare_post).head(not_allowed))
        .route(
            "/launch/{registration}",
            get(launch::registered).post(launch::registered_post).head(not_allowed),
        )
        .route("/callback/{registration}", get(callback::query).post(callback::form).head(not_allowed))
        .route("/session/{launch}", get(session::show).post(session::act))
        .route("/session/{launch}/logout", post(session::logout))
        .route("/session/{launch}/keep-alive", post(session::keep_alive))
        .route("/session/{launch}/step-up", post(session::step_up))
        .route("/.well-known/jwks.json", get(move |state| keys::show(state, keys)))
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(FORM_MAX_BYTES))
        .with_state(Arc::clone(app))
}

/// Another method than the ones that are served.
async fn not_allowed(source: source::Source) -> Response {
    let reference = source.visit.request_id.to_string();
    answer::json(StatusCode::METHOD_NOT_ALLOWED, &answer::error_json(Code::RequestInvalid, &reference))
}
