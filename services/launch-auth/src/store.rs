//! The rows of launches, sessions and revocations, one SQL text for both databases. Rows stay private to this module
//! and become states that cannot be wrong.

mod incidents;
mod launches;
mod operators;
mod revocations;
mod sessions;

use sallyport_db::{Error, Migrations, Pool};
use uuid::Uuid;

pub(crate) use incidents::{Incident, Target};
pub(crate) use launches::{Found, NewLaunch, Transaction};
pub(crate) use operators::{OperatorSession, Person};
pub(crate) use sessions::{Context, Display, EndReason, NewSession, Open, Session};

/// Both folders of migrations.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("migrations/sqlite"),
    postgres: &sqlx::migrate!("migrations/postgres"),
};

/// This service's database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: Pool,
    /// For what must be finished, or is safe, while the clocks disagree: the session of a code that was just redeemed,
    /// ends of sessions and the reading of them.
    always: Pool,
}

impl Store {
    /// Over a migrated pool.
    pub(crate) fn new(pool: Pool) -> Self {
        Self { always: pool.regardless(), pool }
    }

    /// Removes what nobody needs any more: launches that are long over, sessions ended before `ended_before` and the console's
    /// that were over before it, revocations older than any session.
    pub(crate) async fn prune(&self, launched_before: i64, ended_before: i64) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        for (statement, before) in [
            ("DELETE FROM launches WHERE created_at < $1", launched_before),
            ("DELETE FROM revocations WHERE created_at < $1", launched_before.min(ended_before)),
            ("DELETE FROM sessions WHERE ended_at < $1 AND grant_revoked", ended_before),
            ("DELETE FROM operator_links WHERE expires_at < $1", ended_before),
            ("DELETE FROM operator_sessions WHERE absolute_expires_at < $1", ended_before),
        ] {
            sallyport_db::on_tx!(tx, |c| sqlx::query(statement)
                .bind(before)
                .execute(c)
                .await
                .map(|_done| ()))?;
        }
        tx.commit().await
    }
}

/// Absent texts are empty in rows: there is one way to say "none".
fn none_if_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A digest as it stands in a row.
fn digest_of(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

/// A row that this service did not write.
fn malformed(column: &'static str) -> Error {
    Error::Driver(sqlx::Error::ColumnNotFound(column.to_owned()))
}

/// Launch ids in rows.
fn launch(uuid: Uuid) -> sallyport_model::LaunchId {
    sallyport_model::LaunchId::from_uuid(uuid)
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_databases_have_the_same_migrations() {
        sallyport_db::assert_twins(super::MIGRATIONS);
    }
}
