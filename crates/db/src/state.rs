//! What is known about a database: whether it can be used, and if not, why. Asked before every statement, so it is
//! kept in memory and never waits.

use std::sync::{PoisonError, RwLock};

use sallyport_model::Code;

use crate::Error;

/// Why a service cannot use its database now. Each ends by itself when its cause does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nobody has looked at it yet, or its schema could not be prepared.
    Unprepared,
    /// It does not answer.
    Away,
    /// So many migrations have to be applied first.
    MigrationsPending(usize),
    /// It would confirm commits that it could lose; names the setting.
    NotDurable(&'static str),
    /// Its clock and ours are more than five minutes apart.
    ClockSkew,
}

impl Missing {
    /// The stable code for whoever is refused because of it.
    pub fn code(self) -> Code {
        match self {
            Self::ClockSkew => Code::ClockSkew,
            _ => Code::DependencyDown,
        }
    }

    /// A fixed word for metric labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unprepared => "unprepared",
            Self::Away => "away",
            Self::MigrationsPending(_) => "migrations_pending",
            Self::NotDurable(_) => "not_durable",
            Self::ClockSkew => "clock_skew",
        }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unprepared => f.write_str("the database is not prepared yet"),
            Self::Away => f.write_str("the database does not answer"),
            Self::MigrationsPending(count) => {
                write!(f, "{count} migrations are pending, run sallyport migrate")
            }
            Self::NotDurable(setting) => {
                write!(f, "the database runs with {setting} off, so a commit would not be durable")
            }
            Self::ClockSkew => {
                f.write_str("this machine's clock and the database's are more than five minutes apart")
            }
        }
    }
}

/// Which statements are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Only while everything is as it should be.
    Careful,
    /// Also while the clocks disagree.
    Regardless,
    /// Always: to find out.
    Unguarded,
}

/// What was found last.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// `None` until somebody prepared the schema or tried to.
    schema: Option<Result<(), Missing>>,
    answer: Option<Missing>,
    is_skewed: bool,
}

/// Shared by the clones of a pool.
#[derive(Debug, Default)]
pub(crate) struct State(RwLock<Known>);

impl State {
    /// Whether a statement may be tried.
    pub(crate) fn admit(&self, admission: Admission) -> Result<(), Error> {
        if admission == Admission::Unguarded {
            return Ok(());
        }
        let known = self.known();
        let schema = known.schema.and_then(Result::err);
        let skew = known.is_skewed
            && admission == Admission::Careful
            && !sallyport_model::planted!("clock-skew-ignored");
        let missing = schema.or(known.answer).or(skew.then_some(Missing::ClockSkew));
        missing.map_or(Ok(()), |missing| Err(Error::Unready(missing)))
    }

    /// Whether the service can work. Stricter than [`State::admit`]: what nobody has looked at is not ready.
    pub(crate) fn ready(&self) -> Result<(), Missing> {
        let known = self.known();
        known.schema.unwrap_or(Err(Missing::Unprepared))?;
        match known.answer {
            Some(missing) => Err(missing),
            None if known.is_skewed => Err(Missing::ClockSkew),
            None => Ok(()),
        }
    }

    pub(crate) fn is_prepared(&self) -> bool {
        self.known().schema == Some(Ok(()))
    }

    /// Notes how preparing the schema went.
    pub(crate) fn prepared(&self, outcome: Result<(), Missing>) {
        self.change(|known| known.schema = Some(outcome));
    }

    /// Notes whether the database answered, and as what.
    pub(crate) fn answered(&self, missing: Option<Missing>) {
        self.change(|known| known.answer = missing);
    }

    pub(crate) fn skewed(&self, is_skewed: bool) {
        self.change(|known| known.is_skewed = is_skewed);
    }

    fn known(&self) -> Known {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut Known)) {
        how(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
