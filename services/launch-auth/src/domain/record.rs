//! Audit events of this service: identifiers only, no code, no state, no cookie.

use sallyport_model::{Code, GrantId, LaunchId, PatientId, RequestId, User};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
};
use sallyport_registry::Entry;

use super::App;
use crate::{error::Refusal, store::Session};

/// What happened, before the recorder fills in id, time and trace.
pub(crate) struct Event(Record);

impl Event {
    /// About nobody in particular yet: the reserved tenant owns it until [`Event::at`].
    pub(crate) fn new(kind: Kind, request: Option<RequestId>) -> Self {
        Self(Record {
            kind: kind.into(),
            tenant: sallyport_model::TenantId::system().as_str().to_owned(),
            actor: Some(convert::anonymous()),
            outcome: Outcome::Success.into(),
            request_id: request.map(|id| convert::id_bytes(id.uuid())).unwrap_or_default(),
            ..Record::default()
        })
    }

    /// Where, and for what: the app entry's default feature says why data is going to be used.
    pub(crate) fn at(mut self, entry: &Entry<'_>) -> Self {
        self.0.tenant = entry.tenant.id.as_str().to_owned();
        self.0.endpoint = entry.endpoint.id.as_str().to_owned();
        self.0.registration = entry.registration.id.as_str().to_owned();
        self.0.feature = entry.app.default_feature.as_str().to_owned();
        let feature = entry.features().find(|f| f.id == entry.app.default_feature);
        self.0.purpose = feature.map(|f| f.purpose.as_str().to_owned()).unwrap_or_default();
        self
    }

    /// Whose, where no registration is at stake.
    pub(crate) fn tenant(mut self, tenant: &sallyport_model::TenantId) -> Self {
        self.0.tenant = tenant.as_str().to_owned();
        self
    }

    pub(crate) fn launch(mut self, launch: LaunchId) -> Self {
        self.0.launch_id = convert::id_bytes(launch.uuid());
        self
    }

    pub(crate) fn grant(mut self, grant: GrantId) -> Self {
        self.0.grant_id = convert::id_bytes(grant.uuid());
        self
    }

    pub(crate) fn user(mut self, user: Option<&User>) -> Self {
        if let Some(user) = user {
            self.0.actor = Some(sallyport_proto::types::v1::Actor {
                kind: Some(sallyport_proto::types::v1::actor::Kind::User(user.into())),
            });
        }
        self
    }

    pub(crate) fn patient(mut self, patient: Option<&PatientId>) -> Self {
        self.0.patients = patient.map(|p| p.expose().to_owned()).into_iter().collect();
        self
    }

    pub(crate) fn scopes(mut self, requested: &str, granted: &str) -> Self {
        self.0.requested_scope = requested.to_owned();
        self.0.granted_scope = granted.to_owned();
        self
    }

    /// What somebody who runs the house does, and who it is.
    pub(crate) fn operator(mut self, name: &str, what: &str) -> Self {
        self.0.actor = Some(convert::operator_actor(name));
        self.0.interaction = what.to_owned();
        self
    }

    pub(crate) fn detail(mut self, detail: &str) -> Self {
        self.0.detail = detail.to_owned();
        self
    }

    /// It was refused, or it failed because of somebody else.
    pub(crate) fn refused(mut self, refusal: &Refusal) -> Self {
        use sallyport_model::code::Kind as Outcomes;
        let outcome = match refusal.code.kind() {
            Outcomes::Upstream | Outcomes::Unavailable | Outcomes::Timeout | Outcomes::Internal => {
                Outcome::Failed
            }
            Outcomes::Invalid
            | Outcomes::Unauthenticated
            | Outcomes::Denied
            | Outcomes::NotFound
            | Outcomes::Conflict
            | Outcomes::TooLarge
            | Outcomes::TooMany => Outcome::Refused,
        };
        self.0.set_outcome(outcome);
        self.0.code = refusal.code.as_str().to_owned();
        self.0.http_status = i32::from(refusal.code.kind().http());
        self.0.detail = refusal.detail.to_owned();
        if let Some(tenant) = &refusal.tenant {
            self.0.tenant = tenant.as_str().to_owned();
        }
        if let Some(registration) = &refusal.registration {
            self.0.registration = registration.as_str().to_owned();
        }
        match refusal.launch {
            Some(launch) => self.launch(launch),
            None => self,
        }
    }

    /// A session's end.
    pub(crate) fn session(mut self, session: &Session) -> Self {
        self.0.tenant = session.tenant.as_str().to_owned();
        self.0.endpoint = session.endpoint.as_str().to_owned();
        self.0.registration = session.registration.as_str().to_owned();
        self.launch(session.launch)
            .grant(session.grant)
            .user(session.user.as_ref())
            .patient(session.patient.as_ref())
    }
}

impl App {
    /// Records and waits until it is durable.
    ///
    /// # Errors
    /// `audit.unavailable`: what cannot be recorded does not go on.
    pub(crate) async fn record(&self, event: Event) -> Result<(), Code> {
        self.audit.event(event.0).await.map_err(|error| error.code())
    }

    /// Records something that happens in any case: a refusal, an end. A failure is logged, it changes nothing.
    pub(crate) async fn record_anyway(&self, event: Event) {
        if let Err(error) = self.audit.event(event.0).await {
            tracing::error!(reason = error.label(), "an event is not recorded");
        }
    }
}
