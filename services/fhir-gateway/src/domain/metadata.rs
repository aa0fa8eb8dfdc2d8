//! An EHR's CapabilityStatement: fetched once in a while, without a token where it is open, cut down for our callers.

use std::sync::Arc;

use dashmap::DashMap;
use sallyport_egress::{Bytes, HeaderMap};
use sallyport_model::{AccessContext, Code, EndpointId, Micros, TenantId};

use super::{
    admit::Admitted,
    place::Place,
    upstream::{self, Answer, Sent},
};
use crate::{Gateway, error::Refusal};

type Key = (TenantId, EndpointId);

/// Statements by endpoint. They hold no patient data and are the same for everybody.
pub(crate) struct Statements {
    keep: Micros,
    cache: DashMap<Key, (Micros, Bytes)>,
}

impl Statements {
    pub(crate) fn new(keep_seconds: u64) -> Self {
        let keep = i64::try_from(keep_seconds).unwrap_or(0).saturating_mul(1_000_000);
        Self { keep, cache: DashMap::new() }
    }
}

/// The endpoint's statement as it wrote it.
pub(crate) async fn fetch(
    gateway: &Gateway,
    access: &AccessContext,
    place: &Arc<Place>,
    admitted: &Admitted,
    sent: &Sent<'_>,
) -> Result<Answer, Refusal> {
    let key = (access.tenant.clone(), access.endpoint.clone());
    let now = gateway.clock.now();
    let cached = gateway
        .statements
        .cache
        .get(&key)
        .filter(|kept| now - kept.0 < gateway.statements.keep)
        .map(|kept| kept.1.clone());
    if let Some(body) = cached {
        return Ok(Answer { status: 200, headers: HeaderMap::new(), body });
    }
    let answer = match upstream::open_call(gateway, place, admitted, sent).await {
        Err(refusal) if matches!(refusal.code, Code::UpstreamUnauthorized | Code::UpstreamForbidden) => {
            upstream::call(gateway, access, place, admitted, sent).await?
        }
        other => other?,
    };
    gateway.statements.cache.insert(key, (now, answer.body.clone()));
    Ok(answer)
}
