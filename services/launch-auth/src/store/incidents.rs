//! Incidents: rows that say what was to be revoked and how far it is, so that a process that dies leaves nothing behind
//! that another cannot go on with.

use prost::Message as _;
use sallyport_db::{Error, on_pool, on_tx};
use sallyport_model::{Micros, TenantId};
use sallyport_proto::{
    launch::v1::IncidentScope,
    types::v1::{Selector, selector::By},
};
use uuid::Uuid;

use super::{Store, malformed};

/// The most incidents that are listed.
const LISTED: i64 = 100;

/// How often somebody else may close an incident between our two looks before we give up.
const ATTEMPTS: usize = 5;

/// A part of an incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) tenant: TenantId,
    pub(crate) by: By,
    pub(crate) is_done: bool,
    pub(crate) jobs_stopped: i64,
}

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incident {
    pub(crate) id: Uuid,
    pub(crate) scope: IncidentScope,
    pub(crate) operator: String,
    pub(crate) reason: String,
    pub(crate) opened_at: Micros,
    pub(crate) closed_at: Option<Micros>,
    pub(crate) report: String,
    /// In their order.
    pub(crate) targets: Vec<Target>,
}

#[derive(sqlx::FromRow)]
struct Row {
    incident_id: Uuid,
    scope: Vec<u8>,
    operator: String,
    reason: String,
    opened_at: Micros,
    closed_at: Option<Micros>,
    report: String,
}

#[derive(sqlx::FromRow)]
struct TargetRow {
    tenant: String,
    selector: Vec<u8>,
    is_done: bool,
    jobs_stopped: i64,
}

impl TryFrom<TargetRow> for Target {
    type Error = Error;

    fn try_from(row: TargetRow) -> Result<Self, Error> {
        let selector = Selector::decode(row.selector.as_slice()).map_err(|_bytes| malformed("selector"))?;
        Ok(Self {
            tenant: TenantId::parse(&row.tenant).map_err(|_alphabet| malformed("tenant"))?,
            by: selector.by.ok_or_else(|| malformed("selector"))?,
            is_done: row.is_done,
            jobs_stopped: row.jobs_stopped,
        })
    }
}

impl Row {
    fn with(self, targets: Vec<Target>) -> Result<Incident, Error> {
        Ok(Incident {
            id: self.incident_id,
            scope: IncidentScope::decode(self.scope.as_slice()).map_err(|_bytes| malformed("scope"))?,
            operator: self.operator,
            reason: self.reason,
            opened_at: self.opened_at,
            closed_at: self.closed_at,
            report: self.report,
            targets,
        })
    }
}

impl Store {
    /// Keeps a new incident with its targets, in one transaction; or gives the open one of the same scope. With whether
    /// it is new.
    pub(crate) async fn open_incident(&self, new: &Incident) -> Result<(Incident, bool), Error> {
        for _attempt in 0..ATTEMPTS {
            if self.insert_incident(new).await? {
                return Ok((new.clone(), true));
            }
            if let Some(open) = self.open_incident_of(&new.scope).await? {
                return Ok((open, false));
            }
            // Closed between the two: now nothing is open, and the next round opens it.
        }
        Err(malformed("incident_id"))
    }

    /// The open incident of a scope.
    async fn open_incident_of(&self, scope: &IncidentScope) -> Result<Option<Incident>, Error> {
        let open: Option<Uuid> = on_pool!(self.always, |c| sqlx::query_scalar(
            "SELECT incident_id FROM incidents WHERE scope = $1 AND closed_at IS NULL"
        )
        .bind(scope.encode_to_vec())
        .fetch_optional(c)
        .await)?;
        match open {
            Some(id) => self.incident(id).await,
            None => Ok(None),
        }
    }

