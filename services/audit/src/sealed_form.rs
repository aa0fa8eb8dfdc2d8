//! The stored form of a record: exactly the bytes of `records.sealed`, which later proofs hash and nothing rewrites.
//!
//! protobuf, fields in ascending order: 1 version (1) · 2 the record with its identifying fields emptied, encoded as
//! `sallyport.audit.v1.Record` · 3 (repeated) one sealed value for each identifying field. Destroying a subject's key
//! changes none of these bytes: the values sealed under it become unreadable, everything else reads on.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::digest;
use prost::Message;
use sallyport_keyring::{DataKey, KeyError};
use sallyport_model::Secret;
use sallyport_proto::{
    audit::v1::{Kind, Record},
    types::v1::{Actor, User, actor},
};
use uuid::Uuid;

const VERSION: u32 = 1;

/// What stands where an erased id was. No FHIR id or issuer can look like it.
pub(crate) const ERASED: &str = "[erased]";

#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    clear: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(enumeration = "Field", tag = "1")]
    field: i32,
    /// The subjects whose keys together open it, 16 bytes each, ascending.
    #[prost(bytes = "vec", repeated, tag = "2")]
    subjects: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    ciphertext: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum Field {
    Patient = 1,
    User = 2,
    Encounter = 3,
    ResourceId = 4,
    /// The reason of a query of the log: a person's own words.
    Detail = 5,
}

/// A subject with its key.
pub(crate) struct Subject {
    pub(crate) id: Uuid,
    pub(crate) key: DataKey,
}

/// The subjects of one record. `patients` runs beside the record's patients.
pub(crate) struct Subjects {
    pub(crate) patients: Vec<Arc<Subject>>,
    pub(crate) user: Option<Arc<Subject>>,
    /// For ids that belong to no patient and no user.
    pub(crate) tenant: Option<Arc<Subject>>,
}

/// Which subjects a record needs before it can be sealed.
pub(crate) fn user_of(record: &Record) -> Option<&User> {
    match record.actor.as_ref()?.kind.as_ref()? {
        actor::Kind::User(user) => Some(user),
        actor::Kind::Service(_) | actor::Kind::Anonymous(_) => None,
    }
}

/// Whether the record holds an id that has no person to belong to.
pub(crate) fn needs_tenant_subject(record: &Record) -> bool {
    let has_loose_id =
        !record.encounter.is_empty() || !record.resource_id.is_empty() || has_sealed_detail(record);
    has_loose_id && record.patients.is_empty() && user_of(record).is_none()
}

fn has_sealed_detail(record: &Record) -> bool {
    record.kind() == Kind::AuditQuery && !record.detail.is_empty()
}

/// The bytes to store.
pub(crate) fn seal(mut record: Record, subjects: &Subjects) -> Result<Vec<u8>, KeyError> {
    let place = Place::of(&record);
    let mut values = Vec::new();
    let patients = std::mem::take(&mut record.patients);
    for (index, (patient, subject)) in patients.iter().zip(&subjects.patients).enumerate() {
        values.push(value(&place, Field::Patient, index, std::slice::from_ref(subject), patient.as_bytes())?);
    }
    if let (Some(user), Some(subject)) = (user_of(&record), &subjects.user) {
        let bytes = Secret::new(user.encode_to_vec());
        values.push(value(&place, Field::User, 0, std::slice::from_ref(subject), bytes.expose())?);
        record.actor = Some(Actor { kind: Some(actor::Kind::User(User::default())) });
    }
    // An id without a person of its own is sealed under all patients of the record together: whoever of them is
    // erased, it is gone. Without patients it is the user's, without a user the tenant's.
    let loose = if subjects.patients.is_empty() {
        subjects.user.iter().chain(&subjects.tenant).take(1).cloned().collect()
    } else {
        subjects.patients.clone()
    };
    let encounter = std::mem::take(&mut record.encounter);
    let resource_id = std::mem::take(&mut record.resource_id);
    let detail = if has_sealed_detail(&record) { std::mem::take(&mut record.detail) } else { String::new() };
    for (field, text) in
        [(Field::Encounter, encounter), (Field::ResourceId, resource_id), (Field::Detail, detail)]
    {
        if !text.is_empty() {
            values.push(value(&place, field, 0, &loose, text.as_bytes())?);
        }
    }
    Ok(Stored { version: VERSION, clear: record.encode_to_vec(), values }.encode_to_vec())
}

/// Stored bytes that are not what was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "a stored record cannot be read: its bytes were changed or its keys are not those it was sealed with"
)]
pub(crate) struct Damaged;

/// A stored record, decoded but not opened.
pub(crate) struct Closed {
    clear: Record,
    values: Vec<Value>,
}

