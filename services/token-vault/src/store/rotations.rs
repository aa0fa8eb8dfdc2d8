//! Rotations of keys and the rows they work through. Every write compares with what was read: a row that somebody else
//! changed meanwhile stays as it is and is met again.

use sallyport_db::{Error as DbError, on_pool};
use sallyport_model::Micros;

use super::Store;

/// A rotation.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Rotation {
    pub(crate) number: i64,
    pub(crate) started_at: i64,
    /// Whether the key-encryption key gets a new version.
    rotates_kek: i64,
    /// The version it got; 0 before.
    pub(crate) kek_version: i64,
    renews_data_keys: i64,
    replaces_lost: i64,
    pub(crate) rewrapped: i64,
    pub(crate) resealed: i64,
    pub(crate) unreadable: i64,
    pub(crate) closed_at: Option<i64>,
    pub(crate) lease_epoch: i64,
}

/// What a rotation is to do, besides wrapping every data key with the newest version.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) rotates_kek: bool,
    pub(crate) renews_data_keys: bool,
    pub(crate) replaces_lost: bool,
}

impl Rotation {
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            rotates_kek: self.rotates_kek != 0,
            renews_data_keys: self.renews_data_keys != 0,
            replaces_lost: self.replaces_lost != 0,
        }
    }
}

macro_rules! columns {
    () => {
        "number, started_at, rotates_kek, kek_version, renews_data_keys, replaces_lost, rewrapped, resealed, \
         unreadable, closed_at, lease_epoch"
    };
}

impl Store {
    /// The rotation that was started last.
    pub(crate) async fn last_rotation(&self) -> Result<Option<Rotation>, DbError> {
        on_pool!(self.pool, |c| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM key_rotations ORDER BY number DESC LIMIT 1"
        ))
        .fetch_optional(c)
        .await)
    }

    /// Starts a rotation unless one is under way or another process was faster.
    pub(crate) async fn start_rotation(&self, wanted: Wanted, now: Micros) -> Result<(), DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
                "INSERT INTO key_rotations (number, started_at, rotates_kek, kek_version, renews_data_keys, \
                 replaces_lost, rewrapped, resealed, unreadable, lease_epoch, lease_expires_at) \
                 SELECT (SELECT COALESCE(max(number), 0) + 1 FROM key_rotations), $1, $2, 0, $3, $4, 0, 0, 0, 0, 0 \
                 WHERE NOT EXISTS (SELECT 1 FROM key_rotations WHERE closed_at IS NULL) ON CONFLICT DO NOTHING",
            )
            .bind(now)
            .bind(i64::from(wanted.rotates_kek))
            .bind(i64::from(wanted.renews_data_keys))
            .bind(i64::from(wanted.replaces_lost))
            .execute(c)
            .await
            .map(|_done| ())
        })
    }

    /// Takes the work on a rotation for this process; `false` when another has it.
    pub(crate) async fn take_rotation(
        &self,
        rotation: &Rotation,
        now: Micros,
        until: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE key_rotations SET lease_epoch = lease_epoch + 1, lease_expires_at = $4 \
             WHERE number = $1 AND lease_epoch = $2 AND lease_expires_at < $3 AND closed_at IS NULL"
        )
        .bind(rotation.number)
        .bind(rotation.lease_epoch)
        .bind(now)
        .bind(until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// Writes down how far it is and keeps the work until `until`; `false` when it is another's by now.
    pub(crate) async fn note_rotation(&self, rotation: &Rotation, until: Micros) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(
                "UPDATE key_rotations SET kek_version = $3, rewrapped = $4, resealed = $5, unreadable = $6, \
                 closed_at = $7, lease_expires_at = $8 \
                 WHERE number = $1 AND lease_epoch = $2 AND closed_at IS NULL",
            )
            .bind(rotation.number)
            .bind(rotation.lease_epoch)
            .bind(rotation.kek_version)
            .bind(rotation.rewrapped)
            .bind(rotation.resealed)
            .bind(rotation.unreadable)
            .bind(rotation.closed_at)
            .bind(until)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }
}
