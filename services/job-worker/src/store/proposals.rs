//! What jobs propose, and what became of it: one row for each patient, rule and occasion.

mod row;
mod unfinished;

use sallyport_db::{Error as DbError, Tx, on_pool, on_tx};
use sallyport_model::Micros;
use uuid::Uuid;

use super::Store;
use crate::sealing::Sealed;

use row::Row;
pub(crate) use row::{NewProposal, Proposal, State};
pub(crate) use unfinished::{End, Unfinished};

/// When a row was last touched: later each time, whatever the clock says, so that it names one state of the row.
macro_rules! touched {
    ($now:literal) => {
        concat!("updated_at = CASE WHEN updated_at >= ", $now, " THEN updated_at + 1 ELSE ", $now, " END")
    };
}
use touched;

/// What of an occasion is known: its id, state and content.
#[derive(sqlx::FromRow)]
struct Known {
    proposal_id: Uuid,
    state: String,
    outcome: String,
    content: Vec<u8>,
    expires_at: Micros,
}

/// The outcome of a proposal that a person withdrew, rather than a scan whose rule no longer held.
pub(super) const TAKEN_BACK: &str = "taken-back";

impl Known {
    /// Whether a person has withdrawn just this, and it would still wait for somebody had they not.
    fn is_taken_back(&self, content: &[u8], now: Micros) -> bool {
        self.state == State::Withdrawn.as_str()
            && self.outcome == TAKEN_BACK
            && self.content == content
            && self.expires_at > now
    }
}

/// What came of proposing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is new, or says something else than before.
    Proposed(Uuid),
    /// It is there already, was decided, or a person has withdrawn it.
    Known,
}

/// Proposes: a new row, a fresh content for one that nobody has decided on, or nothing where somebody has, or has withdrawn
/// the same. `seal` gets the id
/// under which the row stands.
pub(crate) async fn propose(
    tx: &mut Tx,
    new: &NewProposal<'_>,
    seal: impl FnOnce(Uuid) -> Sealed,
    now: Micros,
) -> Result<Made, DbError> {
    let known: Option<Known> = on_tx!(*tx, |c| sqlx::query_as(
        "SELECT proposal_id, state, outcome, content, expires_at FROM proposals \
         WHERE tenant = $1 AND endpoint = $2 AND job = $3 AND subject = $4 AND occasion = $5"
    )
    .bind(new.tenant)
    .bind(new.endpoint)
    .bind(new.job)
    .bind(&new.subject[..])
    .bind(new.occasion)
    .fetch_optional(c)
    .await)?;
    let Some(known) = known else {
        let sealed = seal(new.id);
        insert(tx, new, &sealed, now).await?;
        return Ok(Made::Proposed(new.id));
    };
    let is_undecided =
        matches!(State::parse(&known.state), Some(State::Open | State::Expired | State::Withdrawn));
    if !is_undecided || known.is_taken_back(&new.content, now) {
        return Ok(Made::Known);
    }
    let is_the_same = known.state == State::Open.as_str() && known.content == new.content;
    let sealed = seal(known.proposal_id);
    on_tx!(*tx, |c| {
        sqlx::query(
        "UPDATE proposals SET run_id = $2, resource_type = $3, base_version = $4, content = $5, sealed = $6, \
         data_key_id = $7, state = 'open', updated_at = $8, expires_at = $9, \
         outcome = CASE WHEN content = $5 AND outcome <> $10 THEN outcome ELSE '' END, \
         code = CASE WHEN content = $5 THEN code ELSE '' END \
         WHERE proposal_id = $1 AND state IN ('open', 'expired', 'withdrawn')"
    )
    .bind(known.proposal_id)
    .bind(new.run.uuid())
    .bind(new.resource_type)
    .bind(new.base_version)
    .bind(&new.content[..])
    .bind(&sealed.bytes)
    .bind(sealed.data_key)
    .bind(now)
    .bind(new.expires_at)
    .bind(TAKEN_BACK)
    .execute(c)
    .await
    .map(|_done| ())
    })?;
    Ok(if is_the_same { Made::Known } else { Made::Proposed(known.proposal_id) })
}

async fn insert(tx: &mut Tx, new: &NewProposal<'_>, sealed: &Sealed, now: Micros) -> Result<(), DbError> {
    on_tx!(*tx, |c| {
        sqlx::query(
        "INSERT INTO proposals (proposal_id, tenant, endpoint, job, run_id, subject, rule, occasion, resource_type, \
         base_version, content, sealed, data_key_id, state, outcome, code, decided_at, created_at, updated_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open', '', '', 0, $14, $14, $15)"
    )
    .bind(new.id)
    .bind(new.tenant)
    .bind(new.endpoint)
    .bind(new.job)
    .bind(new.run.uuid())
    .bind(&new.subject[..])
    .bind(new.rule)
    .bind(new.occasion)
    .bind(new.resource_type)
    .bind(new.base_version)
    .bind(&new.content[..])
    .bind(&sealed.bytes)
    .bind(sealed.data_key)
    .bind(now)
    .bind(new.expires_at)
    .execute(c)
    .await
    .map(|_done| ())
    })
}

