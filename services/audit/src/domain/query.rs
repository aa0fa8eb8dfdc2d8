//! Reading the log. Nothing is shown before it is recorded that it was read, by whom and why.

use std::collections::HashMap;

use prost::Message as _;
use sallyport_model::{TenantId, code::Kind as CodeKind};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Phase, QueryRequest, QueryResponse, Record},
    convert,
};
use uuid::Uuid;

use super::{
    Domain,
    people::{Person, open_subject},
};
use crate::{
    Error,
    sealed_form::{Closed, Subject},
    store::{After, Filter},
};

/// The longest page.
const MAX_LIMIT: i32 = 1_000;

/// A page ends before its records exceed this: a gRPC message holds 4 MiB.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

/// Why somebody looked, in their own words.
const MAX_REASON: usize = 500;

/// Answers one query, recorded either way.
pub(crate) async fn query(domain: &Domain, request: &QueryRequest) -> Result<QueryResponse, Error> {
    let found = find(domain, request).await;
    let released = found.as_ref().map(|response| response.records.len());
    recorded(domain, request, "search", released).await?;
    found
}

/// How a look into the log ended, for its record.
pub(super) struct Look {
    pub(super) outcome: Outcome,
    pub(super) released: i32,
    pub(super) code: String,
}

impl Look {
    pub(super) fn of(released: Result<usize, &Error>) -> Self {
        let (outcome, released, code) = match released {
            Ok(released) => (Outcome::Success, released, None),
            Err(error) if error.code().kind() == CodeKind::Invalid => {
                (Outcome::Refused, 0, Some(error.code()))
            }
            Err(error) => (Outcome::Failed, 0, Some(error.code())),
        };
        let released = i32::try_from(released).unwrap_or(i32::MAX);
        Self { outcome, released, code: code.map_or(String::new(), |code| code.as_str().to_owned()) }
    }
}

/// Records a look into the log, whether it was answered or not.
pub(super) async fn recorded(
    domain: &Domain,
    request: &QueryRequest,
    interaction: &str,
    released: Result<usize, &Error>,
) -> Result<(), Error> {
    let look = Look::of(released);
    let mut record = record_of(request, interaction);
    record.set_outcome(look.outcome);
    record.released = look.released;
    record.code = look.code;
    domain.audit.event(record).await?;
    domain.metrics.queried(match look.outcome {
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        _ => "failed",
    });
    Ok(())
}

async fn find(domain: &Domain, request: &QueryRequest) -> Result<QueryResponse, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    asked_by_somebody(request)?;
    let filter = filter(domain, &tenant, request).await?;
    let records = opened(domain, &tenant, &filter).await?;
    Ok(QueryResponse { records, as_of: domain.clock.now(), masks: Vec::new() })
}

/// A page of records in clear.
pub(super) async fn opened(
    domain: &Domain,
    tenant: &TenantId,
    filter: &Filter,
) -> Result<Vec<Record>, Error> {
    let mut closed = Vec::new();
    for sealed in domain.store.find(filter).await? {
        closed.push(Closed::decode(&sealed)?);
    }
    let keys = keys(domain, tenant, &closed).await?;
    let mut records = Vec::with_capacity(closed.len());
    let mut bytes = 0;
    for one in closed {
        let record = one.open(&keys)?;
        bytes += record.encoded_len();
        if bytes > MAX_PAGE_BYTES && !records.is_empty() {
            break;
        }
        records.push(record);
    }
    Ok(records)
}

/// What to look for; a request that names nothing is refused.
pub(super) async fn filter(
    domain: &Domain,
    tenant: &TenantId,
    request: &QueryRequest,
) -> Result<Filter, Error> {
    if !(1..=MAX_LIMIT).contains(&request.limit) {
        return Err(Error::Invalid("limit"));
    }
    if request.from < 0 || request.until < 0 {
        return Err(Error::Invalid("from and until"));
    }
    let key = domain.tenant_key(tenant).await?;
    let mut people = Vec::new();
    if !request.patient.is_empty() {
        let person = Person::patient(&key, "", &request.patient);
        people.push(domain.store.subjects(tenant.as_str(), person.kind(), person.blind()).await?);
    }
    if let Some(user) = &request.user {
        if user.issuer.is_empty() || user.subject.is_empty() {
            return Err(Error::Invalid("user"));
        }
        let person = Person::user(&key, &user.issuer, &user.subject);
        people.push(domain.store.subjects(tenant.as_str(), person.kind(), person.blind()).await?);
    }
    let launch = id(&request.launch_id, "launch_id")?;
    let (run, record) = (id(&request.run_id, "run_id")?, id(&request.record_id, "record_id")?);
    let trace = match request.trace_id.as_str() {
        "" => None,
        id if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => Some(id.to_ascii_lowercase()),
        _ => return Err(Error::Invalid("trace_id")),
    };
    let (from, until) = (positive(request.from), positive(request.until));
    let is_bounded = launch.is_some() || run.is_some() || record.is_some() || trace.is_some();
    if people.is_empty() && !is_bounded && from.is_none() && until.is_none() {
        return Err(Error::Invalid("patient, user, launch_id, run_id, record_id, trace_id, from or until"));
    }
    // 0 is unspecified in both.
    let number = |number: i32| (number != 0).then_some(number);
    let after = after(domain, tenant, &request.after_record).await?;
    let limit = i64::from(request.limit);
    Ok(Filter {
        tenant: tenant.as_str().to_owned(),
        people,
        launch,
        run,
        record,
        kind: number(request.kind),
        outcome: number(request.outcome),
        endpoint: (!request.endpoint.is_empty()).then(|| request.endpoint.clone()),
        trace,
        from,
        until,
        only_disclosed: false,
        newest_first: request.newest_first,
        after,
        limit,
    })
}

