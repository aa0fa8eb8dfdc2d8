//! Reading the log: by any combination of filters, and counted.

use sallyport_db::{Error, on_pool};
use uuid::Uuid;

use super::Store;

/// What to look for. Set members must all match; the domain refuses a filter with none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) tenant: String,
    /// For each person asked for, the subjects that may be that person; an empty list matches nothing.
    pub(crate) people: Vec<Vec<Uuid>>,
    pub(crate) launch: Option<Uuid>,
    pub(crate) run: Option<Uuid>,
    pub(crate) record: Option<Uuid>,
    pub(crate) kind: Option<i32>,
    pub(crate) outcome: Option<i32>,
    pub(crate) endpoint: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    /// Only what disclosed data, or may have: see [`DISCLOSED`].
    pub(crate) only_disclosed: bool,
    /// The newest first; `after` is then the last one of the page before too.
    pub(crate) newest_first: bool,
    pub(crate) after: Option<After>,
    pub(crate) limit: i64,
}

/// The place of the last record of the page before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct After {
    pub(crate) recorded_at: i64,
    pub(crate) record: Uuid,
    pub(crate) phase: i32,
}

/// FHIR calls that released something or changed something, and calls that were allowed and whose end nobody recorded.
const DISCLOSED: &str = " AND r.kind = 7 AND ((r.phase <> 1 AND (r.released > 0 OR (r.outcome = 2 AND \
     r.interaction IN ('create', 'update', 'patch', 'delete')))) OR (r.phase = 1 AND NOT EXISTS (SELECT 1 FROM records o \
     WHERE o.tenant = r.tenant AND o.record_id = r.record_id AND o.phase = 2)))";

/// endpoint, kind, resource types, outcome, code, upstream status, count.
pub(crate) type ActivityRow = (String, i32, String, i32, String, i32, i64);

/// kind, phase, interaction, resource types, outcome, count.
pub(crate) type CountRow = (i32, i32, String, String, i32, i64);

/// Statement text with numbered marks in the order in which values are bound.
struct Text {
    sql: String,
    marks: usize,
}

impl Text {
    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("${}", self.marks)
    }

    fn and(&mut self, condition: &str) {
        let mark = self.mark();
        self.sql.push_str(&format!(" AND {condition} {mark}"));
    }
}

impl Store {
    /// Stored bytes of the records that match, in the order asked for.
    pub(crate) async fn find(&self, filter: &Filter) -> Result<Vec<Vec<u8>>, Error> {
        if filter.people.iter().any(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let text = statement(filter);
        on_pool!(self.pool, |c| {
            let mut query =
                sqlx::query_scalar(sqlx::AssertSqlSafe(text.clone())).bind(filter.tenant.as_str());
            for id in filter.people.iter().flatten() {
                query = query.bind(*id);
            }
            for id in [filter.launch, filter.run, filter.record].into_iter().flatten() {
                query = query.bind(id);
            }
            for number in [filter.kind, filter.outcome].into_iter().flatten() {
                query = query.bind(number);
            }
            if let Some(endpoint) = &filter.endpoint {
                query = query.bind(endpoint.as_str());
            }
            if let Some(trace) = &filter.trace {
                query = query.bind(trace.as_str());
            }
            for instant in [filter.from, filter.until].into_iter().flatten() {
                query = query.bind(instant);
            }
            if let Some(after) = filter.after {
                query = query.bind(after.recorded_at).bind(after.record).bind(after.phase);
            }
            query.bind(filter.limit).fetch_all(c).await
        })
    }

    /// When that record says it happened.
    pub(crate) async fn recorded_at(
        &self,
        tenant: &str,
        record: Uuid,
        phase: i32,
    ) -> Result<Option<i64>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_scalar(
                "SELECT recorded_at FROM records WHERE tenant = $1 AND record_id = $2 AND phase = $3",
            )
            .bind(tenant)
            .bind(record)
            .bind(phase)
            .fetch_optional(c)
            .await
        })
    }

    /// What ended in `[from, until)`: calls, and what is no call, counted.
    pub(crate) async fn activity(
        &self,
        tenant: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<ActivityRow>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
                "SELECT endpoint, kind, resource_types, outcome, code, upstream_status, COUNT(*) FROM records \
                 WHERE tenant = $1 AND recorded_at >= $2 AND recorded_at < $3 AND phase <> 1 \
                 GROUP BY endpoint, kind, resource_types, outcome, code, upstream_status",
            )
            .bind(tenant)
            .bind(from)
            .bind(until)
            .fetch_all(c)
            .await
        })
    }

    /// Counts of a tenant's records in `[from, until)`.
    pub(crate) async fn counts(&self, tenant: &str, from: i64, until: i64) -> Result<Vec<CountRow>, Error> {
        on_pool!(self.pool, |c| {
            sqlx::query_as(
                "SELECT kind, phase, interaction, resource_types, outcome, COUNT(*) FROM records \
                 WHERE tenant = $1 AND recorded_at >= $2 AND recorded_at < $3 \
                 GROUP BY kind, phase, interaction, resource_types, outcome",
            )
            .bind(tenant)
            .bind(from)
            .bind(until)
            .fetch_all(c)
            .await
        })
    }
}

