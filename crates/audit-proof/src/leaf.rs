//! What one leaf of the log is: a record with every column that it has in the database, as one line of JSON.
//!
//! The bytes that are hashed are exactly the line, without its line feed, so that any tool can do it again:
//! `SHA-256(0x00 || line)`. The keys stand in the order of the fields below. What identifies people is inside
//! `sealed`, encrypted; nothing else in it is needed to verify the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The version of the form.
pub const LEAF_VERSION: u8 = 1;

/// A record as the log holds it. Instants are microseconds since the epoch, ids hyphenated UUIDs, bytes base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf<'a> {
    /// [`LEAF_VERSION`].
    pub v: u8,
    /// Whose log.
    #[serde(borrow)]
    pub tenant: Cow<'a, str>,
    /// Its place in the log, from 0 without a gap.
    pub log_index: u64,
    /// When it was taken into the log, if that was after it was stored: what happened to it before is not proven.
    pub adopted_at: Option<i64>,
    /// The record; an intent and its outcome share it.
    #[serde(borrow)]
    pub record_id: Cow<'a, str>,
    /// 1 an intent, 2 its outcome, 3 an event.
    pub phase: i32,
    /// What happened, as the number of `sallyport.audit.v1.Kind`.
    pub kind: i32,
    /// When it happened, by the clock of who recorded it.
    pub recorded_at: i64,
    /// When it was stored, by the clock of the audit service.
    pub stored_at: i64,
    /// Who recorded it.
    #[serde(borrow)]
    pub service: Cow<'a, str>,
    /// The spool it came from.
    #[serde(borrow)]
    pub spool_id: Cow<'a, str>,
    /// Its place in that spool.
    pub spool_sequence: i64,
    /// SHA-256 of the ciphertext it travelled in.
    #[serde(borrow)]
    pub transport_digest: Cow<'a, str>,
    /// The endpoint's name.
    #[serde(borrow)]
    pub endpoint: Cow<'a, str>,
    /// The registration's name.
    #[serde(borrow)]
    pub registration: Cow<'a, str>,
    /// Why, as a code of v3 `ActReason`.
    #[serde(borrow)]
    pub purpose: Cow<'a, str>,
    /// The feature's name.
    #[serde(borrow)]
    pub feature: Cow<'a, str>,
    /// `permit:RULE` or `deny:RULE`.
    #[serde(borrow)]
    pub policy_decision: Cow<'a, str>,
    /// The FHIR interaction.
    #[serde(borrow)]
    pub interaction: Cow<'a, str>,
    /// Resource types, separated by spaces.
    #[serde(borrow)]
    pub resource_types: Cow<'a, str>,
    /// How many resources were released.
    pub released: i32,
    /// How many were withheld.
    pub withheld: i32,
    /// How it ended, as the number of `sallyport.audit.v1.Outcome`.
    pub outcome: i32,
    /// The stable code of a refusal.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// What the caller was told.
    pub http_status: i32,
    /// What the EHR said.
    pub upstream_status: i32,
    /// The request.
    pub request_id: Option<Cow<'a, str>>,
    /// The launch.
    pub launch_id: Option<Cow<'a, str>>,
    /// The grant.
    pub grant_id: Option<Cow<'a, str>>,
    /// The run of a job.
    pub run_id: Option<Cow<'a, str>>,
    /// The job.
    #[serde(borrow)]
    pub job: Cow<'a, str>,
    /// The trace.
    #[serde(borrow)]
    pub trace_id: Cow<'a, str>,
    /// The encrypted record.
    #[serde(borrow)]
    pub sealed: Cow<'a, str>,
    /// Whom it is filed under, by random ids, ascending.
    pub subjects: Vec<Cow<'a, str>>,
}

/// Bytes that are no leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not the form of a leaf.
    #[error("not a record of the log")]
    Malformed,
    /// Of a version that this program does not know.
    #[error("a record of a version that this program does not know")]
    Version,
}

impl<'a> Leaf<'a> {
    /// An intent, which an outcome follows.
    pub const INTENT: i32 = 1;
    /// An outcome, which an intent went before.
    pub const OUTCOME: i32 = 2;

    /// The bytes that are hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are always JSON")
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`LeafError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LeafError> {
        let leaf: Self = serde_json::from_slice(bytes).map_err(|_shape| LeafError::Malformed)?;
        if leaf.v == LEAF_VERSION { Ok(leaf) } else { Err(LeafError::Version) }
    }
}
