//! Subjects: from an id in a record to the key that seals it, by a keyed blind index.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sallyport_db::Tx;
use sallyport_keyring::DataKey;
use sallyport_model::TenantId;
use uuid::Uuid;

use super::random_id;
use crate::{
    Error,
    sealed_form::Subject,
    store::{Store, SubjectKind, SubjectRow},
};

/// Who a subject is, before it is looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    kind: SubjectKind,
    endpoint: String,
    blind: Vec<u8>,
}

impl Person {
    /// A patient, by logical id at an endpoint.
    pub(crate) fn patient(key: &DataKey, endpoint: &str, id: &str) -> Self {
        Self::new(key, SubjectKind::Patient, endpoint, &[id.as_bytes()])
    }

    /// A user, by issuer and subject (OIDC Core §5.7).
    pub(crate) fn user(key: &DataKey, issuer: &str, subject: &str) -> Self {
        Self::new(key, SubjectKind::User, "", &[issuer.as_bytes(), subject.as_bytes()])
    }

    /// Nobody: for ids that belong to no person.
    pub(crate) fn tenant(key: &DataKey) -> Self {
        Self::new(key, SubjectKind::Tenant, "", &[])
    }

    fn new(key: &DataKey, kind: SubjectKind, endpoint: &str, parts: &[&[u8]]) -> Self {
        // Without the endpoint, so that one search finds a patient id at every endpoint of the tenant.
        Self { kind, endpoint: endpoint.to_owned(), blind: key.blind_index(kind.domain(), parts).to_vec() }
    }

    pub(crate) fn kind(&self) -> SubjectKind {
        self.kind
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn blind(&self) -> &[u8] {
        &self.blind
    }
}

/// The subjects behind `people`; new ones begin for those not yet known, or erased.
pub(super) async fn subjects(
    tx: &mut Tx,
    tenant: &TenantId,
    key: &DataKey,
    people: &HashSet<Person>,
    now: i64,
) -> Result<HashMap<Person, Arc<Subject>>, Error> {
    let blinds: Vec<&[u8]> = people.iter().map(|person| person.blind.as_slice()).collect();
    let known = Store::living(tx, tenant.as_str(), &blinds).await?;
    let by_place: HashMap<_, _> =
        known.iter().map(|row| ((row.kind, row.endpoint.as_str(), row.blind.as_slice()), row)).collect();
    let (mut subjects, mut fresh) = (HashMap::new(), Vec::new());
    for person in people {
        let place = (person.kind.number(), person.endpoint.as_str(), person.blind.as_slice());
        let subject = match by_place.get(&place) {
            Some(row) => open_subject(tenant, key, row.subject_id, &row.wrapped)?,
            None => {
                let subject = Subject { id: random_id(), key: DataKey::generate() };
                fresh.push(row(tenant, key, person, &subject));
                Arc::new(subject)
            }
        };
        subjects.insert(person.clone(), subject);
    }
    // In one order everywhere, so that two replicas wait for each other instead of blocking each other.
    fresh.sort_by(|a, b| a.blind.cmp(&b.blind));
    let kept = Store::keep_subjects(tx, tenant.as_str(), &fresh, now).await?;
    // Another replica was faster with one of them: its key counts, so the transaction is repeated.
    if kept == fresh.len() { Ok(subjects) } else { Err(Error::Interrupted) }
}

fn row(tenant: &TenantId, key: &DataKey, person: &Person, subject: &Subject) -> SubjectRow {
    SubjectRow {
        subject_id: subject.id,
        kind: person.kind.number(),
        endpoint: person.endpoint.clone(),
        blind: person.blind.clone(),
        wrapped: key.seal(&place(tenant, subject.id), subject.key.expose().expose()),
    }
}

/// Opens a subject's key.
pub(super) fn open_subject(
    tenant: &TenantId,
    key: &DataKey,
    id: Uuid,
    wrapped: &[u8],
) -> Result<Arc<Subject>, Error> {
    let material = key.open(&place(tenant, id), wrapped)?;
    Ok(Arc::new(Subject { id, key: DataKey::from_secret(material)? }))
}

/// A sealed subject key moved to another subject or tenant does not open.
fn place(tenant: &TenantId, id: Uuid) -> Vec<u8> {
    let mut aad = b"sallyport audit subject key v1".to_vec();
    aad.extend_from_slice(id.as_bytes());
    aad.extend_from_slice(tenant.as_str().as_bytes());
    aad
}
