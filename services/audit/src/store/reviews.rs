//! Reviews, kept for good.

use sallyport_db::{Error, on_pool};
use sallyport_proto::{audit::v1::Review, convert};
use uuid::Uuid;

use super::Store;

/// The most reviews that are listed.
const LISTED: i64 = 200;

#[derive(sqlx::FromRow)]
struct Row {
    review_id: Uuid,
    reviewer: String,
    reviewed_at: i64,
    filter: String,
    period_from: i64,
    period_until: i64,
    records: i64,
    finding: String,
}

impl Store {
    /// Keeps a review.
    pub(crate) async fn keep_review(&self, tenant: &str, review: &Review) -> Result<(), Error> {
        let id = Uuid::from_slice(&review.review_id).unwrap_or_default();
        on_pool!(self.pool, |c| {
            sqlx::query(
            "INSERT INTO reviews (tenant, review_id, reviewer, reviewed_at, filter, period_from, period_until, \
             records, finding) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(tenant)
        .bind(id)
        .bind(&review.reviewer)
        .bind(review.reviewed_at)
        .bind(&review.filter)
        .bind(review.from)
        .bind(review.until)
        .bind(i64::from(review.records))
        .bind(&review.finding)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// The newest reviews of a tenant.
    pub(crate) async fn reviews(&self, tenant: &str) -> Result<Vec<Review>, Error> {
        let rows: Vec<Row> = on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT review_id, reviewer, reviewed_at, filter, period_from, period_until, records, finding \
             FROM reviews WHERE tenant = $1 ORDER BY reviewed_at DESC, review_id DESC LIMIT $2"
        )
        .bind(tenant)
        .bind(LISTED)
        .fetch_all(c)
        .await
        })?;
        let review = |row: Row| Review {
            review_id: convert::id_bytes(row.review_id),
            reviewer: row.reviewer,
            reviewed_at: row.reviewed_at,
            filter: row.filter,
            from: row.period_from,
            until: row.period_until,
            records: i32::try_from(row.records).unwrap_or(i32::MAX),
            finding: row.finding,
        };
        Ok(rows.into_iter().map(review).collect())
    }
}
