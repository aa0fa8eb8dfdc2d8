//! A call's audit record, from intent to outcome, and the counters that must equal the log.
//!
//! Both are written here and nowhere else. A call whose caller goes away is still closed: with what is known.

use std::sync::Arc;

use sallyport_audit_client::{AuditClient, Pending};
use sallyport_fhir::Interaction;
use sallyport_model::{
    AccessContext, Clock, Code, LaunchId, Micros, PolicyDecision, RecordId, RequestId, ServiceName, TenantId,
    code::Kind as CodeKind,
};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
    types::v1 as pb,
};

use super::session::Session;
use crate::{error::Refusal, metrics::GatewayMetrics};

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

/// A record in the making.
pub(crate) struct Draft {
    record: Record,
    started: Micros,
}

impl Draft {
    /// What is known of a call as soon as its session is.
    pub(crate) fn new(session: &Session, request: RequestId, now: Micros) -> Self {
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: session.tenant.as_str().to_owned(),
            endpoint: session.endpoint.as_str().to_owned(),
            registration: session.registration.as_str().to_owned(),
            actor: Some(pb::Actor { kind: Some(pb::actor::Kind::User((&session.user).into())) }),
            patients: session.patient.iter().map(|p| p.expose().to_owned()).collect(),
            encounter: session.encounter.as_ref().map(|e| e.expose().to_owned()).unwrap_or_default(),
            request_id: convert::id_bytes(request.uuid()),
            launch_id: convert::id_bytes(session.launch.uuid()),
            grant_id: convert::id_bytes(session.grant.uuid()),
            granted_scope: session.granted_scope.clone(),
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// What is known when there is no session: a cookie that opens nothing.
    pub(crate) fn without_session(launch: LaunchId, request: RequestId, now: Micros) -> Self {
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: TenantId::system().as_str().to_owned(),
            actor: Some(convert::anonymous()),
            request_id: convert::id_bytes(request.uuid()),
            launch_id: convert::id_bytes(launch.uuid()),
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// Adds the interaction: type, id of a read, names of parameters without their values.
    pub(crate) fn interaction(&mut self, interaction: &Interaction) {
        self.record.interaction = interaction.name().to_owned();
        self.record.resource_types =
            interaction.resource_type().map(|t| t.as_str().to_owned()).into_iter().collect();
        match interaction {
            Interaction::Read { id, .. } | Interaction::VRead { id, .. } => {
                id.expose().clone_into(&mut self.record.resource_id);
            }
            Interaction::Search(search) => {
                self.record.parameters = search.params.iter().map(|p| p.name.to_owned()).collect();
            }
            Interaction::Capabilities | Interaction::Page { .. } => {}
        }
    }

    /// Adds the type of a page, which is known once its handle is open.
    pub(crate) fn resource_type(&mut self, resource_type: Option<sallyport_fhir::ResourceType>) {
        if let Some(resource_type) = resource_type {
            self.record.resource_types = vec![resource_type.as_str().to_owned()];
        }
    }

    /// Adds under which feature and why.
    pub(crate) fn access(&mut self, access: &AccessContext) {
        access.feature.as_str().clone_into(&mut self.record.feature);
        access.purpose.as_str().clone_into(&mut self.record.purpose);
    }

    /// Adds what the policy said.
    pub(crate) fn decision(&mut self, decision: &PolicyDecision) {
        self.record.policy_decision = decision.label();
    }

    /// Adds the labels met in the answer.
    pub(crate) fn labels(&mut self, labels: Vec<String>) {
        self.record.security_labels = labels;
    }

    /// Adds the EHR's own request id.
    pub(crate) fn vendor_request_id(&mut self, id: String) {
        self.record.vendor_request_id = id;
    }
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

    fn close(&self, mut draft: Draft, result: Result<Tally, &Refusal>, detail: &str) {
        fill(&mut draft, result, self.clock.now());
        detail.clone_into(&mut draft.record.detail);
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
            self.recorder.close(draft, result, "");
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.recorder.close(draft, Err(&Refusal::new(Code::UpstreamTimeout)), "caller went away");
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
            | CodeKind::TooLarge
            | CodeKind::TooMany
    );
    if is_decision && refusal.upstream_status == 0 { Outcome::Refused } else { Outcome::Failed }
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
