//! Looks at endpoints: snapshots, findings, what answers showed, whose turn it is.

use sallyport_db::{Error as DbError, on_pool, on_tx};
use sallyport_model::{EndpointId, Micros, TenantId};
use uuid::Uuid;

use super::Database;
use crate::domain::capability::{classify::Finding, diff::What};

/// Snapshots are kept for two months, findings that ended for thirteen.
const KEEP_SNAPSHOTS: Micros = 60 * 86_400_000_000;
const KEEP_FINDINGS: Micros = 400 * 86_400_000_000;
/// What nobody looked at for a month is no news.
const KEEP_OBSERVATIONS: Micros = 30 * 86_400_000_000;

/// A finding as it was kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct KeptFinding {
    pub(crate) area: String,
    pub(crate) subject: String,
    pub(crate) what: String,
    pub(crate) found_at: Micros,
    pub(crate) class: String,
    /// Ids, divided by spaces.
    pub(crate) features: String,
    pub(crate) before_value: String,
    pub(crate) after_value: String,
    pub(crate) last_found_at: Micros,
    pub(crate) ended_at: Option<Micros>,
}

const COLUMNS: &str = "SELECT area, subject, what, found_at, class, features, before_value, after_value, last_found_at, \
    ended_at FROM findings WHERE tenant = $1 AND endpoint = $2 ";

