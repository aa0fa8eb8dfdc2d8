//! A call's audit record, from intent to outcome, and the counters that must equal the log.
//!
//! Both are written here and nowhere else. A call whose caller goes away is still closed: with what is known.

mod draft;

use std::sync::Arc;

use sallyport_audit_client::{AuditClient, Pending};
use sallyport_model::{
    Clock, Code, EndpointId, Micros, RecordId, RequestId, ServiceName, TenantId, code::Kind as CodeKind,
};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
};

use crate::{error::Refusal, metrics::GatewayMetrics};

pub(crate) use draft::Draft;

/// Writes records and counts calls.
pub(crate) struct Recorder {
    audit: AuditClient,
    metrics: Arc<GatewayMetrics>,
    clock: Arc<dyn Clock>,
}

/// What was released, as the record counts it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) released: usize,
    pub(crate) withheld: usize,
    pub(crate) bytes: usize,
    /// What our caller is told.
    pub(crate) status: u16,
    pub(crate) upstream_status: u16,
}

/// A call between intent and outcome. Dropped without an outcome (the caller went away), it is closed as failed.
pub(crate) struct Open<'r> {
    recorder: &'r Recorder,
    draft: Option<Draft>,
}

impl Recorder {
    pub(crate) fn new(audit: AuditClient, metrics: Arc<GatewayMetrics>, clock: Arc<dyn Clock>) -> Self {
        Self { audit, metrics, clock }
    }

    /// Appends the intent. On an error the call must not start; nothing may be released before the pending is durable.
    pub(crate) fn begin(&self, mut draft: Draft) -> Result<(Open<'_>, Option<Pending>), Refusal> {
        draft.record.record_id = convert::id_bytes(RecordId::new(self.clock.as_ref()).uuid());
        if sallyport_model::planted!("audit-dropped") {
            return Ok((Open { recorder: self, draft: Some(draft) }, None));
        }
        match self.audit.begin(draft.record.clone()) {
            Ok(pending) => Ok((Open { recorder: self, draft: Some(draft) }, Some(pending))),
            Err(error) => {
                tracing::error!(
                    code = Code::AuditUnavailable.as_str(),
                    reason = error.label(),
                    "a call was refused because it could not be recorded"
                );
                Err(Refusal::new(Code::AuditUnavailable))
            }
        }
    }

    /// Records a call that was refused before it began. The refusal is released only when this returns `Ok`.
    pub(crate) async fn refused(&self, mut draft: Draft, refusal: &Refusal) -> Result<(), Refusal> {
        fill(&mut draft, Err(refusal), self.clock.now());
        self.count(&draft.record);
        if sallyport_model::planted!("audit-dropped") {
            return Ok(());
        }
        self.audit.event(draft.record).await.map_err(|error| {
            tracing::error!(
                code = Code::AuditUnavailable.as_str(),
                reason = error.label(),
                "a refusal could not be recorded"
            );
            Refusal::new(Code::AuditUnavailable)
        })
    }

    /// Records what an operator has done; it is done only when this returns `Ok`.
    pub(crate) async fn operator(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        reason: &str,
        request: RequestId,
    ) -> Result<(), Refusal> {
        let mut record = Record {
            kind: Kind::Operator.into(),
            service: ServiceName::FhirGateway.as_str().to_owned(),
            tenant: tenant.as_str().to_owned(),
            endpoint: endpoint.as_str().to_owned(),
            actor: Some(convert::anonymous()),
            request_id: convert::id_bytes(request.uuid()),
            interaction: "probe".to_owned(),
            detail: reason.to_owned(),
            ..Record::default()
        };
        record.set_outcome(Outcome::Success);
        self.audit.event(record).await.map_err(|_error| Refusal::new(Code::AuditUnavailable))
    }

    fn close(&self, mut draft: Draft, result: Result<Tally, &Refusal>) {
        fill(&mut draft, result, self.clock.now());
        self.count(&draft.record);
        if !sallyport_model::planted!("audit-dropped") {
            self.audit.outcome(draft.record);
        }
    }

    fn count(&self, record: &Record) {
        self.metrics.call(record);
    }
}

impl Open<'_> {
    /// Adds to the record what became known during the call.
    pub(crate) fn draft(&mut self) -> Option<&mut Draft> {
        self.draft.as_mut()
    }

    /// Writes the outcome.
    pub(crate) fn close(mut self, result: Result<Tally, &Refusal>) {
        if let Some(draft) = self.draft.take() {
            self.recorder.close(draft, result);
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(mut draft) = self.draft.take() {
            draft.remark("caller went away");
            self.recorder.close(draft, Err(&Refusal::new(Code::UpstreamTimeout)));
        }
    }
}

fn fill(draft: &mut Draft, result: Result<Tally, &Refusal>, now: Micros) {
    let record = &mut draft.record;
    record.service = ServiceName::FhirGateway.as_str().to_owned();
    record.duration_us = now.saturating_sub(draft.started);
    match result {
        Ok(tally) => {
            record.set_outcome(Outcome::Success);
            record.released = count(tally.released);
            record.withheld = count(tally.withheld);
            record.bytes = i64::try_from(tally.bytes).unwrap_or(i64::MAX);
            record.http_status = i32::from(tally.status);
            record.upstream_status = i32::from(tally.upstream_status);
        }
        Err(refusal) => {
            record.set_outcome(outcome(refusal));
            refusal.code.as_str().clone_into(&mut record.code);
            record.http_status = i32::from(refusal.code.kind().http());
            record.upstream_status = i32::from(refusal.upstream_status);
            if let Some(ehr) = refusal.ehr.as_deref() {
                ehr.reference.as_deref().unwrap_or_default().clone_into(&mut record.vendor_request_id);
                let said = [ehr.code.as_deref(), ehr.error_uri.as_deref()];
                let said: Vec<&str> = said.into_iter().flatten().collect();
                record.detail = said.join(" ");
            }
        }
    }
}

/// Refused is what we decided; failed is what happened to us.
fn outcome(refusal: &Refusal) -> Outcome {
    let is_decision = matches!(
        refusal.code.kind(),
        CodeKind::Invalid
            | CodeKind::Unauthenticated
            | CodeKind::Denied
            | CodeKind::NotFound
            | CodeKind::Conflict
            | CodeKind::TooLarge
            | CodeKind::TooMany
    );
    if is_decision && refusal.upstream_status == 0 { Outcome::Refused } else { Outcome::Failed }
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
