//! The SMART authorization server of each EHR: discovery, the authorize pages, tokens, introspection,
//! revocation, registration. One file per endpoint; what they share is in `flows`, `scopes`, `params`,
//! `answer` and `error`.

use axum::Router;
use axum::routing::{get, post};

use crate::state::AppState;

pub(crate) use brands::organisation;

pub(crate) mod answer;
pub(crate) mod assertion;
mod authorize;
mod brands;
mod client_auth;
mod consent;
mod context;
mod discovery;
pub(crate) mod error;
pub(crate) mod flows;
mod id_token;
mod introspect;
mod jwks_fetch;
pub(crate) mod keys;
mod login;
mod manage;
pub(crate) mod params;
mod pick;
mod register;
mod revoke;
pub(crate) mod scopes;
mod service_token;
mod token;

/// Routes below `/{profile}/{tenant}`, FHIR excepted.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/fhir/.well-known/smart-configuration", get(discovery::smart_configuration))
        .route("/oauth/.well-known/openid-configuration", get(discovery::openid_configuration))
        .route("/oauth/jwks", get(discovery::jwks))
        .route("/oauth/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth/login", get(login::page).post(login::choose))
        .route("/oauth/pick", get(pick::page).post(pick::choose))
        .route("/oauth/consent", get(consent::page).post(consent::decide))
        .route("/oauth/token", post(token::token))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/register", post(register::register))
        .route("/oauth/manage", get(manage::page).post(manage::withdraw))
        .route("/brands.json", get(brands::bundle))
        .route("/style/v1.json", get(brands::style))
}
