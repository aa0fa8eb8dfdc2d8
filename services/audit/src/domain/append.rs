//! Taking a message of sealed records: open, check, seal for the store, append once, all in one transaction.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::digest;
use prost::Message as _;
use sallyport_audit_client::{Identity, check, link_producers};
use sallyport_db::Tx;
use sallyport_keyring::DataKey;
use sallyport_model::TenantId;
use sallyport_proto::audit::v1::{Record, SealedBatch, SealedRecord};
use sallyport_queue::Message;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{Domain, Person, subject};
use crate::{
    Error,
    sealed_form::{self, Subject, Subjects},
    store::{Poison, Row, Store},
};

/// What the consumer does with the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Everything in it is stored or quarantined: ack.
    Done,
    /// Nothing in it opens. That is a wrong key rather than a wrong message: the publisher keeps it.
    Unreadable,
}

/// A record that was opened and is sound.
struct Arrived {
    record: Record,
    identity: Identity,
    spool: Uuid,
    sequence: i64,
    digest: Vec<u8>,
    bytes: usize,
}

/// What one transaction did.
#[derive(Default)]
struct Effects {
    stored: Vec<Identity>,
    duplicates: usize,
    quarantined: Vec<&'static str>,
}

/// Takes one message. An error means that the same message is tried again.
pub(crate) async fn append(domain: &Domain, message: &Message) -> Result<Taken, Error> {
    let batch = SealedBatch::decode(message.body.clone()).unwrap_or_default();
    let span = tracing::info_span!(
        "audit.records.append",
        otel.kind = "consumer",
        messaging.destination.name = sallyport_queue::AUDIT_RECORDS,
        messaging.batch.message_count = batch.records.len(),
    );
    link_producers(&span, &batch.records);
    take(domain, message, &batch).instrument(span).await
}

async fn take(domain: &Domain, message: &Message, batch: &SealedBatch) -> Result<Taken, Error> {
    if batch.records.is_empty() {
        // Not a batch at all, or an empty one: nobody sends that.
        let poison = Poison {
            digest: sha256(&message.body),
            reason: "decode",
            message: message.id,
            spool: None,
            sequence: None,
            bytes: message.body.len(),
        };
        count(domain, store(domain, &[], &[poison]).await?);
        return Ok(Taken::Done);
    }
    let (mut arrived, mut poison) = (Vec::new(), Vec::new());
    for sealed in &batch.records {
        match open(domain, batch, sealed).await? {
            Ok(one) => arrived.push(one),
            Err(reason) => poison.push(quarantined(message.id, sealed, reason)),
        }
    }
    if arrived.is_empty() && poison.iter().all(|p| p.reason == "key") {
        return Ok(Taken::Unreadable);
    }
    match store(domain, &arrived, &poison).await {
        Ok(effects) => count(domain, effects),
        Err(Error::Database(error)) if !error.is_unavailable() => {
            // One of them cannot be stored as it is. The others must not wait for it.
            tracing::error!(reason = "database", "a batch of audit records is stored one by one");
            count(domain, store(domain, &[], &poison).await?);
            for one in &arrived {
                store_alone(domain, message.id, one).await?;
            }
        }
        Err(other) => return Err(other),
    }
    Ok(Taken::Done)
}

/// Opens and checks one record; the inner error is the reason for the quarantine.
async fn open(
    domain: &Domain,
    batch: &SealedBatch,
    sealed: &SealedRecord,
) -> Result<Result<Arrived, &'static str>, Error> {
    let record = match domain.unsealer.open(sealed, &batch.keys).await {
        Ok(record) => record,
        Err(error) if error.is_transient() => return Err(error.into()),
        Err(error) => return Ok(Err(error.label())),
    };
    let Ok(identity) = check(&record) else { return Ok(Err("shape")) };
    // The seal is the tenant's; a record that speaks for another is not its own.
    if identity.tenant.as_str() != sealed.tenant || record.service != batch.service {
        return Ok(Err("origin"));
    }
    let Ok(spool) = Uuid::parse_str(&sealed.spool_id) else { return Ok(Err("sealed")) };
    let (digest, bytes) = (sha256(&sealed.ciphertext), sealed.ciphertext.len());
    Ok(Ok(Arrived { record, identity, spool, sequence: sealed.spool_sequence, digest, bytes }))
}

async fn store_alone(domain: &Domain, message: Uuid, one: &Arrived) -> Result<(), Error> {
    let effects = match store(domain, std::slice::from_ref(one), &[]).await {
        Err(Error::Database(error)) if !error.is_unavailable() => {
            let poison = Poison {
                digest: one.digest.clone(),
                reason: "unstorable",
                message,
                spool: Some(one.spool),
                sequence: Some(one.sequence),
                bytes: one.bytes,
            };
            store(domain, &[], &[poison]).await?
        }
        other => other?,
    };
    count(domain, effects);
    Ok(())
}

