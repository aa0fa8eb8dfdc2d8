//! Audit records of what the vault does: who, where, how it went. Never a token, a code or a secret.

use sallyport_model::{Actor, Code, EndpointId, GrantId, LaunchId, RegistrationId, TenantId};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
};

/// What a record of the vault is about.
pub(crate) struct About<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) endpoint: &'a EndpointId,
    pub(crate) registration: &'a RegistrationId,
    pub(crate) whose: Whose,
    pub(crate) grant: Option<GrantId>,
}

/// Whose grant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A person's, by this launch.
    Launch(LaunchId),
    /// The registration's own.
    Service,
}

impl About<'_> {
    /// A single event; `refusal` is the stable code when it did not succeed.
    pub(crate) fn event(&self, kind: Kind, refusal: Option<Code>, detail: &str) -> Record {
        let outcome = match refusal {
            None => Outcome::Success,
            Some(code) if code.kind().http() < 500 => Outcome::Refused,
            Some(_) => Outcome::Failed,
        };
        let (launch_id, actor) = match self.whose {
            Whose::Launch(launch) => (convert::id_bytes(launch.uuid()), convert::anonymous()),
            Whose::Service => (Vec::new(), (&Actor::Service(self.registration.clone())).into()),
        };
        Record {
            kind: kind.into(),
            tenant: self.tenant.as_str().to_owned(),
            endpoint: self.endpoint.as_str().to_owned(),
            registration: self.registration.as_str().to_owned(),
            actor: Some(actor),
            outcome: outcome.into(),
            code: refusal.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            launch_id,
            grant_id: self.grant.map(|grant| convert::id_bytes(grant.uuid())).unwrap_or_default(),
            detail: detail.to_owned(),
            ..Record::default()
        }
    }
}