impl Database {
    /// The newest snapshot and when it was taken.
    pub(crate) async fn last_snapshot(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
    ) -> Result<Option<(Micros, String)>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT taken_at, body FROM snapshots WHERE tenant = $1 AND endpoint = $2 ORDER BY taken_at DESC LIMIT 1"
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .fetch_optional(c)
        .await
        })
    }

    /// Keeps a look, what it found, and forgets the observations that went into it. One transaction: what was counted once
    /// is not counted again.
    pub(crate) async fn keep_probe(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        at: Micros,
        body: &str,
        findings: &[Finding],
        seen: &[Uuid],
    ) -> Result<(), DbError> {
        let mut tx = self.pool.begin().await?;
        on_tx!(tx, |c| {
            sqlx::query(
                "INSERT INTO snapshots (tenant, endpoint, taken_at, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, endpoint, taken_at) DO UPDATE SET body = excluded.body",
            )
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .bind(at)
            .bind(body)
            .execute(c)
            .await
            .map(|_done| ())
        })?;
        for finding in findings {
            let is_standing = finding.change.what == What::Mismatch;
            let again = on_tx!(tx, |c| {
                sqlx::query(
                "UPDATE findings SET last_found_at = $1, class = $2, features = $3, before_value = $4, after_value = $5 \
                 WHERE tenant = $6 AND endpoint = $7 AND area = $8 AND subject = $9 AND what = $10 AND ended_at IS NULL"
            )
            .bind(at)
            .bind(finding.class.as_str())
            .bind(finding.features.join(" "))
            .bind(&finding.change.before)
            .bind(&finding.change.after)
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .bind(finding.change.area.as_str())
            .bind(&finding.change.subject)
            .bind(finding.change.what.as_str())
            .execute(c)
            .await
            .map(|done| done.rows_affected())
            })?;
            if again > 0 {
                continue;
            }
            on_tx!(tx, |c| {
                sqlx::query(
                "INSERT INTO findings (tenant, endpoint, area, subject, what, found_at, class, features, before_value, \
                 after_value, last_found_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $6, $11) \
                 ON CONFLICT DO NOTHING"
            )
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .bind(finding.change.area.as_str())
            .bind(&finding.change.subject)
            .bind(finding.change.what.as_str())
            .bind(at)
            .bind(finding.class.as_str())
            .bind(finding.features.join(" "))
            .bind(&finding.change.before)
            .bind(&finding.change.after)
            .bind((!is_standing).then_some(at))
            .execute(c)
            .await
            .map(|_done| ())
            })?;
        }
        // A mismatch that this look did not find is over.
        on_tx!(tx, |c| sqlx::query(
            "UPDATE findings SET ended_at = $1 WHERE tenant = $2 AND endpoint = $3 AND ended_at IS NULL \
             AND last_found_at < $1"
        )
        .bind(at)
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .execute(c)
        .await
        .map(|_done| ()))?;
        for id in seen {
            on_tx!(tx, |c| sqlx::query("DELETE FROM observations WHERE observation_id = $1")
                .bind(*id)
                .execute(c)
                .await
                .map(|_done| ()))?;
        }
        for (statement, before) in [
            (
                "DELETE FROM snapshots WHERE tenant = $1 AND endpoint = $2 AND taken_at < $3",
                at - KEEP_SNAPSHOTS,
            ),
            (
                "DELETE FROM findings WHERE tenant = $1 AND endpoint = $2 AND ended_at < $3",
                at - KEEP_FINDINGS,
            ),
            (
                "DELETE FROM observations WHERE tenant = $1 AND endpoint = $2 AND seen_at < $3",
                at - KEEP_OBSERVATIONS,
            ),
        ] {
            on_tx!(tx, |c| sqlx::query(statement)
                .bind(tenant.as_str())
                .bind(endpoint.as_str())
                .bind(before)
                .execute(c)
                .await
                .map(|_done| ()))?;
        }
        tx.commit().await
    }

    /// Findings of an endpoint: those that last, and those of the last while, newest first.
    pub(crate) async fn findings(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        since: Micros,
    ) -> Result<Vec<KeptFinding>, DbError> {
        let statement = format!(
            "{COLUMNS} AND (ended_at IS NULL OR last_found_at >= $3) ORDER BY last_found_at DESC, subject LIMIT 1000"
        );
        on_pool!(self.pool, |c| sqlx::query_as(sqlx::AssertSqlSafe(statement.as_str()))
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .bind(since)
            .fetch_all(c)
            .await)
    }

    /// Adds what a replica has seen.
    pub(crate) async fn add_observation(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        at: Micros,
        body: &str,
    ) -> Result<(), DbError> {
        let id = Uuid::from_bytes(sallyport_keyring::random::<16>());
        on_pool!(self.pool, |c| {
            sqlx::query(
            "INSERT INTO observations (observation_id, tenant, endpoint, seen_at, body) VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(id)
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(at)
        .bind(body)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// What all replicas have seen since the last look.
    pub(crate) async fn observations(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
    ) -> Result<Vec<(Uuid, String)>, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT observation_id, body FROM observations WHERE tenant = $1 AND endpoint = $2 ORDER BY seen_at LIMIT 10000"
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .fetch_all(c)
        .await
        })
    }

    /// Takes an endpoint's turn if it has come: then the next one is at `next`. An endpoint that is new waits for `next`.
    pub(crate) async fn claim_probe(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        now: Micros,
        next: Micros,
    ) -> Result<bool, DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "INSERT INTO probe_turns (tenant, endpoint, next_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(next)
        .execute(c)
        .await
        .map(|_done| ()))?;
        let rows = on_pool!(self.pool, |c| sqlx::query(
            "UPDATE probe_turns SET next_at = $3 WHERE tenant = $1 AND endpoint = $2 AND next_at <= $4"
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(next)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sallyport_db::testing;
    use sallyport_model::TestClock;

    use super::*;
    use crate::{
        domain::capability::{classify::Class, diff::Change, snapshot::Area},
        store::MIGRATIONS,
    };

    fn place() -> (TenantId, EndpointId) {
        (TenantId::parse("general").unwrap(), EndpointId::parse("main").unwrap())
    }

    fn finding(subject: &str, what: What) -> Finding {
        let change = Change {
            area: Area::Statement,
            subject: subject.to_owned(),
            what,
            before: "a".to_owned(),
            after: "b".to_owned(),
        };
        Finding { change, class: Class::Loses, features: vec!["one".to_owned(), "two".to_owned()] }
    }

    #[tokio::test]
    async fn a_mismatch_lasts_until_a_look_does_not_find_it_and_a_change_is_told_once() {
        testing::each(MIGRATIONS, |pool| async move {
            let (store, (tenant, endpoint)) = (Database::new(pool, Arc::new(TestClock::at(1))), place());
            let both = [finding("version", What::Mismatch), finding("Condition read", What::Removed)];
            store.keep_probe(&tenant, &endpoint, 1_000, "{}", &both, &[]).await.unwrap();
            store.keep_probe(&tenant, &endpoint, 2_000, "{}", &both[..1], &[]).await.unwrap();
            let found = store.findings(&tenant, &endpoint, 1_500).await.unwrap();
            let told: Vec<_> =
                found.iter().map(|f| (f.subject.as_str(), f.found_at, f.last_found_at, f.ended_at)).collect();
            assert_eq!(told, [("version", 1_000, 2_000, None)]);
            assert_eq!(found[0].features, "one two");
            assert_eq!(store.findings(&tenant, &endpoint, 0).await.unwrap().len(), 2);
            store.keep_probe(&tenant, &endpoint, 3_000, "{\"x\":{}}", &[], &[]).await.unwrap();
            let found = store.findings(&tenant, &endpoint, 0).await.unwrap();
            assert!(found.iter().all(|f| f.ended_at.is_some()), "{found:?}");
            let last = store.last_snapshot(&tenant, &endpoint).await.unwrap();
            assert_eq!(last, Some((3_000, "{\"x\":{}}".to_owned())));
            let other = EndpointId::parse("other").unwrap();
            assert!(store.findings(&tenant, &other, 0).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn what_replicas_saw_is_counted_once() {
        testing::each(MIGRATIONS, |pool| async move {
            let (store, (tenant, endpoint)) = (Database::new(pool, Arc::new(TestClock::at(1))), place());
            for body in ["1", "2"] {
                store.add_observation(&tenant, &endpoint, 5, body).await.unwrap();
            }
            let rows = store.observations(&tenant, &endpoint).await.unwrap();
            let mut bodies: Vec<_> = rows.iter().map(|(_, body)| body.as_str()).collect();
            bodies.sort_unstable();
            assert_eq!(bodies, ["1", "2"]);
            store.keep_probe(&tenant, &endpoint, 6, "{}", &[], &[rows[0].0]).await.unwrap();
            let left = store.observations(&tenant, &endpoint).await.unwrap();
            assert_eq!(left, rows[1..]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_night_is_one_replicas() {
        testing::each(MIGRATIONS, |pool| async move {
            let (store, (tenant, endpoint)) = (Database::new(pool, Arc::new(TestClock::at(1))), place());
            let claim = |now, next| store.claim_probe(&tenant, &endpoint, now, next);
            assert!(!claim(10, 100).await.unwrap(), "an endpoint that is new waits for its night");
            assert!(!claim(99, 100).await.unwrap());
            assert!(claim(100, 200).await.unwrap());
            assert!(!claim(101, 200).await.unwrap(), "another replica took the turn");
        })
        .await;
    }
}