/// Withdraws what is open of a patient where the rule is none of those that may still hold. Gives their ids.
pub(crate) async fn withdraw(
    tx: &mut Tx,
    (tenant, endpoint, job): (&str, &str, &str),
    subject: &[u8; 32],
    still: &[&str],
    now: Micros,
) -> Result<Vec<Uuid>, DbError> {
    let open: Vec<(Uuid, String)> = on_tx!(*tx, |c| sqlx::query_as(
        "SELECT proposal_id, rule FROM proposals \
         WHERE tenant = $1 AND endpoint = $2 AND job = $3 AND subject = $4 AND state = 'open'"
    )
    .bind(tenant)
    .bind(endpoint)
    .bind(job)
    .bind(&subject[..])
    .fetch_all(c)
    .await)?;
    let mut withdrawn = Vec::new();
    for (id, _) in open.into_iter().filter(|(_, rule)| !still.contains(&rule.as_str())) {
        let rows = on_tx!(*tx, |c| {
            sqlx::query(
            "UPDATE proposals SET state = 'withdrawn', updated_at = $2 WHERE proposal_id = $1 AND state = 'open'"
        )
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        if rows == 1 {
            withdrawn.push(id);
        }
    }
    Ok(withdrawn)
}

impl Store {
    /// What is kept of proposals about a patient at an endpoint, the newest first.
    pub(crate) async fn proposals_about(
        &self,
        (tenant, endpoint): (&str, &str),
        subject: &[u8; 32],
        now: Micros,
    ) -> Result<Vec<Proposal>, DbError> {
        self.expire_proposals(now).await?;
        let rows: Vec<Row> = on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT proposal_id, job, run_id, rule, resource_type, base_version, sealed, data_key_id, state, outcome, code, \
             decision_sealed, decision_key_id, result_sealed, result_key_id, decided_at, created_at, expires_at \
             FROM proposals WHERE tenant = $1 AND endpoint = $2 AND subject = $3 ORDER BY created_at DESC, proposal_id LIMIT 200"
        )
        .bind(tenant)
        .bind(endpoint)
        .bind(&subject[..])
        .fetch_all(c)
        .await
        })?;
        Ok(rows.into_iter().filter_map(Row::read).collect())
    }

    /// A person's decision, on a proposal that is open and says what was shown. `false` when it is not.
    pub(crate) async fn decide(
        &self,
        proposal: &Proposal,
        to: State,
        decision: &Sealed,
        now: Micros,
    ) -> Result<bool, DbError> {
        let rows = on_pool!(self.pool, |c| {
            sqlx::query(concat!(
            "UPDATE proposals SET state = $2, outcome = '', code = '', decision_sealed = $3, decision_key_id = $4, decided_at = $5, ",
            touched!("$5"),
            " WHERE proposal_id = $1 AND state = 'open' AND expires_at > $5 AND sealed = $6"
        ))
        .bind(proposal.id)
        .bind(to.as_str())
        .bind(&decision.bytes)
        .bind(decision.data_key)
        .bind(now)
        .bind(&proposal.sealed.bytes)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Ends what nobody decided on in time. Gives how many.
    pub(crate) async fn expire_proposals(&self, now: Micros) -> Result<u64, DbError> {
        on_pool!(self.pool, |c| {
            sqlx::query(
            "UPDATE proposals SET state = 'expired', updated_at = $1 WHERE state = 'open' AND expires_at <= $1"
        )
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
        })
    }

    /// Removes what is over and was not touched since. What was approved and is not known to be written stays.
    pub(crate) async fn prune_proposals(&self, before: Micros) -> Result<u64, DbError> {
        on_pool!(self.pool, |c| sqlx::query(
            "DELETE FROM proposals WHERE state <> 'open' AND updated_at < $1 \
             AND (state <> 'approved' OR outcome = 'applied')"
        )
        .bind(before)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    }

    /// Removes proposals of a tenant, or of one patient of it. Gives how many.
    pub(crate) async fn erase_proposals(
        &self,
        tenant: &str,
        subject: Option<&[u8; 32]>,
    ) -> Result<u64, DbError> {
        let subject = subject.map(|subject| subject.to_vec());
        on_pool!(self.pool, |c| sqlx::query(
            "DELETE FROM proposals WHERE tenant = $1 AND ($2 IS NULL OR subject = $2)"
        )
        .bind(tenant)
        .bind(subject)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    }

    /// How many there are of each job, rule, state, outcome and code: of a tenant, or of all.
    pub(crate) async fn proposal_counts(
        &self,
        tenant: &str,
        now: Micros,
    ) -> Result<Vec<ProposalCount>, DbError> {
        self.expire_proposals(now).await?;
        on_pool!(self.pool, |c| {
            sqlx::query_as(
            "SELECT tenant, job, rule, state, outcome, code, count(*) AS number FROM proposals WHERE $1 = '' OR tenant = $1 \
             GROUP BY tenant, job, rule, state, outcome, code ORDER BY tenant, job, rule, state, outcome, code"
        )
        .bind(tenant)
        .fetch_all(c)
        .await
        })
    }
}

/// How many.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct ProposalCount {
    pub(crate) tenant: String,
    pub(crate) job: String,
    pub(crate) rule: String,
    pub(crate) state: String,
    pub(crate) outcome: String,
    pub(crate) code: String,
    pub(crate) number: i64,
}
