//! Who is at the console, and which tenant they have chosen: what every page begins with.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
    response::Response,
};
use http::header;
use sallyport_model::{
    Code, RequestId, Secret, TenantId,
    code::Kind,
    operator::{Operator, Right, Tenants},
    session,
};
use sallyport_proto::{convert, launch::v1::ResolveOperatorRequest};

use super::{clients, frame, sign_in};
use crate::{App, domain::times::Times, http::request_id};

/// The console's cookie. One browser, one person at the console.
pub(super) const COOKIE: &str = "__Host-console";

/// `Lax`: a link into the console from elsewhere opens it, a form from elsewhere does not.
pub(super) const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// A tenant that can be chosen.
pub(super) struct Choice {
    pub(super) id: TenantId,
    pub(super) name: String,
    /// `production` or `sandbox`.
    pub(super) environment: &'static str,
}

/// Somebody at the console.
pub(super) struct Seat {
    pub(super) app: App,
    pub(super) secret: Secret<String>,
    pub(super) who: Operator,
    pub(super) request_id: RequestId,
    /// Those that they may choose.
    pub(super) choices: Vec<Choice>,
    /// What they have chosen.
    pub(super) tenant: TenantId,
    pub(super) times: Times,
    /// The address's own fields.
    pub(super) query: HashMap<String, String>,
    pub(super) headers: http::HeaderMap,
}

impl Seat {
    pub(super) fn may(&self, right: Right) -> bool {
        self.who.role.may(right)
    }

    /// A field of the address; empty where there is none.
    pub(super) fn field(&self, name: &str) -> &str {
        self.query.get(name).map_or("", |value| value.trim())
    }

    /// A message in their name.
    pub(super) fn signed<T>(&self, message: T) -> tonic::Request<T> {
        clients::signed(message, &self.secret, self.request_id)
    }

    /// An answer to a call, in time.
    ///
    /// # Errors
    /// The service's code.
    pub(super) async fn answered<T>(
        &self,
        asking: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, Code> {
        clients::answered(asking, self.app.page_deadline).await
    }

    /// An address of the console for the tenant that was chosen; `path` begins with a slash or is empty.
    pub(super) fn href(&self, path: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("/console{path}{joint}tenant={}", self.tenant.as_str())
    }

    pub(super) fn chosen(&self) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.id == self.tenant)
    }
}

impl FromRequestParts<App> for Seat {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let request_id = request_id(parts, app);
        let Some(secret) = cookie(&parts.headers) else {
            return Err(sign_in::page_without(Code::ConsoleSignedOut, request_id));
        };
        let message = ResolveOperatorRequest { session_secret: secret.expose().clone(), is_active: true };
        let mut operators = app.console.operators.clone();
        let answer = clients::answered(operators.resolve(message), app.page_deadline).await;
        let who = answer.and_then(|told| convert::operator(&told).map_err(|_malformed| Code::Internal));
        let who = who.map_err(|code| match code.kind() {
            Kind::Unauthenticated => sign_in::page_without(code, request_id),
            _ => frame::failed(code, request_id),
        })?;
        let query = Query::<HashMap<String, String>>::from_request_parts(parts, app).await;
        let query = query.map(|Query(fields)| fields).unwrap_or_default();
        let choices = choices(app, &who);
        let asked = query.get("tenant").filter(|asked| !asked.is_empty());
        let tenant = match asked {
            Some(asked) => choices.iter().find(|choice| choice.id.as_str() == asked),
            None => choices.first(),
        };
        let Some(tenant) = tenant.map(|choice| choice.id.clone()) else {
            return Err(frame::failed(Code::ConsoleTenantDenied, request_id));
        };
        let zone = app.registry.tenant(&tenant).map_or("", |tenant| tenant.time_zone.as_str());
        let times = Times::new(zone, app.clock.now());
        let headers = parts.headers.clone();
        Ok(Self { app: app.clone(), secret, who, request_id, choices, tenant, times, query, headers })
    }
}

/// The tenants that somebody is there for; last the house itself, for who is there for all.
fn choices(app: &App, who: &Operator) -> Vec<Choice> {
    let tenants = app.registry.tenants().iter().filter(|tenant| who.tenants.contain(&tenant.id));
    let mut choices: Vec<_> = tenants
        .map(|tenant| Choice {
            id: tenant.id.clone(),
            name: tenant.name.clone(),
            environment: tenant.environment.as_str(),
        })
        .collect();
    if who.tenants == Tenants::All {
        let (id, name) = (TenantId::system(), "The house itself".to_owned());
        choices.push(Choice { id, name, environment: "" });
    }
    choices
}

/// The cookie's value, if there is exactly one.
pub(super) fn cookie(headers: &http::HeaderMap) -> Option<Secret<String>> {
    let all: Vec<&str> = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).collect();
    let all = all.join("; ");
    let mut found = session::cookies(&all).filter(|(name, _)| *name == COOKIE);
    match (found.next(), found.next()) {
        (Some((_, value)), None) if value.len() == session::SECRET_LENGTH => {
            Some(Secret::new(value.to_owned()))
        }
        _ => None,
    }
}
