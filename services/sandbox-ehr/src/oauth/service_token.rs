//! Tokens for services (SMART 2.2 "Backend services"): `client_credentials` of an app that can prove itself.

use super::error::OauthError;
use super::scopes::{Scope, grantable_to_service};
use crate::config::{Client, ClientAuth};
use crate::grants::{Grant, Issued};
use crate::places::Place;
use crate::state::AppState;

/// Issues a token for what the service asks for, or for all it is registered with where the product does so.
pub(super) fn issue(
    state: &AppState,
    place: &Place,
    client: &Client,
    asked: Option<&str>,
) -> Result<Issued, OauthError> {
    let profile = state.profile(place);
    let rules = profile.bulk.as_ref().ok_or_else(OauthError::unsupported_grant_type)?;
    if matches!(client.auth, ClientAuth::Public) {
        return Err(OauthError::unauthorized_client("a public client cannot act for itself"));
    }
    let registered = client.scopes.join(" ");
    let asked = match asked {
        Some(asked) => asked,
        None if rules.grants_without_asking => &registered,
        None => return Err(OauthError::invalid_scope("scope must be provided")),
    };
    let scopes = grantable_to_service(asked, &client.scopes, profile);
    if scopes.is_empty() {
        return Err(OauthError::invalid_scope("none of the requested scopes can be granted to this service"));
    }
    let grant = Grant {
        place: place.clone(),
        client_id: client.client_id.clone(),
        user: None,
        patient: None,
        encounter: None,
        scopes: scopes.iter().map(Scope::to_string).collect(),
        launch: None,
        nonce: None,
        intent: None,
        need_patient_banner: false,
        fhir_context: Vec::new(),
        state: None,
    };
    let now = state.clock().now_seconds();
    let issued = state.grants().issue_to_service(grant, profile, rules.token_seconds, now);
    issued.map_err(|reason| OauthError::not_issued(reason, profile))
}
