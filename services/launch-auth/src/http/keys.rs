//! `/.well-known/jwks.json`: our public keys, fetched from the vault and kept for a moment.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sallyport_model::{Micros, RequestId};

use super::answer::{error_json, guarded, json};
use crate::domain::App;

/// How long a reader may keep the set; a successor key is published at least that long before it signs (JWT-06).
const MAX_AGE_SECONDS: i64 = 300;

/// How long this process keeps it: EHRs fetch it in bursts.
const KEPT_MICROS: Micros = 5_000_000;

/// The last set.
#[derive(Default)]
pub(super) struct Keys(Mutex<Option<(Micros, String)>>);

impl Keys {
    fn kept(&self, now: Micros) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(until, _)| now < *until).map(|(_, set)| set.clone())
    }

    fn keep(&self, until: Micros, set: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, set.to_owned()));
    }
}

pub(super) async fn show(State(app): State<Arc<App>>, keys: Arc<Keys>) -> Response {
    let now = app.clock.now();
    let set = match keys.kept(now) {
        Some(set) => set,
        None => match app.vault.public_keys().await {
            Ok(set) => {
                keys.keep(now.saturating_add(KEPT_MICROS), &set);
                set
            }
            Err(code) => {
                let status =
                    StatusCode::from_u16(code.kind().http()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                let reference = RequestId::new(app.clock.as_ref()).to_string();
                return json(status, &error_json(code, &reference));
            }
        },
    };
    let mut response = ([(header::CONTENT_TYPE, "application/jwk-set+json")], set).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={MAX_AGE_SECONDS}")) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    let mut response = guarded(response);
    // Public keys are for everybody.
    response.headers_mut().remove("cross-origin-resource-policy");
    response
}
