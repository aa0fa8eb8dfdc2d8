//! What a row of the ledger says, and what is put into one.

use sallyport_db::Error as DbError;
use sallyport_model::{Code, EndpointId, FeatureId, GrantId, LaunchId, Micros, RegistrationId, TenantId};
use sqlx::FromRow;
use uuid::Uuid;

/// Where a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A person approved it; the EHR was not called yet.
    Approved,
    /// The EHR is being called, or the process that called it is gone.
    Executing,
    /// The EHR said that it is done.
    Applied,
    /// The EHR, or we, refused it: nothing was written.
    Rejected,
    /// The record was changed meanwhile: nothing was written.
    Conflict,
    /// It may have been written. Looked for, never sent again before.
    Unknown,
    /// It was unknown and has been looked for; [`Finding`] says with what result.
    Reconciled,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Approved,
        Self::Executing,
        Self::Applied,
        Self::Rejected,
        Self::Conflict,
        Self::Unknown,
        Self::Reconciled,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
            Self::Reconciled => "reconciled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What was found of a write whose outcome was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is there.
    Applied,
    /// It is not there, and nothing of it is under way any more.
    Absent,
}

impl Finding {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Absent => "absent",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Applied, Self::Absent].into_iter().find(|finding| finding.as_str() == text)
    }
}

/// What a write is about to do. Sealed parts are sealed already.
#[derive(Clone)]
pub(crate) struct NewWrite {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) launch: LaunchId,
    pub(crate) grant: GrantId,
    pub(crate) feature: FeatureId,
    pub(crate) proposal: Option<Uuid>,
    pub(crate) aim: Aim,
    pub(crate) dedup_key: String,
    pub(crate) data_key: Uuid,
    pub(crate) intent_sealed: Vec<u8>,
    pub(crate) lease: Micros,
    pub(crate) now: Micros,
}

/// What two approvals of the same thing have in common, whichever session they come from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    /// `create` or `update`
    pub(crate) operation: String,
    pub(crate) resource_type: String,
    pub(crate) payload_hash: [u8; 32],
    /// The version that an update is based on; empty for a create.
    pub(crate) base_version: String,
    pub(crate) patient_index: [u8; 32],
}

/// A row.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) launch: LaunchId,
    pub(crate) grant: GrantId,
    pub(crate) feature: FeatureId,
    pub(crate) proposal: Option<Uuid>,
    pub(crate) operation: String,
    pub(crate) resource_type: String,
    pub(crate) dedup_key: String,
    pub(crate) base_version: String,
    pub(crate) data_key: Uuid,
    pub(crate) intent_sealed: Vec<u8>,
    pub(crate) result_sealed: Option<Vec<u8>>,
    pub(crate) state: State,
    pub(crate) finding: Option<Finding>,
    pub(crate) code: Option<Code>,
    pub(crate) epoch: i64,
    /// By the database's clock.
    pub(crate) is_lease_over: bool,
    pub(crate) looks: i64,
    pub(crate) sent_at: Micros,
    pub(crate) created_at: Micros,
}

#[derive(FromRow)]
pub(super) struct Row {
    write_id: Uuid,
    tenant: String,
    endpoint: String,
    registration: String,
    launch_id: Uuid,
    grant_id: Uuid,
    feature: String,
    proposal_id: Option<Uuid>,
    operation: String,
    resource_type: String,
    dedup_key: String,
    base_version: String,
    data_key_id: Uuid,
    intent_sealed: Vec<u8>,
    result_sealed: Option<Vec<u8>>,
    state: String,
    finding: String,
    code: String,
    epoch: i64,
    is_lease_over: bool,
    looks: i64,
    sent_at: i64,
    created_at: i64,
}

/// A row that this program did not write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A column holds what it cannot.
    #[error("the ledger holds a malformed {0}")]
    Malformed(&'static str),
}

impl TryFrom<Row> for Write {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let malformed = LedgerError::Malformed;
        Ok(Self {
            id: row.write_id,
            tenant: TenantId::parse(&row.tenant).map_err(|_alphabet| malformed("tenant"))?,
            endpoint: EndpointId::parse(&row.endpoint).map_err(|_alphabet| malformed("endpoint"))?,
            registration: RegistrationId::parse(&row.registration)
                .map_err(|_alphabet| malformed("registration"))?,
            launch: LaunchId::from_uuid(row.launch_id),
            grant: GrantId::from_uuid(row.grant_id),
            feature: FeatureId::parse(&row.feature).map_err(|_alphabet| malformed("feature"))?,
            proposal: row.proposal_id,
            operation: row.operation,
            resource_type: row.resource_type,
            dedup_key: row.dedup_key,
            base_version: row.base_version,
            data_key: row.data_key_id,
            intent_sealed: row.intent_sealed,
            result_sealed: row.result_sealed,
            state: State::parse(&row.state).ok_or(malformed("state"))?,
            finding: Finding::parse(&row.finding),
            code: Code::parse(&row.code),
            epoch: row.epoch,
            is_lease_over: row.is_lease_over,
            looks: row.looks,
            sent_at: row.sent_at,
            created_at: row.created_at,
        })
    }
}

/// How a turn with a write ended.
pub(crate) struct End {
    pub(crate) state: State,
    pub(crate) finding: Option<Finding>,
    pub(crate) code: Option<Code>,
    pub(crate) result_sealed: Option<Vec<u8>>,
    /// When to look again; for a state that is not the last.
    pub(crate) look_at: Micros,
}
