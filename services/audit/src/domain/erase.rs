//! Erasure: a subject's key is destroyed, so that the ids in every record about them become unreadable while all else
//! reads on and every stored byte stays as it is.

use std::sync::Arc;

use sallyport_model::{EndpointId, PatientId, TenantId, User};
use sallyport_proto::audit::v1::{Kind, Outcome, Record};

use super::{Domain, people::Person};
use crate::Error;

/// Who asks for an erasure and why; both are recorded, sealed like any user and reason.
#[derive(Debug, Clone)]
pub struct Order {
    /// The operator's name.
    pub operator: String,
    /// One or two plain words that are no patient data, e.g. a ticket number.
    pub reference: String,
}

/// Destroys subject keys. Copies of the database made before keep theirs: backups must honour the erasure too.
#[derive(Clone)]
pub struct Erasure {
    domain: Arc<Domain>,
}

impl Erasure {
    pub(crate) fn new(domain: Arc<Domain>) -> Self {
        Self { domain }
    }

    /// Erases a patient at an endpoint. `false` when the log knows nothing about them.
    ///
    /// # Errors
    /// [`Error`]; when it could not be recorded, nothing was destroyed.
    pub async fn patient(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        patient: &PatientId,
        order: &Order,
    ) -> Result<bool, Error> {
        let key = self.domain.tenant_key(tenant).await?;
        self.erase(tenant, &Person::patient(&key, endpoint.as_str(), patient.expose()), order).await
    }

    /// Erases a user. `false` when the log knows nothing about them.
    ///
    /// # Errors
    /// [`Error`]; when it could not be recorded, nothing was destroyed.
    pub async fn user(&self, tenant: &TenantId, user: &User, order: &Order) -> Result<bool, Error> {
        let key = self.domain.tenant_key(tenant).await?;
        self.erase(tenant, &Person::user(&key, &user.issuer, &user.subject), order).await
    }

    async fn erase(&self, tenant: &TenantId, person: &Person, order: &Order) -> Result<bool, Error> {
        // Without the subject: naming them in the record would begin the log about them anew.
        let intent = Record {
            kind: Kind::Operator.into(),
            tenant: tenant.as_str().to_owned(),
            endpoint: person.endpoint().to_owned(),
            actor: Some(sallyport_proto::convert::operator_actor(&order.operator)),
            purpose: "HSYSADMIN".to_owned(),
            interaction: "erase".to_owned(),
            detail: order.reference.clone(),
            ..Record::default()
        };
        let pending = self.domain.audit.begin(intent.clone())?;
        let record_id = sallyport_proto::convert::id_bytes(pending.record_id().uuid());
        pending.durable().await?;
        let now = self.domain.clock.now();
        let store = &self.domain.store;
        let (name, endpoint, blind) = (tenant.as_str(), person.endpoint(), person.blind());
        let destroyed = store.destroy_subject(name, person.kind(), endpoint, blind, now).await;
        let outcome = if destroyed.is_ok() { Outcome::Success } else { Outcome::Failed };
        let released = destroyed.as_ref().map_or(0, |count| i32::try_from(*count).unwrap_or(i32::MAX));
        self.domain.audit.outcome(Record { record_id, outcome: outcome.into(), released, ..intent });
        Ok(destroyed? > 0)
    }
}
