//! Why work stops before its end. Nothing is lost by any of them: the checkpoint stays.

use sallyport_model::{Code, Micros};

/// Why a run cannot go on for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The EHR said when to come back (`Retry-After`).
    Vendor,
    /// A limit of ours or of the tenant's agreement.
    Limit,
    /// The breaker of the endpoint is open.
    Breaker,
    /// Outside the job's off-peak windows, or a blackout date.
    Window,
    /// Something failed that may work later; retried with a pause that grows.
    Retry,
    /// What the EHR works on is not ready yet (a bulk export's status).
    Polling,
}

impl Wait {
    /// Every one, for reading rows.
    pub(crate) const ALL: [Self; 6] =
        [Self::Vendor, Self::Limit, Self::Breaker, Self::Window, Self::Retry, Self::Polling];

    /// The word in rows, messages and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Limit => "limit",
            Self::Breaker => "breaker",
            Self::Window => "window",
            Self::Retry => "retry",
            Self::Polling => "polling",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.as_str() == text)
    }
}

/// Why work stops here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Another worker holds the batch: whatever this one still has is worth nothing.
    Stale,
    /// The run was paused, stopped or killed, or this process ends.
    Asked,
    /// Not before that time; other batches of the same endpoint wait too where the reason is the endpoint's
    /// ([`Wait::Vendor`], [`Wait::Limit`], [`Wait::Breaker`]).
    Later {
        /// Earliest, in microseconds since the epoch.
        not_before: Micros,
        /// Why.
        why: Wait,
    },
    /// The run's authority is not what it pinned. The run stops; a person decides.
    Authority {
        /// What happened.
        code: Code,
        /// Which scope is missing, or empty.
        scope: String,
    },
    /// The batch's only item failed and is tried again later. Made by the engine.
    Item {
        /// Not before.
        due: Micros,
        /// What went wrong.
        code: Code,
        /// How often it has.
        attempts: i64,
    },
    /// Something of ours failed (database, keys, gateway): tried again with a pause.
    Failed(Code),
}

impl From<sallyport_db::Error> for Halt {
    fn from(error: sallyport_db::Error) -> Self {
        Self::Failed(error.code())
    }
}
