//! What somebody who trusts none of us needs: the leaves, the checkpoints, and proofs between them.

use sallyport_audit_proof::{Checkpoint, Hash, Note};
use sallyport_model::TenantId;
use sallyport_proto::audit::v1::{
    CheckpointRequest, CheckpointResponse, LeavesRequest, LeavesResponse, LogStatusRequest,
    LogStatusResponse, Outcome, ProveRecordRequest, ProveRecordResponse, QueryRequest,
    log_status_response::{Log, Place},
};
use uuid::Uuid;

use super::{
    Domain,
    query::{asked_by_somebody, record_of},
    tree::Grown,
};
use crate::{Error, error::DamagedLog};

/// How many leaves one page holds at most, and how many bytes: a gRPC message holds 4 MiB.
const MAX_LEAVES: i64 = 2_000;
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;
/// How many leaves are read at once: the largest of them must not fill memory.
const READ: i64 = 200;

/// How many checkpoints the status shows.
const MAX_CHECKPOINTS: i64 = 100;
/// How many quarantined places it shows.
const MAX_PLACES: i64 = 10_000;

/// The logs in figures.
pub(crate) async fn status(domain: &Domain, request: &LogStatusRequest) -> Result<LogStatusResponse, Error> {
    let log = |tenant: &str, size| {
        let key = domain.signer.verifier(tenant)?.to_string();
        let (tenant, origin) = (tenant.to_owned(), domain.signer.origin(tenant));
        Ok::<_, Error>(Log { tenant, origin, size, key, ..Log::default() })
    };
    if request.tenant.is_empty() {
        let sizes = domain.store.log_sizes().await?;
        let logs = sizes.iter().map(|(tenant, size)| log(tenant, *size)).collect::<Result<_, _>>()?;
        return Ok(LogStatusResponse { logs, quarantined: Vec::new() });
    }
    let tenant = tenant_of(&request.tenant)?;
    let figures = domain.store.log_figures(tenant.as_str()).await?;
    let (size, records) = figures.unwrap_or_default();
    let checkpoints = domain.store.checkpoints(tenant.as_str(), MAX_CHECKPOINTS).await?;
    let newest_signed_at = checkpoints.first().map_or(0, |(_, signed_at, _)| *signed_at);
    let checkpoints = checkpoints.into_iter().map(|(_, _, note)| note).collect();
    let places = domain.store.quarantined_places(MAX_PLACES).await?;
    let place = |(spool, spool_sequence): (Uuid, i64)| Place { spool_id: spool.to_string(), spool_sequence };
    Ok(LogStatusResponse {
        logs: vec![Log { records, checkpoints, newest_signed_at, ..log(tenant.as_str(), size)? }],
        quarantined: places.into_iter().map(place).collect(),
    })
}

/// A page of leaves, as the rows of today make them.
pub(crate) async fn leaves(domain: &Domain, request: &LeavesRequest) -> Result<LeavesResponse, Error> {
    let asked = asked(&request.tenant, &request.operator, &request.reason);
    let page = page(domain, request, &asked).await;
    let released = page.as_ref().map_or(0, |page| page.leaves.len());
    recorded(domain, &asked, "export", released, page.is_ok()).await?;
    page
}

async fn page(
    domain: &Domain,
    request: &LeavesRequest,
    asked: &QueryRequest,
) -> Result<LeavesResponse, Error> {
    let tenant = tenant_of(&request.tenant)?;
    asked_by_somebody(asked)?;
    let (from, until) = (request.from, request.until);
    if from < 0 || until < from || until - from > MAX_LEAVES {
        return Err(Error::Invalid("from and until"));
    }
    let mut page = LeavesResponse { leaves: Vec::new(), next: from };
    let mut bytes = 0;
    while page.next < until {
        let end = (page.next + READ).min(until);
        for (index, leaf) in domain.store.leaves(tenant.as_str(), page.next, end).await? {
            bytes += leaf.len();
            if bytes > MAX_PAGE_BYTES && !page.leaves.is_empty() {
                // Two rows of one place would be torn apart here; the count of all records tells of them.
                page.next = index;
                return Ok(page);
            }
            page.leaves.push(leaf);
        }
        page.next = end;
    }
    Ok(page)
}