/// An id that may be left out.
fn id(bytes: &[u8], name: &'static str) -> Result<Option<Uuid>, Error> {
    match bytes {
        [] => Ok(None),
        bytes => Uuid::from_slice(bytes).map(Some).map_err(|_length| Error::Invalid(name)),
    }
}

/// The place after which to go on: the record id of the last record of the page before, then one byte with its phase
/// (intent and outcome share the id).
async fn after(domain: &Domain, tenant: &TenantId, bytes: &[u8]) -> Result<Option<After>, Error> {
    const NAME: &str = "after_record";
    if bytes.is_empty() {
        return Ok(None);
    }
    let (id, phase) = bytes.split_first_chunk::<16>().ok_or(Error::Invalid(NAME))?;
    let &[phase] = phase else { return Err(Error::Invalid(NAME)) };
    let (record, phase) = (Uuid::from_bytes(*id), i32::from(phase));
    let recorded_at = domain.store.recorded_at(tenant.as_str(), record, phase).await?;
    let recorded_at = recorded_at.ok_or(Error::Invalid(NAME))?;
    Ok(Some(After { recorded_at, record, phase }))
}

fn positive(instant: i64) -> Option<i64> {
    (instant > 0).then_some(instant)
}

/// The keys that are still there of everybody in these records.
async fn keys(
    domain: &Domain,
    tenant: &TenantId,
    closed: &[Closed],
) -> Result<HashMap<Uuid, std::sync::Arc<Subject>>, Error> {
    let mut ids: Vec<_> = closed.iter().flat_map(Closed::subjects).collect();
    ids.sort_unstable();
    ids.dedup();
    let tenant_key = domain.tenant_key(tenant).await?;
    let mut keys = HashMap::new();
    for (id, wrapped) in domain.store.subject_keys(&ids).await? {
        keys.insert(id, open_subject(tenant, &tenant_key, id, &wrapped)?);
    }
    Ok(keys)
}

/// Refuses a look into the log without who looks and why.
pub(super) fn asked_by_somebody(request: &QueryRequest) -> Result<(), Error> {
    if request.operator.trim().is_empty() {
        return Err(Error::Invalid("operator"));
    }
    if request.reason.trim().is_empty() || request.reason.len() > MAX_REASON {
        return Err(Error::Invalid("reason"));
    }
    Ok(())
}

/// The record of a query: who looked for what, by name of filter; values only where they are sealed.
pub(super) fn record_of(request: &QueryRequest, interaction: &str) -> Record {
    let filters = [
        ("patient", !request.patient.is_empty()),
        ("user", request.user.is_some()),
        ("launch_id", !request.launch_id.is_empty()),
        ("trace_id", !request.trace_id.is_empty()),
        ("from", request.from > 0),
        ("until", request.until > 0),
        ("kind", request.kind != 0),
        ("outcome", request.outcome != 0),
        ("endpoint", !request.endpoint.is_empty()),
        ("record_id", !request.record_id.is_empty()),
        ("run_id", !request.run_id.is_empty()),
    ];
    let tenant = TenantId::parse(&request.tenant).unwrap_or_else(|_alphabet| TenantId::system());
    let patient = (!request.patient.is_empty()).then(|| request.patient.clone());
    let launch = convert::launch_id(&request.launch_id).ok();
    Record {
        kind: Kind::AuditQuery.into(),
        phase: Phase::Event.into(),
        tenant: tenant.as_str().to_owned(),
        actor: Some(convert::operator_actor(&request.operator)),
        patients: patient.into_iter().collect(),
        purpose: "HSYSADMIN".to_owned(),
        interaction: interaction.to_owned(),
        resource_types: vec!["AuditEvent".to_owned()],
        parameters: filters
            .iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        launch_id: launch.map(|id| convert::id_bytes(id.uuid())).unwrap_or_default(),
        detail: request.reason.chars().take(MAX_REASON).collect(),
        ..Record::default()
    }
}
