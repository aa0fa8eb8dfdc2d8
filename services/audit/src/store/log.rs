//! The log's own tables: heads, tiles, checkpoints, and the records as leaves.

use sallyport_audit_proof::{Tile, TileId, Tree};
use sallyport_db::{Error, Tx, on_pool, on_tx};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Store,
    bulk::{marks, rows, rows_per_statement},
};

/// A head as stored: size and edge.
pub(crate) type Head = (i64, Vec<u8>);

/// A record that has no place in the log yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Homeless {
    pub(crate) record_id: Uuid,
    pub(crate) phase: i32,
}

impl Store {
    /// The tenant's head, locked until the transaction ends; begun when there is none.
    pub(crate) async fn lock_head(tx: &mut Tx, tenant: &str) -> Result<Head, Error> {
        // A SQLite transaction has the only pen already.
        let text = tx.sql(
            "SELECT size, edge FROM log_heads WHERE tenant = $1 FOR UPDATE",
            "SELECT size, edge FROM log_heads WHERE tenant = $1",
        );
        let found: Option<Head> = on_tx!(*tx, |c| sqlx::query_as(text).bind(tenant).fetch_optional(c).await)?;
        if let Some(head) = found {
            return Ok(head);
        }
        on_tx!(*tx, |c| {
            sqlx::query(
                "INSERT INTO log_heads (tenant, size, edge) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING",
            )
            .bind(tenant)
            .bind(Vec::<u8>::new())
            .execute(c)
            .await
            .map(|_done| ())
        })?;
        // Another replica may have begun it at this moment, and gone on.
        on_tx!(*tx, |c| sqlx::query_as(text).bind(tenant).fetch_one(c).await)
    }

    /// Keeps what the tree became, and the tiles that are complete now. A tile that is there already was left by a head
    /// that somebody turned back: it stays, so that no record is lost over it, and the next checkpoint is refused.
    pub(crate) async fn save_head(
        tx: &mut Tx,
        tenant: &str,
        tree: &Tree,
        completed: &[Tile],
    ) -> Result<(), Error> {
        let size = number(tree.size());
        on_tx!(*tx, |c| {
            sqlx::query("UPDATE log_heads SET size = $2, edge = $3 WHERE tenant = $1")
                .bind(tenant)
                .bind(size)
                .bind(tree.to_bytes())
                .execute(c)
                .await
                .map(|_done| ())
        })?;
        for some in completed.chunks(rows_per_statement(4)) {
            let text = format!(
                "INSERT INTO log_tiles (tenant, level, tile_index, hashes) VALUES {} ON CONFLICT DO NOTHING",
                rows(0, some.len(), 4)
            );
            on_tx!(*tx, |c| {
                let mut query = sqlx::query(AssertSqlSafe(text.clone()));
                for tile in some {
                    query = query
                        .bind(tenant)
                        .bind(level(tile.id))
                        .bind(number(tile.id.index))
                        .bind(tile.to_bytes());
                }
                query.execute(c).await.map(|_done| ())
            })?;
        }
        Ok(())
    }