    /// Whether a new incident was kept, with its targets: not when one of the same scope is open.
    async fn insert_incident(&self, new: &Incident) -> Result<bool, Error> {
        let mut tx = self.always.begin().await?;
        let rows = on_tx!(tx, |c| sqlx::query(
            "INSERT INTO incidents (incident_id, scope, operator, reason, opened_at, closed_at, report) \
             VALUES ($1, $2, $3, $4, $5, NULL, '') ON CONFLICT DO NOTHING"
        )
        .bind(new.id)
        .bind(new.scope.encode_to_vec())
        .bind(&new.operator)
        .bind(&new.reason)
        .bind(new.opened_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        if rows == 0 {
            return Ok(false);
        }
        for (position, target) in (0_i64..).zip(&new.targets) {
            let selector = Selector { by: Some(target.by.clone()) }.encode_to_vec();
            on_tx!(tx, |c| {
                sqlx::query(
                "INSERT INTO incident_targets (incident_id, position, tenant, selector, is_done, jobs_stopped) \
                 VALUES ($1, $2, $3, $4, FALSE, 0)"
            )
            .bind(new.id)
            .bind(position)
            .bind(target.tenant.as_str())
            .bind(selector.as_slice())
            .execute(c)
            .await
            .map(|_done| ())
            })?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// An incident.
    pub(crate) async fn incident(&self, id: Uuid) -> Result<Option<Incident>, Error> {
        let row: Option<Row> = on_pool!(self.always, |c| sqlx::query_as(
            "SELECT incident_id, scope, operator, reason, opened_at, closed_at, report FROM incidents \
             WHERE incident_id = $1"
        )
        .bind(id)
        .fetch_optional(c)
        .await)?;
        let Some(row) = row else { return Ok(None) };
        let targets: Vec<TargetRow> = on_pool!(self.always, |c| sqlx::query_as(
            "SELECT tenant, selector, is_done, jobs_stopped FROM incident_targets WHERE incident_id = $1 \
             ORDER BY position"
        )
        .bind(id)
        .fetch_all(c)
        .await)?;
        row.with(targets.into_iter().map(Target::try_from).collect::<Result<_, _>>()?).map(Some)
    }

    /// The newest incidents, without their targets.
    pub(crate) async fn incidents(&self) -> Result<Vec<Incident>, Error> {
        let rows: Vec<Row> = on_pool!(self.always, |c| sqlx::query_as(
            "SELECT incident_id, scope, operator, reason, opened_at, closed_at, report FROM incidents \
             ORDER BY opened_at DESC, incident_id DESC LIMIT $1"
        )
        .bind(LISTED)
        .fetch_all(c)
        .await)?;
        rows.into_iter().map(|row| row.with(Vec::new())).collect()
    }

    /// Nothing of a target is left here.
    pub(crate) async fn target_done(&self, incident: Uuid, position: i64) -> Result<(), Error> {
        on_pool!(self.always, |c| sqlx::query(
            "UPDATE incident_targets SET is_done = TRUE WHERE incident_id = $1 AND position = $2"
        )
        .bind(incident)
        .bind(position)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Keeps how many runs of a target were stopped. Told again, the larger number stays.
    pub(crate) async fn note_jobs(&self, incident: Uuid, position: i64, stopped: i64) -> Result<(), Error> {
        on_pool!(self.always, |c| sqlx::query(
            "UPDATE incident_targets SET jobs_stopped = $3 \
             WHERE incident_id = $1 AND position = $2 AND jobs_stopped < $3"
        )
        .bind(incident)
        .bind(position)
        .bind(stopped)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Closes an incident with its report; one that is closed stays as it is.
    pub(crate) async fn close_incident(
        &self,
        incident: Uuid,
        report: &str,
        now: Micros,
    ) -> Result<(), Error> {
        on_pool!(self.always, |c| sqlx::query(
            "UPDATE incidents SET closed_at = $2, report = $3 WHERE incident_id = $1 AND closed_at IS NULL"
        )
        .bind(incident)
        .bind(now)
        .bind(report)
        .execute(c)
        .await
        .map(|_done| ()))
    }
}
