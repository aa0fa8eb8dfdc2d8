//! One transaction: records not yet stored are sealed and appended, the others counted or set aside.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use sallyport_audit_client::Identity;
use sallyport_db::Tx;
use sallyport_keyring::DataKey;
use sallyport_model::{TenantId, planted};
use sallyport_proto::audit::v1::Record;
use uuid::Uuid;

use super::{Domain, growth::Growth, people::Person, people::subjects};
use crate::{
    Error,
    sealed_form::{self, Subject, Subjects},
    store::{Poison, Row, Store},
};

/// A record that was opened and is sound.
pub(super) struct Arrived {
    pub(super) record: Record,
    pub(super) identity: Identity,
    pub(super) message: Uuid,
    pub(super) spool: Uuid,
    pub(super) sequence: i64,
    /// SHA-256 of the ciphertext it travelled in: equal for the same record sent again.
    pub(super) digest: Vec<u8>,
    pub(super) bytes: usize,
}

impl Arrived {
    pub(super) fn poison(&self, reason: &'static str) -> Poison {
        Poison {
            digest: self.digest.clone(),
            reason,
            message: self.message,
            spool: Some(self.spool),
            sequence: Some(self.sequence),
            bytes: self.bytes,
        }
    }
}

/// What one transaction did.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) stored: Vec<Identity>,
    pub(super) duplicates: usize,
    pub(super) quarantined: Vec<&'static str>,
}

/// Stores everything in one transaction: after the commit the message may be forgotten.
pub(super) async fn store(domain: &Domain, arrived: &[Arrived], poison: &[Poison]) -> Result<Effects, Error> {
    let now = domain.clock.now();
    // Before the transaction: the key service may be far away.
    // In one order everywhere: two replicas wait for each other's logs instead of blocking each other.
    let mut keys = BTreeMap::new();
    for one in arrived {
        if !keys.contains_key(&one.identity.tenant) {
            keys.insert(one.identity.tenant.clone(), domain.tenant_key(&one.identity.tenant).await?);
        }
    }
    let mut effects = Effects::default();
    let mut tx = domain.store.begin().await?;
    let (fresh, conflicts) = sort(&mut tx, arrived, &mut effects).await?;
    for (tenant, key) in &keys {
        let own: Vec<_> = fresh.iter().copied().filter(|one| one.identity.tenant == *tenant).collect();
        if !own.is_empty() {
            append(&mut tx, tenant, key, &own, now).await?;
        }
        effects.stored.extend(own.iter().map(|one| one.identity.clone()));
    }
    let conflicts: Vec<_> = conflicts.iter().map(|one| one.poison("conflict")).collect();
    for one in poison.iter().chain(&conflicts) {
        if Store::quarantine(&mut tx, one, now).await? {
            effects.quarantined.push(one.reason);
        }
    }
    tx.commit().await?;
    Ok(effects)
}

/// Splits what arrived into new records and conflicts, and counts what is here already.
async fn sort<'a>(
    tx: &mut Tx,
    arrived: &'a [Arrived],
    effects: &mut Effects,
) -> Result<(Vec<&'a Arrived>, Vec<&'a Arrived>), Error> {
    let mut stored = Stored::look_up(tx, arrived).await?;
    let (mut fresh, mut conflicts) = (Vec::new(), Vec::new());
    for one in arrived {
        match stored.compare(one) {
            Compared::New => {
                stored.add(one);
                fresh.push(one);
            }
            Compared::Same => effects.duplicates += 1,
            // The same place or the same id with other content: never overwritten, never dropped silently.
            Compared::Other => conflicts.push(one),
        }
    }
    Ok((fresh, conflicts))
}

enum Compared {
    New,
    Same,
    Other,
}

/// Digests of stored records, by place in the spool and by id.
#[derive(Default)]
struct Stored {
    by_place: HashMap<(Uuid, i64), Vec<u8>>,
    by_id: HashMap<(String, Uuid, i32), Vec<u8>>,
}

