//! What operators ask about an endpoint.

use sallyport_model::{Code, EndpointId, RequestId, TenantId};
use sallyport_proto::gateway::v1::{
    CapabilityRequest, CapabilityResponse, Finding, ProbeRequest, ProbeResponse, Unread,
};
use sallyport_registry::{Endpoint, Tenant};

use super::probe;
use crate::{Gateway, error::Refusal, store::KeptFinding};

const REASON_MAX: usize = 200;

/// Looks now, and tells what is known then.
pub(crate) async fn probe(
    gateway: &Gateway,
    request: &ProbeRequest,
    request_id: RequestId,
) -> Result<ProbeResponse, Refusal> {
    if !is_reason(&request.reason) {
        return Err(Code::RequestInvalid.into());
    }
    let (tenant, endpoint) = named(gateway, &request.tenant, &request.endpoint)?;
    // A look calls the EHR: who had it made, and why, is recorded before.
    gateway.recorder.operator(&tenant.id, &endpoint.id, &request.reason, request_id).await?;
    let probed = Box::pin(probe::probe(gateway, tenant, endpoint)).await?;
    let unread = probed
        .unread
        .iter()
        .map(|(area, code)| Unread { area: area.as_str().to_owned(), code: code.as_str().to_owned() });
    Ok(ProbeResponse {
        unread: unread.collect(),
        is_first: probed.is_first,
        capability: Some(known(gateway, tenant, endpoint, probed.at).await?),
    })
}

/// Tells what is known.
pub(crate) async fn capability(
    gateway: &Gateway,
    request: &CapabilityRequest,
) -> Result<CapabilityResponse, Refusal> {
    let (tenant, endpoint) = named(gateway, &request.tenant, &request.endpoint)?;
    known(gateway, tenant, endpoint, request.since).await
}

/// Whether somebody said why.
pub(super) fn is_reason(text: &str) -> bool {
    (1..=REASON_MAX).contains(&text.len())
}

/// The endpoint of that name.
pub(super) fn named<'g>(
    gateway: &'g Gateway,
    tenant: &str,
    endpoint: &str,
) -> Result<(&'g Tenant, &'g Endpoint), Refusal> {
    let tenant = TenantId::parse(tenant).ok().and_then(|id| gateway.registry.tenant(&id));
    let found = tenant.and_then(|tenant| {
        let id = EndpointId::parse(endpoint).ok()?;
        Some((tenant, tenant.endpoints.iter().find(|known| known.id == id)?))
    });
    found.ok_or(Code::RequestInvalid.into())
}

async fn known(
    gateway: &Gateway,
    tenant: &Tenant,
    endpoint: &Endpoint,
    since: i64,
) -> Result<CapabilityResponse, Refusal> {
    let lost = |_error: sallyport_db::Error| Refusal::new(Code::DependencyDown);
    let last = gateway.database.last_snapshot(&tenant.id, &endpoint.id).await.map_err(lost)?;
    let (probed_at, snapshot_json) = last.unwrap_or_default();
    let findings = gateway.database.findings(&tenant.id, &endpoint.id, since).await.map_err(lost)?;
    Ok(CapabilityResponse { probed_at, snapshot_json, findings: findings.into_iter().map(told).collect() })
}

fn told(kept: KeptFinding) -> Finding {
    Finding {
        area: kept.area,
        subject: kept.subject,
        what: kept.what,
        class: kept.class,
        features: kept.features.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        before: kept.before_value,
        after: kept.after_value,
        found_at: kept.found_at,
        last_found_at: kept.last_found_at,
        is_standing: kept.ended_at.is_none(),
    }
}
