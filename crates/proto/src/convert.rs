//! Between messages and the model: what does not convert is refused, never defaulted.

use sallyport_model::{
    Actor, EndpointId, FeatureId, GrantId, JobId, LaunchId, RecordId, RegistrationId, RequestId, RunId,
    TenantId, User,
    operator::{Operator, Role, Tenants},
};

use crate::{
    jobs::v1::KillRequest,
    launch::v1 as console,
    types::v1::{self as pb, selector::By},
};

/// A field of a message that is missing or malformed. Names the field, never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {0} is missing or malformed")]
pub struct InvalidField(pub &'static str);

impl From<InvalidField> for tonic::Status {
    fn from(field: InvalidField) -> Self {
        let mut status = Self::invalid_argument(field.to_string());
        let code = tonic::metadata::MetadataValue::from_static("request.invalid");
        status.metadata_mut().insert("sallyport-code", code);
        status
    }
}

macro_rules! uuid_field {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`InvalidField`] when it is not 16 bytes.
        pub fn $name(bytes: &[u8]) -> Result<$id, InvalidField> {
            uuid::Uuid::from_slice(bytes).map($id::from_uuid).map_err(|_length| InvalidField(stringify!($name)))
        }
    };
}

uuid_field!(/** Reads a launch id. */ launch_id, LaunchId);
uuid_field!(/** Reads a grant id. */ grant_id, GrantId);
uuid_field!(/** Reads a run id. */ run_id, RunId);
uuid_field!(/** Reads a record id. */ record_id, RecordId);
uuid_field!(/** Reads a request id. */ request_id, RequestId);

/// A UUID as the messages carry it.
pub fn id_bytes(id: uuid::Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

macro_rules! name_field {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`InvalidField`] when it is empty or breaks the alphabet.
        pub fn $name(text: &str) -> Result<$id, InvalidField> {
            $id::parse(text).map_err(|_shape| InvalidField(stringify!($name)))
        }
    };
}

name_field!(/** Reads a tenant id. */ tenant, TenantId);
name_field!(/** Reads an endpoint id. */ endpoint, EndpointId);
name_field!(/** Reads a registration id. */ registration, RegistrationId);
name_field!(/** Reads a job id. */ job, JobId);
name_field!(/** Reads a feature id. */ feature, FeatureId);

impl From<&User> for pb::User {
    fn from(user: &User) -> Self {
        Self {
            issuer: user.issuer.clone(),
            subject: user.subject.clone(),
            fhir_user: user.fhir_user.clone().unwrap_or_default(),
        }
    }
}

impl TryFrom<pb::User> for User {
    type Error = InvalidField;
    fn try_from(user: pb::User) -> Result<Self, InvalidField> {
        if user.issuer.is_empty() || user.subject.is_empty() {
            return Err(InvalidField("user"));
        }
        let fhir_user = (!user.fhir_user.is_empty()).then_some(user.fhir_user);
        Ok(Self { issuer: user.issuer, subject: user.subject, fhir_user })
    }
}

impl From<&Actor> for pb::Actor {
    fn from(actor: &Actor) -> Self {
        let kind = match actor {
            Actor::User(user) => pb::actor::Kind::User(user.into()),
            Actor::Service(registration) => pb::actor::Kind::Service(registration.as_str().to_owned()),
        };
        Self { kind: Some(kind) }
    }
}

/// The issuer under which who runs the house appears in records.
pub const OPERATOR_ISSUER: &str = "urn:sallyport:operator";

/// An operator as the actor of a record; without a name nobody is known.
pub fn operator_actor(name: &str) -> pb::Actor {
    if name.trim().is_empty() {
        return anonymous();
    }
    let user =
        pb::User { issuer: OPERATOR_ISSUER.to_owned(), subject: name.to_owned(), fhir_user: String::new() };
    pb::Actor { kind: Some(pb::actor::Kind::User(user)) }
}

/// Reads a role.
///
/// # Errors
/// [`InvalidField`] when it is none.
pub fn role(number: i32) -> Result<Role, InvalidField> {
    match console::Role::try_from(number) {
        Ok(console::Role::Viewer) => Ok(Role::Viewer),
        Ok(console::Role::Operator) => Ok(Role::Operator),
        Ok(console::Role::Auditor) => Ok(Role::Auditor),
        Ok(console::Role::Security) => Ok(Role::Security),
        Ok(console::Role::Unspecified) | Err(_) => Err(InvalidField("role")),
    }
}

/// A role as messages carry it.
pub fn role_number(role: Role) -> i32 {
    let role = match role {
        Role::Viewer => console::Role::Viewer,
        Role::Operator => console::Role::Operator,
        Role::Auditor => console::Role::Auditor,
        Role::Security => console::Role::Security,
    };
    role.into()
}

/// Reads for which tenants somebody is there: `all`, or the names alone.
///
/// # Errors
/// [`InvalidField`] for names beside `all`, for no name without it, and for what is no name.
pub fn tenants(all: bool, names: &[String]) -> Result<Tenants, InvalidField> {
    match (all, names) {
        (true, []) => Ok(Tenants::All),
        (false, [_, ..]) => {
            names.iter().map(|name| tenant(name)).collect::<Result<_, _>>().map(Tenants::Some)
        }
        _ => Err(InvalidField("tenants")),
    }
}

/// Reads somebody at the console.
///
/// # Errors
/// [`InvalidField`].
pub fn operator(message: &console::Operator) -> Result<Operator, InvalidField> {
    Ok(Operator {
        session: uuid::Uuid::from_slice(&message.session_id).map_err(|_length| InvalidField("session_id"))?,
        name: message.name.clone(),
        role: role(message.role)?,
        tenants: tenants(message.all_tenants, &message.tenants)?,
        idle_expires_at: message.idle_expires_at,
        absolute_expires_at: message.absolute_expires_at,
    })
}

/// Which runs of jobs a part of an incident covers, as what job-worker is asked; `None` where it covers none.
pub fn runs_of(part: &console::IncidentTarget) -> Option<KillRequest> {
    let mut request = KillRequest::default();
    match part.selector.as_ref().and_then(|selector| selector.by.as_ref())? {
        By::Tenant(name) => request.tenant.clone_from(name),
        By::Endpoint(name) => {
            request.tenant.clone_from(&part.tenant);
            request.endpoint.clone_from(name);
        }
        By::Registration(name) => request.registration.clone_from(name),
        By::Launch(_) | By::User(_) | By::Grant(_) => {
            request.tenant.clone_from(&part.tenant);
            request.grants = part.grants.as_ref().map(|grants| grants.of_persons.clone()).unwrap_or_default();
            if request.grants.is_empty() {
                // Empty is not all: a tenant alone would be everything of it.
                return None;
            }
        }
    }
    Some(request)
}

/// Whether a reason, or the name of who gives it, may stand in a record: 1 to 200 characters, none a control character.
pub fn is_reason(text: &str) -> bool {
    (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The actor of something that happened before anybody was known.
pub fn anonymous() -> pb::Actor {
    pb::Actor { kind: Some(pb::actor::Kind::Anonymous(pb::Anonymous {})) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_id_is_refused_not_defaulted() {
        assert_eq!(launch_id(&[]), Err(InvalidField("launch_id")));
        assert_eq!(tenant(""), Err(InvalidField("tenant")));
        assert!(User::try_from(pb::User::default()).is_err());
    }
}