impl Closed {
    pub(crate) fn decode(sealed: &[u8]) -> Result<Self, Damaged> {
        let stored = Stored::decode(sealed).map_err(|_shape| Damaged)?;
        if stored.version != VERSION {
            return Err(Damaged);
        }
        let clear = Record::decode(stored.clear.as_slice()).map_err(|_shape| Damaged)?;
        Ok(Self { clear, values: stored.values })
    }

    /// The subjects whose keys are needed.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.values.iter().flat_map(|value| &value.subjects).filter_map(|id| Uuid::from_slice(id).ok())
    }

    /// The record, with `[erased]` where a key is gone.
    pub(crate) fn open(self, keys: &HashMap<Uuid, Arc<Subject>>) -> Result<Record, Damaged> {
        let place = Place::of(&self.clear);
        let mut record = self.clear;
        let mut index = 0;
        for value in &self.values {
            let field = Field::try_from(value.field).map_err(|_unknown| Damaged)?;
            let position = if field == Field::Patient { index } else { 0 };
            let opened = open_value(&place, field, position, value, keys)?;
            let text = |opened: Option<Secret<Vec<u8>>>| match opened {
                None => Ok(ERASED.to_owned()),
                Some(bytes) => String::from_utf8(bytes.expose().clone()).map_err(|_not_text| Damaged),
            };
            match field {
                Field::Patient => {
                    index += 1;
                    record.patients.push(text(opened)?);
                }
                Field::Encounter => record.encounter = text(opened)?,
                Field::ResourceId => record.resource_id = text(opened)?,
                Field::Detail => record.detail = text(opened)?,
                Field::User => {
                    let user = match opened {
                        None => User { subject: ERASED.to_owned(), ..User::default() },
                        Some(bytes) => User::decode(bytes.expose().as_slice()).map_err(|_shape| Damaged)?,
                    };
                    record.actor = Some(Actor { kind: Some(actor::Kind::User(user)) });
                }
            }
        }
        Ok(record)
    }
}

/// Where a value belongs: a value moved to another record, phase, field or position does not open.
struct Place {
    record_id: Vec<u8>,
    phase: i32,
}

impl Place {
    fn of(record: &Record) -> Self {
        Self { record_id: record.record_id.clone(), phase: record.phase }
    }

    fn aad(&self, field: Field, index: usize) -> Vec<u8> {
        let mut aad = b"sallyport audit value v1".to_vec();
        aad.extend_from_slice(&self.record_id);
        aad.extend_from_slice(&self.phase.to_be_bytes());
        aad.extend_from_slice(&(field as i32).to_be_bytes());
        aad.extend_from_slice(&(index as u64).to_be_bytes());
        aad
    }
}

fn value(
    place: &Place,
    field: Field,
    index: usize,
    subjects: &[Arc<Subject>],
    plain: &[u8],
) -> Result<Value, KeyError> {
    let mut subjects: Vec<&Subject> = subjects.iter().map(AsRef::as_ref).collect();
    subjects.sort_by_key(|subject| subject.id);
    subjects.dedup_by_key(|subject| subject.id);
    let ciphertext = with_key(&subjects, |key| key.seal(&place.aad(field, index), plain))?;
    let subjects = subjects.iter().map(|subject| subject.id.as_bytes().to_vec()).collect();
    Ok(Value { field: field.into(), subjects, ciphertext })
}

fn open_value(
    place: &Place,
    field: Field,
    index: usize,
    value: &Value,
    keys: &HashMap<Uuid, Arc<Subject>>,
) -> Result<Option<Secret<Vec<u8>>>, Damaged> {
    let mut subjects = Vec::new();
    for id in &value.subjects {
        let id = Uuid::from_slice(id).map_err(|_length| Damaged)?;
        match keys.get(&id) {
            Some(subject) => subjects.push(subject.as_ref()),
            None => return Ok(None),
        }
    }
    let opened = with_key(&subjects, |key| key.open(&place.aad(field, index), &value.ciphertext));
    opened.and_then(|opened| opened).map(Some).map_err(|_altered| Damaged)
}

/// The key of one subject, or the joint key of several: SHA-256 over a domain and all their keys in the order of
/// their ids, so that it cannot be made again once any of them is destroyed.
fn with_key<T>(subjects: &[&Subject], run: impl FnOnce(&DataKey) -> T) -> Result<T, KeyError> {
    match subjects {
        [] => Err(KeyError::Malformed),
        [one] => Ok(run(&one.key)),
        many => {
            let mut context = digest::Context::new(&digest::SHA256);
            context.update(b"sallyport audit joint key v1");
            for subject in many {
                context.update(subject.key.expose().expose());
            }
            let joint = Secret::new(context.finish().as_ref().to_vec());
            Ok(run(&DataKey::from_secret(joint)?))
        }
    }
}

#[cfg(test)]
mod tests;
