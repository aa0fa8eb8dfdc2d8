//! Taking a message of sealed records: open, check, seal for the store, append once, all in one transaction.

use aws_lc_rs::digest;
use prost::Message as _;
use sallyport_audit_client::{check, link_producers};
use sallyport_proto::audit::v1::{SealedBatch, SealedRecord};
use sallyport_queue::Message;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    Domain,
    storing::{Arrived, Effects, store},
};
use crate::{Error, store::Poison};

/// What the consumer does with the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Everything in it is stored or quarantined: ack.
    Done,
    /// Nothing in it opens. That is a wrong key rather than a wrong message: the publisher keeps it.
    Unreadable,
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
        match open(domain, message.id, batch, sealed).await? {
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
                store_alone(domain, one).await?;
            }
        }
        Err(other) => return Err(other),
    }
    Ok(Taken::Done)
}

/// Opens and checks one record; the inner error is the reason for the quarantine.
async fn open(
    domain: &Domain,
    message: Uuid,
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
    Ok(Ok(Arrived { record, identity, message, spool, sequence: sealed.spool_sequence, digest, bytes }))
}

async fn store_alone(domain: &Domain, one: &Arrived) -> Result<(), Error> {
    let effects = match store(domain, std::slice::from_ref(one), &[]).await {
        Err(Error::Database(error)) if !error.is_unavailable() => {
            let poison = one.poison("unstorable");
            store(domain, &[], &[poison]).await?
        }
        other => other?,
    };
    count(domain, effects);
    Ok(())
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