impl Stored {
    async fn look_up(tx: &mut Tx, arrived: &[Arrived]) -> Result<Self, Error> {
        let mut spools: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
        let mut tenants: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
        for one in arrived {
            let range = spools.entry(one.spool).or_insert((one.sequence, one.sequence));
            *range = (range.0.min(one.sequence), range.1.max(one.sequence));
            tenants.entry(one.identity.tenant.as_str()).or_default().push(one.identity.record.uuid());
        }
        let mut marks = Vec::new();
        for (spool, (first, last)) in spools {
            marks.extend(Store::marks_in_spool(tx, spool, first, last).await?);
        }
        for (tenant, ids) in tenants {
            marks.extend(Store::marks_by_id(tx, tenant, &ids).await?);
        }
        let mut stored = Self::default();
        for mark in marks {
            stored.by_place.insert((mark.spool_id, mark.spool_sequence), mark.transport_digest.clone());
            stored.by_id.insert((mark.tenant, mark.record_id, mark.phase), mark.transport_digest);
        }
        Ok(stored)
    }

    fn compare(&self, one: &Arrived) -> Compared {
        let found = [self.by_place.get(&(one.spool, one.sequence)), self.by_id.get(&id(one))];
        let mut found = found.into_iter().flatten().peekable();
        if found.peek().is_none() {
            Compared::New
        } else if found.all(|digest| *digest == one.digest) {
            Compared::Same
        } else {
            Compared::Other
        }
    }

    fn add(&mut self, one: &Arrived) {
        self.by_place.insert((one.spool, one.sequence), one.digest.clone());
        self.by_id.insert(id(one), one.digest.clone());
    }
}

fn id(one: &Arrived) -> (String, Uuid, i32) {
    let identity = &one.identity;
    (identity.tenant.as_str().to_owned(), identity.record.uuid(), i32::from(identity.phase))
}

/// Who is in one record.
struct Cast {
    patients: Vec<Person>,
    user: Option<Person>,
    tenant: Option<Person>,
}

impl Cast {
    fn of(record: &Record, key: &DataKey) -> Self {
        Self {
            patients: record.patients.iter().map(|id| Person::patient(key, &record.endpoint, id)).collect(),
            user: sealed_form::user_of(record).map(|user| Person::user(key, &user.issuer, &user.subject)),
            tenant: sealed_form::needs_tenant_subject(record).then(|| Person::tenant(key)),
        }
    }

    fn people(&self) -> impl Iterator<Item = &Person> {
        self.patients.iter().chain(&self.user).chain(&self.tenant)
    }

    fn subjects(&self, known: &HashMap<Person, Arc<Subject>>) -> Subjects {
        let find = |person: &Person| known.get(person).map(Arc::clone);
        Subjects {
            patients: self.patients.iter().filter_map(find).collect(),
            user: self.user.as_ref().and_then(find),
            tenant: self.tenant.as_ref().and_then(find),
        }
    }
}

/// Seals and appends one tenant's new records.
async fn append(
    tx: &mut Tx,
    tenant: &TenantId,
    key: &DataKey,
    fresh: &[&Arrived],
    now: i64,
) -> Result<(), Error> {
    let casts: Vec<_> = fresh.iter().map(|one| Cast::of(&one.record, key)).collect();
    let people: HashSet<_> = casts.iter().flat_map(Cast::people).cloned().collect();
    let known = subjects(tx, tenant, key, &people, now).await?;
    let mut rows = Vec::with_capacity(fresh.len());
    for (one, cast) in fresh.iter().zip(&casts) {
        let subjects = cast.subjects(&known);
        rows.push(Row {
            identity: &one.identity,
            record: &one.record,
            spool: one.spool,
            sequence: one.sequence,
            digest: &one.digest,
            log_index: None,
            about: subjects.patients.iter().chain(&subjects.user).map(|subject| subject.id).collect(),
            sealed: sealed_form::seal(one.record.clone(), &subjects)?,
        });
    }
    if !planted!("record-outside-the-log") {
        let mut growth = Growth::begin(tx, tenant.as_str()).await?;
        growth.append(&mut rows, now);
        growth.end(tx, tenant.as_str()).await?;
    }
    // Another replica stored one of them at this moment: look again, in a new transaction.
    if Store::append(tx, &rows, now).await? == rows.len() { Ok(()) } else { Err(Error::Interrupted) }
}