fn statement(filter: &Filter) -> String {
    let mut text = Text { sql: "SELECT r.sealed FROM records r WHERE".to_owned(), marks: 0 };
    let tenant = text.mark();
    text.sql.push_str(&format!(" r.tenant = {tenant}"));
    for subjects in &filter.people {
        let marks: Vec<_> = subjects.iter().map(|_| text.mark()).collect();
        text.sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM record_subjects s WHERE s.tenant = r.tenant AND s.record_id = r.record_id \
             AND s.phase = r.phase AND s.subject_id IN ({}))",
            marks.join(", ")
        ));
    }
    for (is_set, condition) in [
        (filter.launch.is_some(), "r.launch_id ="),
        (filter.run.is_some(), "r.run_id ="),
        (filter.record.is_some(), "r.record_id ="),
        (filter.kind.is_some(), "r.kind ="),
        (filter.outcome.is_some(), "r.outcome ="),
        (filter.endpoint.is_some(), "r.endpoint ="),
    ] {
        if is_set {
            text.and(condition);
        }
    }
    if filter.trace.is_some() {
        text.and("r.trace_id =");
    }
    if filter.from.is_some() {
        text.and("r.recorded_at >=");
    }
    if filter.until.is_some() {
        text.and("r.recorded_at <");
    }
    if filter.only_disclosed {
        text.sql.push_str(DISCLOSED);
    }
    let (beyond, order) = if filter.newest_first { ("<", " DESC") } else { (">", "") };
    if filter.after.is_some() {
        let (time, record, phase) = (text.mark(), text.mark(), text.mark());
        text.sql.push_str(&format!(
            " AND (r.recorded_at, r.record_id, r.phase) {beyond} ({time}, {record}, {phase})"
        ));
    }
    let limit = text.mark();
    text.sql.push_str(&format!(
        " ORDER BY r.recorded_at{order}, r.record_id{order}, r.phase{order} LIMIT {limit}"
    ));
    text.sql
}

#[cfg(test)]
mod tests {
    use sallyport_proto::audit::v1::{Kind, Outcome, Phase};

    use super::*;

    #[test]
    fn the_numbers_in_the_statement_are_those_of_the_records() {
        let (call, success) = (Kind::FhirCall as i32, Outcome::Success as i32);
        assert_eq!((call, success, Phase::Intent as i32, Phase::Outcome as i32), (7, 2, 1, 2));
    }

    #[test]
    fn marks_are_numbered_in_the_order_of_binding() {
        let filter = Filter {
            people: vec![vec![Uuid::nil(), Uuid::nil()], vec![Uuid::nil()]],
            launch: Some(Uuid::nil()),
            run: Some(Uuid::nil()),
            record: Some(Uuid::nil()),
            kind: Some(7),
            outcome: Some(2),
            endpoint: Some(String::new()),
            trace: Some(String::new()),
            from: Some(1),
            until: Some(2),
            only_disclosed: true,
            after: Some(After { recorded_at: 1, record: Uuid::nil(), phase: 1 }),
            ..Filter::default()
        };
        let sql = statement(&filter);
        let marks: Vec<usize> = sql
            .split('$')
            .skip(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap())
            .collect();
        assert!(sql.contains(DISCLOSED));
        assert_eq!(marks, (1..=17).collect::<Vec<_>>(), "{sql}");
    }
}