/// The newest checkpoint, or the one of that size, and the proof of growth.
pub(crate) async fn checkpoint(
    domain: &Domain,
    request: &CheckpointRequest,
) -> Result<CheckpointResponse, Error> {
    let tenant = tenant_of(&request.tenant)?;
    let newest = domain.store.checkpoints(tenant.as_str(), MAX_CHECKPOINTS).await?;
    let found = newest.into_iter().find(|(size, _, _)| request.size == 0 || *size == request.size);
    let Some((size, _, note)) = found else { return Ok(CheckpointResponse::default()) };
    let since = u64::try_from(request.since).map_err(|_negative| Error::Invalid("since"))?;
    let log = Grown::load(domain, tenant.as_str()).await?;
    let until = u64::try_from(size).map_err(|_negative| DamagedLog)?;
    // A log that is shorter than what was asked for has no proof; whoever asks sees the sizes.
    let path = log.consistency(domain, since, until).await?.ok_or(Error::Invalid("since"))?;
    Ok(CheckpointResponse { note, size, path: bytes(&path) })
}

/// The proof of one record.
pub(crate) async fn record(
    domain: &Domain,
    request: &ProveRecordRequest,
) -> Result<ProveRecordResponse, Error> {
    let asked = asked(&request.tenant, &request.operator, &request.reason);
    let proof = proof_of(domain, request, &asked).await;
    recorded(domain, &asked, "prove", usize::from(proof.is_ok()), proof.is_ok()).await?;
    proof
}

async fn proof_of(
    domain: &Domain,
    request: &ProveRecordRequest,
    asked: &QueryRequest,
) -> Result<ProveRecordResponse, Error> {
    let tenant = tenant_of(&request.tenant)?;
    asked_by_somebody(asked)?;
    let record = Uuid::from_slice(&request.record_id).map_err(|_length| Error::Invalid("record_id"))?;
    let place = domain.store.place_of(tenant.as_str(), record, request.phase).await?;
    let index = place.ok_or(Error::Invalid("record_id"))?;
    let leaf = domain.store.leaves(tenant.as_str(), index, index + 1).await?.pop();
    let (_, leaf) = leaf.ok_or(DamagedLog)?;
    let newest = domain.store.checkpoints(tenant.as_str(), 1).await?.pop();
    let (size, _, checkpoint) = newest.filter(|(size, _, _)| index < *size).ok_or(Error::NotSignedYet)?;
    let log = Grown::load(domain, tenant.as_str()).await?;
    let (place, size) = (u64::try_from(index), u64::try_from(size));
    let (Ok(place), Ok(size)) = (place, size) else { return Err(DamagedLog.into()) };
    let path = log.inclusion(domain, place, size).await?;
    // The note is ours to show, not to judge; one that does not read is a damaged database.
    let note = Note::parse(checkpoint.as_bytes()).map_err(|_shape| DamagedLog)?;
    Checkpoint::parse(note.text()).map_err(|_shape| DamagedLog)?;
    Ok(ProveRecordResponse { leaf, index, path: bytes(&path), checkpoint })
}

/// Who asks, in the form in which looks into the log are recorded.
fn asked(tenant: &str, operator: &str, reason: &str) -> QueryRequest {
    QueryRequest {
        tenant: tenant.to_owned(),
        operator: operator.to_owned(),
        reason: reason.to_owned(),
        ..QueryRequest::default()
    }
}

async fn recorded(
    domain: &Domain,
    asked: &QueryRequest,
    interaction: &str,
    released: usize,
    is_shown: bool,
) -> Result<(), Error> {
    let mut record = record_of(asked, interaction);
    record.set_outcome(if is_shown { Outcome::Success } else { Outcome::Refused });
    record.released = i32::try_from(released).unwrap_or(i32::MAX);
    Ok(domain.audit.event(record).await?)
}

fn bytes(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

fn tenant_of(text: &str) -> Result<TenantId, Error> {
    TenantId::parse(text).map_err(|_alphabet| Error::Invalid("tenant"))
}
