//! What a row of the proposals says, and what is put into one.

use sallyport_model::{Micros, RunId};
use uuid::Uuid;

use crate::sealing::Sealed;

/// Where a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A person may decide on it.
    Open,
    /// A person approved it; what came of it is the outcome's to say.
    Approved,
    /// A person rejected it.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The rule no longer holds, or a person took it back: the outcome says which.
    Withdrawn,
}

impl State {
    const ALL: [Self; 5] = [Self::Open, Self::Approved, Self::Rejected, Self::Expired, Self::Withdrawn];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A proposal as a scan makes it.
pub(crate) struct NewProposal<'a> {
    /// Used where the occasion has no row yet.
    pub(crate) id: Uuid,
    pub(crate) tenant: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) job: &'a str,
    pub(crate) run: RunId,
    pub(crate) subject: [u8; 32],
    pub(crate) rule: &'a str,
    /// The rule and the period for which it asks: decided once, it is not proposed again for that.
    pub(crate) occasion: &'a str,
    pub(crate) resource_type: &'a str,
    pub(crate) base_version: &'a str,
    /// A keyed hash of what is proposed and why.
    pub(crate) content: [u8; 32],
    pub(crate) expires_at: Micros,
}

/// A row.
#[derive(Clone)]
pub(crate) struct Proposal {
    pub(crate) id: Uuid,
    pub(crate) job: String,
    pub(crate) run: RunId,
    pub(crate) rule: String,
    pub(crate) resource_type: String,
    pub(crate) base_version: String,
    pub(crate) sealed: Sealed,
    pub(crate) state: State,
    /// `applied`, `unknown`, `refused`, `conflict`, `taken-back` or empty.
    pub(crate) outcome: String,
    pub(crate) code: String,
    pub(crate) decision: Option<Sealed>,
    pub(crate) result: Option<Sealed>,
    pub(crate) decided_at: Micros,
    pub(crate) created_at: Micros,
    pub(crate) expires_at: Micros,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    proposal_id: Uuid,
    job: String,
    run_id: Uuid,
    rule: String,
    resource_type: String,
    base_version: String,
    sealed: Vec<u8>,
    data_key_id: Uuid,
    state: String,
    outcome: String,
    code: String,
    decision_sealed: Option<Vec<u8>>,
    decision_key_id: Option<Uuid>,
    result_sealed: Option<Vec<u8>>,
    result_key_id: Option<Uuid>,
    decided_at: i64,
    created_at: i64,
    expires_at: i64,
}

impl Row {
    pub(super) fn read(self) -> Option<Proposal> {
        let both = |bytes: Option<Vec<u8>>, key: Option<Uuid>| {
            bytes.zip(key).map(|(bytes, data_key)| Sealed { data_key, bytes })
        };
        Some(Proposal {
            id: self.proposal_id,
            job: self.job,
            run: RunId::from_uuid(self.run_id),
            rule: self.rule,
            resource_type: self.resource_type,
            base_version: self.base_version,
            sealed: Sealed { data_key: self.data_key_id, bytes: self.sealed },
            // A row that this program did not write is no proposal.
            state: State::parse(&self.state)?,
            outcome: self.outcome,
            code: self.code,
            decision: both(self.decision_sealed, self.decision_key_id),
            result: both(self.result_sealed, self.result_key_id),
            decided_at: self.decided_at,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}
