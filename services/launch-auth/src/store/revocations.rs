//! The revocations table: a gapless sequence that other services tail.

use sallyport_db::{Error, Tx, on_pool, on_tx};
use sallyport_model::{LaunchId, Micros};
use sallyport_proto::{
    convert,
    types::v1::{RevocationEvent, revocation_event::What},
};
use uuid::Uuid;

use super::Store;

/// How many rows one read gives.
const PAGE: i64 = 500;

/// Appends within the transaction that ends the session. The head row is locked until the commit.
pub(super) async fn append(tx: &mut Tx, launch: LaunchId, now: Micros) -> Result<(), Error> {
    let sequence: i64 = on_tx!(*tx, |c| sqlx::query_scalar(
        "UPDATE revocation_head SET head = head + 1 WHERE id = 1 RETURNING head"
    )
    .fetch_one(c)
    .await)?;
    on_tx!(*tx, |c| sqlx::query(
        "INSERT INTO revocations (sequence, launch_id, created_at) VALUES ($1, $2, $3)"
    )
    .bind(sequence)
    .bind(launch.uuid())
    .bind(now)
    .execute(c)
    .await
    .map(|_done| ()))
}

impl Store {
    /// The highest sequence number committed.
    pub(crate) async fn revocation_head(&self) -> Result<i64, Error> {
        on_pool!(self.always, |c| sqlx::query_scalar("SELECT head FROM revocation_head WHERE id = 1")
            .fetch_one(c)
            .await)
    }

    /// The rows after `after`, and the highest number they cover. The head is read first: a row committed between the
    /// two reads waits for the next page.
    pub(crate) async fn revocations_after(&self, after: i64) -> Result<(Vec<RevocationEvent>, i64), Error> {
        let head = self.revocation_head().await?;
        if head <= after {
            return Ok((Vec::new(), head));
        }
        let rows: Vec<(i64, Uuid)> = on_pool!(self.always, |c| sqlx::query_as(
            "SELECT sequence, launch_id FROM revocations WHERE sequence > $1 AND sequence <= $2 \
             ORDER BY sequence LIMIT $3",
        )
        .bind(after)
        .bind(head)
        .bind(PAGE)
        .fetch_all(c)
        .await)?;
        let is_cut = i64::try_from(rows.len()).unwrap_or(PAGE) == PAGE;
        let covered = rows.last().map_or(head, |(last, _)| if is_cut { *last } else { head });
        let events = rows
            .into_iter()
            .map(|(sequence, id)| RevocationEvent {
                sequence,
                what: Some(What::Launch(convert::id_bytes(id))),
            })
            .collect();
        Ok((events, covered))
    }
}
