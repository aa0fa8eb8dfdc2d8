//! Where a grant stands, here and at the EHR.

/// Where a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its tokens can be used.
    Active,
    /// A refresh is under way, under a lease.
    Refreshing,
    /// A refresh was sent and its outcome is not known: never sent again.
    Uncertain,
    /// The EHR ended it.
    Dead,
    /// We ended it.
    Revoked,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Refreshing => "refreshing",
            Self::Uncertain => "uncertain",
            Self::Dead => "dead",
            Self::Revoked => "revoked",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Refreshing, Self::Uncertain, Self::Dead, Self::Revoked]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// How far the revocation at the EHR is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// To be tried, or tried again.
    Pending,
    /// The EHR confirmed.
    Done,
    /// Given up: the tokens die by themselves.
    Failed,
    /// The EHR has no such service.
    NotOffered,
}

impl Upstream {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotOffered => "not_offered",
        }
    }
}
