//! What a verification finds. A fault says that the log is not what was signed; a finding is something a reviewer has
//! to look at in a log that is.

use std::fmt;

use crate::{Gap, Hash};

/// The log is not what was signed, or cannot be shown to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A line is no record of the log.
    NotARecord {
        /// The place it has.
        index: u64,
    },
    /// A record of another tenant.
    OtherTenant {
        /// The place it has.
        index: u64,
    },
    /// Another record stands where this one is expected: one was taken out, put in or moved.
    OutOfPlace {
        /// The expected place.
        index: u64,
        /// The place that the record names.
        found: u64,
    },
    /// The records up to a checkpoint have another root than it says: some were changed, or all were written anew.
    RootDiffers {
        /// The checkpoint's size.
        size: u64,
        /// Which checkpoint, in the words of whoever gave it.
        anchor: String,
    },
    /// The log ends before a checkpoint: it was cut off, or put back from an old copy.
    CutOff {
        /// The checkpoint's size.
        size: u64,
        /// How many records there are.
        found: u64,
        /// Which checkpoint.
        anchor: String,
    },
    /// Two signed checkpoints of one size have different roots: the log showed different histories.
    Fork {
        /// The size.
        size: u64,
        /// Both roots.
        roots: (Hash, Hash),
    },
    /// A checkpoint is not signed as it must be.
    Checkpoint {
        /// Which checkpoint.
        anchor: String,
        /// Why.
        reason: String,
    },
    /// No checkpoint that counts was given, so that anything could stand here.
    NoCheckpoint,
    /// The export ends in mid-air, or is no export.
    Export {
        /// Why.
        reason: String,
    },
    /// Records in the database that the log does not hold.
    OutsideTheLog {
        /// How many.
        count: u64,
    },
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Intents without an outcome, older than the outcome may take.
    OpenIntents {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Outcomes without their intent.
    LoneOutcomes {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Recorded later than stored, or stored before what precedes it: a clock was wrong.
    ClockSkew {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Stored long after it happened.
    Late {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Taken into the log after they were stored.
    Adopted {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Numbers of a spool that never arrived.
    SpoolGap(Gap),
    /// The same number of a spool twice.
    SpoolRepeated {
        /// How many.
        count: u64,
        /// Places of the first.
        indexes: Vec<u64>,
    },
    /// Records behind the last checkpoint: they can still be changed unseen.
    Uncovered {
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord { index } => {
                write!(f, "record {index}: what stands there is not a record of the log")
            }
            Self::OtherTenant { index } => write!(f, "record {index}: it belongs to another tenant"),
            Self::OutOfPlace { index, found } => write!(
                f,
                "record {index}: the record found there says that it is record {found}; one was removed, added or moved"
            ),
            Self::RootDiffers { size, anchor } => write!(
                f,
                "the first {size} records are not those that {anchor} was signed over; some were changed or all written anew"
            ),
            Self::CutOff { size, found, anchor } => write!(
                f,
                "{anchor} was signed over {size} records, and there are {found}; the log was cut off or put back from an old copy"
            ),
            Self::Fork { size, roots } => write!(
                f,
                "two signed checkpoints over {size} records differ ({} and {}); the log showed two histories",
                roots.0, roots.1
            ),
            Self::Checkpoint { anchor, reason } => write!(f, "{anchor} does not count: {reason}"),
            Self::NoCheckpoint => f.write_str("no signed checkpoint covers any of it, so nothing is shown"),
            Self::Export { reason } => write!(f, "the export is not whole: {reason}"),
            Self::OutsideTheLog { count } => {
                write!(f, "{count} records are in the database and not in the log")
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, what, indexes) = match self {
            Self::OpenIntents { count, indexes } => {
                (count, "calls whose outcome was never recorded", indexes)
            }
            Self::LoneOutcomes { count, indexes } => (count, "outcomes without their intent", indexes),
            Self::ClockSkew { count, indexes } => {
                (count, "records whose times contradict each other", indexes)
            }
            Self::Late { count, indexes } => (count, "records stored long after they happened", indexes),
            Self::Adopted { count, indexes } => {
                (count, "records taken into the log only after they had been stored", indexes)
            }
            Self::SpoolRepeated { count, indexes } => {
                (count, "records whose place in a spool is taken twice", indexes)
            }
            Self::SpoolGap(gap) => {
                return write!(
                    f,
                    "spool {}: numbers {} to {} never arrived ({} records)",
                    gap.spool,
                    gap.first,
                    gap.last,
                    i128::from(gap.last) - i128::from(gap.first) + 1
                );
            }
            Self::Uncovered { count } => return write!(f, "{count} records behind the last checkpoint"),
        };
        let shown: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        let more = if *count > indexes.len() as u64 { ", …" } else { "" };
        write!(f, "{count} {what} (at {}{more})", shown.join(", "))
    }
}