/// Everything in one transaction: after the commit the message may be forgotten.
async fn store(domain: &Domain, arrived: &[Arrived], poison: &[Poison]) -> Result<Effects, Error> {
    let now = domain.clock.now();
    // Before the transaction: the key service may be far away.
    let mut keys = HashMap::new();
    for one in arrived {
        if !keys.contains_key(&one.identity.tenant) {
            keys.insert(one.identity.tenant.clone(), domain.tenant_key(&one.identity.tenant).await?);
        }
    }
    let mut effects = Effects::default();
    let mut people = People { keys, known: HashMap::new(), now };
    let mut tx = domain.store.begin().await?;
    for one in arrived {
        store_one(&mut tx, &mut people, one, &mut effects).await?;
    }
    for one in poison {
        if Store::quarantine(&mut tx, one, now).await? {
            effects.quarantined.push(one.reason);
        }
    }
    tx.commit().await?;
    Ok(effects)
}

async fn store_one(
    tx: &mut Tx,
    people: &mut People,
    one: &Arrived,
    effects: &mut Effects,
) -> Result<(), Error> {
    let stored = Store::stored_digests(tx, &one.identity, one.spool, one.sequence).await?;
    if stored.is_empty() {
        let (subjects, about) = people.of(tx, one).await?;
        let sealed = sealed_form::seal(one.record.clone(), &subjects)?;
        let row = Row {
            identity: &one.identity,
            record: &one.record,
            spool: one.spool,
            sequence: one.sequence,
            digest: &one.digest,
            sealed: &sealed,
            now: people.now,
        };
        if Store::append(tx, &row).await? {
            for subject in about {
                Store::append_subject(tx, &one.identity, subject).await?;
            }
            effects.stored.push(one.identity.clone());
        } else {
            // Another replica stored what has the same place at this moment: look at it in a new transaction.
            return Err(Error::Interrupted);
        }
    } else if stored.iter().all(|digest| *digest == one.digest) {
        effects.duplicates += 1;
    } else {
        // The same place or the same id with other content: never overwritten, never dropped silently.
        let poison = Poison {
            digest: one.digest.clone(),
            reason: "conflict",
            message: Uuid::nil(),
            spool: Some(one.spool),
            sequence: Some(one.sequence),
            bytes: one.bytes,
        };
        if Store::quarantine(tx, &poison, people.now).await? {
            effects.quarantined.push(poison.reason);
        }
    }
    Ok(())
}

/// The people of one transaction, looked up once each.
struct People {
    keys: HashMap<TenantId, Arc<DataKey>>,
    known: HashMap<(TenantId, Person), Arc<Subject>>,
    now: i64,
}

impl People {
    /// The subjects that seal a record, and the ids it is filed under.
    async fn of(&mut self, tx: &mut Tx, one: &Arrived) -> Result<(Subjects, Vec<Uuid>), Error> {
        let (tenant, record) = (&one.identity.tenant, &one.record);
        let key = self.keys.get(tenant).map(Arc::clone).ok_or(Error::Interrupted)?;
        let mut patients = Vec::with_capacity(record.patients.len());
        for patient in &record.patients {
            patients
                .push(self.find(tx, tenant, &key, Person::patient(&key, &record.endpoint, patient)).await?);
        }
        let user = match sealed_form::user_of(record) {
            Some(user) => {
                Some(self.find(tx, tenant, &key, Person::user(&key, &user.issuer, &user.subject)).await?)
            }
            None => None,
        };
        let own = if sealed_form::needs_tenant_subject(record) {
            Some(self.find(tx, tenant, &key, Person::tenant(&key)).await?)
        } else {
            None
        };
        let about = patients.iter().chain(&user).map(|subject| subject.id).collect();
        Ok((Subjects { patients, user, tenant: own }, about))
    }

    async fn find(
        &mut self,
        tx: &mut Tx,
        tenant: &TenantId,
        key: &DataKey,
        person: Person,
    ) -> Result<Arc<Subject>, Error> {
        let name = (tenant.clone(), person);
        if let Some(known) = self.known.get(&name) {
            return Ok(Arc::clone(known));
        }
        let found = subject(tx, tenant, key, &name.1, self.now).await?;
        self.known.insert(name, Arc::clone(&found));
        Ok(found)
    }
}

fn quarantined(message: Uuid, sealed: &SealedRecord, reason: &'static str) -> Poison {
    Poison {
        digest: sha256(&sealed.ciphertext),
        reason,
        message,
        spool: Uuid::parse_str(&sealed.spool_id).ok(),
        sequence: Some(sealed.spool_sequence),
        bytes: sealed.ciphertext.len(),
    }
}

fn count(domain: &Domain, effects: Effects) {
    let now = domain.clock.now();
    for identity in effects.stored {
        domain.metrics.stored(identity.kind, identity.phase, now - identity.recorded_at);
    }
    for _ in 0..effects.duplicates {
        domain.metrics.duplicate();
    }
    for reason in effects.quarantined {
        domain.metrics.quarantined(reason);
        tracing::error!(reason, "an audit record is in quarantine");
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}
