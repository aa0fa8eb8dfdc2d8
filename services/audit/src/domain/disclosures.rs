//! An accounting of disclosures: to whom a patient's data was shown or sent, since when, for what. Recorded like every
//! look into the log, before anything is shown.

use sallyport_model::{Micros, TenantId, planted};
use sallyport_proto::audit::v1::{
    Disclosure, DisclosuresRequest, DisclosuresResponse, Outcome, Phase, QueryRequest, Record,
    disclosure::What,
};

use super::{
    Domain,
    query::{asked_by_somebody, filter, opened, recorded},
};
use crate::Error;

/// Six years, counted so that it is never less: what 45 CFR 164.528 gives a person.
const SIX_YEARS: Micros = 6 * 366 * 86_400 * 1_000_000;

/// Answers one page, recorded either way.
pub(crate) async fn disclosures(
    domain: &Domain,
    request: &DisclosuresRequest,
) -> Result<DisclosuresResponse, Error> {
    let until = if request.until == 0 { domain.clock.now() } else { request.until };
    let from = if request.from == 0 { until.saturating_sub(SIX_YEARS).max(1) } else { request.from };
    let asked = QueryRequest {
        tenant: request.tenant.clone(),
        patient: request.patient.clone(),
        from,
        until,
        limit: request.limit,
        after_record: request.after.clone(),
        operator: request.operator.clone(),
        reason: request.reason.clone(),
        ..QueryRequest::default()
    };
    let page = page(domain, &asked).await;
    let released = page.as_ref().map(|page| page.disclosures.len());
    recorded(domain, &asked, "disclosures", released).await?;
    page
}

async fn page(domain: &Domain, asked: &QueryRequest) -> Result<DisclosuresResponse, Error> {
    let tenant = TenantId::parse(&asked.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    asked_by_somebody(asked)?;
    if asked.patient.is_empty() {
        return Err(Error::Invalid("patient"));
    }
    if asked.from < 0 || asked.until <= asked.from {
        return Err(Error::Invalid("from and until"));
    }
    let mut filter = filter(domain, &tenant, asked).await?;
    filter.only_disclosed = true;
    let is_known = filter.people.iter().all(|subjects| !subjects.is_empty());
    let records = opened(domain, &tenant, &filter).await?;
    // A page may be cut for its size as well: only one that is empty is behind the last.
    let next = records.last().map(place).unwrap_or_default();
    let mut disclosures: Vec<_> = records.into_iter().map(told).collect();
    if planted!("disclosures-without-open-calls") {
        disclosures.retain(|one| one.what() != What::MaybeShown);
    }
    Ok(DisclosuresResponse { disclosures, next, from: asked.from, until: asked.until, is_known })
}

/// Where the page after this record starts.
fn place(record: &Record) -> Vec<u8> {
    let phase = u8::try_from(record.phase).unwrap_or(0);
    [record.record_id.as_slice(), &[phase]].concat()
}

fn told(record: Record) -> Disclosure {
    let what = match (record.phase(), record.interaction.as_str()) {
        (Phase::Intent, _) => What::MaybeShown,
        (_, "create" | "update" | "patch" | "delete") if record.outcome() == Outcome::Success => {
            What::Written
        }
        _ => What::Shown,
    };
    Disclosure {
        what: what.into(),
        at: record.recorded_at,
        endpoint: record.endpoint,
        actor: record.actor,
        registration: record.registration,
        purpose: record.purpose,
        feature: record.feature,
        interaction: record.interaction,
        resource_types: record.resource_types,
        released: record.released,
        patients: i32::try_from(record.patients.len()).unwrap_or(i32::MAX),
        security_labels: record.security_labels,
        job: record.job,
        launch_id: record.launch_id,
        record_id: record.record_id,
        trace_id: record.trace_id,
    }
}