    /// The tenant's head.
    pub(crate) async fn head(&self, tenant: &str) -> Result<Option<Head>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as("SELECT size, edge FROM log_heads WHERE tenant = $1")
                .bind(tenant)
                .fetch_optional(c)
                .await
        })
    }

    /// Every log with its size, cheap enough for every second.
    pub(crate) async fn log_sizes(&self) -> Result<Vec<(String, i64)>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as("SELECT tenant, size FROM log_heads ORDER BY tenant").fetch_all(c).await
        })
    }

    /// How many records a tenant's log has by its head, and how many the database has, both of one moment. The count
    /// goes over all of them.
    pub(crate) async fn log_figures(&self, tenant: &str) -> Result<Option<(i64, i64)>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
                "SELECT h.size, (SELECT COUNT(*) FROM records r WHERE r.tenant = h.tenant) FROM log_heads h \
                 WHERE h.tenant = $1",
            )
            .bind(tenant)
            .fetch_optional(c)
            .await
        })
    }

    /// Of these tiles, those that are kept.
    pub(crate) async fn tiles(&self, tenant: &str, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, Error> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(rows_per_statement(2)) {
            let text = format!(
                "SELECT level, tile_index, hashes FROM log_tiles WHERE tenant = $1 AND (level, tile_index) IN ({})",
                rows(1, some.len(), 2)
            );
            // SQLite compares rows with a list of rows by VALUES alone.
            let text = match self.pool.handle() {
                sallyport_db::Handle::Sqlite(_) => text.replace("IN (", "IN (VALUES "),
                sallyport_db::Handle::Postgres(_) => text,
            };
            let rows: Vec<(i32, i64, Vec<u8>)> = on_pool!(self.pool, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text.clone())).bind(tenant);
                for id in some {
                    query = query.bind(level(*id)).bind(number(id.index));
                }
                query.fetch_all(c).await
            })?;
            found.extend(rows.into_iter().filter_map(|(level, index, hashes)| {
                let id = TileId { level: u32::try_from(level).ok()?, index: u64::try_from(index).ok()? };
                Some((id, hashes))
            }));
        }
        Ok(found)
    }

    /// Keeps a checkpoint that was published; one of that size stays.
    pub(crate) async fn keep_checkpoint(
        &self,
        tenant: &str,
        size: u64,
        note: &str,
        now: i64,
    ) -> Result<(), Error> {
        on_pool!(self.pool, |c| {
            sqlx::query(
                "INSERT INTO log_checkpoints (tenant, size, signed_at, note) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(tenant)
            .bind(number(size))
            .bind(now)
            .bind(note)
            .execute(c)
            .await
            .map(|_done| ())
        })
    }

    /// The newest checkpoints, newest first: size, time, note.
    pub(crate) async fn checkpoints(
        &self,
        tenant: &str,
        limit: i64,
    ) -> Result<Vec<(i64, i64, String)>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
                "SELECT size, signed_at, note FROM log_checkpoints WHERE tenant = $1 ORDER BY size DESC LIMIT $2",
            )
            .bind(tenant)
            .bind(limit)
            .fetch_all(c)
            .await
        })
    }

    /// Places in spools whose records are in quarantine instead of a log.
    pub(crate) async fn quarantined_places(&self, limit: i64) -> Result<Vec<(Uuid, i64)>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
                "SELECT spool_id, spool_sequence FROM quarantine WHERE spool_id IS NOT NULL \
                 AND spool_sequence IS NOT NULL ORDER BY spool_id, spool_sequence LIMIT $1",
            )
            .bind(limit)
            .fetch_all(c)
            .await
        })
    }

    /// The tenant's records without a place in the log, the oldest first.
    pub(crate) async fn homeless(tx: &mut Tx, tenant: &str, limit: i64) -> Result<Vec<Homeless>, Error> {
        on_tx!(*tx, |c| {
            sqlx::query_as(
                "SELECT r.record_id, r.phase FROM records r WHERE r.tenant = $1 AND r.log_index IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM log_adopted a WHERE a.tenant = r.tenant \
                 AND a.record_id = r.record_id AND a.phase = r.phase) \
                 ORDER BY r.stored_at, r.spool_id, r.spool_sequence LIMIT $2",
            )
            .bind(tenant)
            .bind(limit)
            .fetch_all(c)
            .await
        })
    }

    /// Gives records their places.
    pub(crate) async fn adopt(
        tx: &mut Tx,
        tenant: &str,
        first: u64,
        some: &[Homeless],
        now: i64,
    ) -> Result<(), Error> {
        let text = format!(
            "INSERT INTO log_adopted (tenant, log_index, record_id, phase, adopted_at) VALUES {}",
            rows(0, some.len(), 5)
        );
        on_tx!(*tx, |c| {
            let mut query = sqlx::query(AssertSqlSafe(text.clone()));
            for (index, one) in (first..).zip(some) {
                query = query.bind(tenant).bind(number(index)).bind(one.record_id).bind(one.phase).bind(now);
            }
            query.execute(c).await.map(|_done| ())
        })
    }

    /// Where a record is in the log.
    pub(crate) async fn place_of(
        &self,
        tenant: &str,
        record: Uuid,
        phase: i32,
    ) -> Result<Option<i64>, Error> {
        let place: Option<Option<i64>> = on_pool!(self.pool, |c| {
            sqlx::query_scalar(
                "SELECT COALESCE(r.log_index, (SELECT a.log_index FROM log_adopted a WHERE a.tenant = r.tenant \
                 AND a.record_id = r.record_id AND a.phase = r.phase)) \
                 FROM records r WHERE r.tenant = $1 AND r.record_id = $2 AND r.phase = $3",
            )
            .bind(tenant)
            .bind(record)
            .bind(phase)
            .fetch_optional(c)
            .await
        })?;
        Ok(place.flatten())
    }

    /// Whom those records are filed under: record, phase, subject, time.
    pub(super) async fn filed_under(
        &self,
        tenant: &str,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, i32, Uuid, i64)>, Error> {
        let mut found = Vec::new();
        for ids in ids.chunks(rows_per_statement(1)) {
            let text = format!(
                "SELECT record_id, phase, subject_id, recorded_at FROM record_subjects \
                 WHERE tenant = $1 AND record_id IN ({})",
                marks(1, ids.len())
            );
            let some: Vec<(Uuid, i32, Uuid, i64)> = on_pool!(self.pool, |c| {
                let mut query = sqlx::query_as(AssertSqlSafe(text.clone())).bind(tenant);
                for id in ids {
                    query = query.bind(*id);
                }
                query.fetch_all(c).await
            })?;
            found.extend(some);
        }
        Ok(found)
    }
}

/// As the database counts. A log never reaches the end of these numbers.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn level(tile: TileId) -> i32 {
    i32::try_from(tile.level).unwrap_or(i32::MAX)
}
