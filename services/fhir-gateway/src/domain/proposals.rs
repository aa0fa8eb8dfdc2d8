//! What jobs propose about a launch's patient: shown under the care gaps' feature, decided on by the person at the screen, and
//! written through the ledger as that person.
//!
//! An approval is bound to the payload byte for byte, to what it is based on and to this session; the proposal is the ledger's
//! key, so that approving again finds what was written. job-worker is told what came of it; what it was not told is found in
//! the ledger, in the background.

mod deciding;
mod settling;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sallyport_care_gaps::{Edit, Proposed};
use sallyport_fhir::Destination;
use sallyport_model::{
    AccessContext, Code, Patients, RequestId,
    scope::{Coverage, Level, Verb},
};
use sallyport_proto::{
    gateway::v1 as pb,
    jobs::v1::{self as jobs, ListProposalsRequest, Proposal, proposals_client::ProposalsClient},
};
use sallyport_registry::{Entry, Feature, FeatureKind, Job};
use sallyport_rpc::{Transport, code_of, once_more, with_request_id};
use tonic::{Response, Status};

use super::{
    call, care_gaps, context,
    recording::{Draft, Tally},
    session::{Session, sha256},
};
use crate::{Gateway, error::Refusal};

pub(crate) use deciding::decide;
pub(crate) use settling::run as settle;

/// A page waits two seconds; a decision has a person waiting for it.
const LIST_WAIT: Duration = Duration::from_millis(1_500);
const DECIDE_WAIT: Duration = Duration::from_secs(5);

/// A proposal that this launch may see.
struct Shown {
    row: Proposal,
    title: String,
    proposed: Proposed,
}

/// Everything proposed about the session's patient. Recorded when this returns.
pub(crate) async fn list(
    gateway: &Gateway,
    session: &Arc<Session>,
    request_id: RequestId,
) -> Result<pb::ProposalsResponse, Refusal> {
    let mut draft = Draft::new(session, request_id, gateway.clock.now());
    draft.export("proposals", []);
    let (entry, access) = match care_gaps::admit(gateway, session, &mut draft) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            gateway.recorder.refused(draft, &refusal).await?;
            return Err(refusal);
        }
    };
    let (mut open, pending) = gateway.recorder.begin(draft)?;
    let (asked, durable) = tokio::join!(ask(gateway, &access, request_id), call::durable(pending));
    let result = match (asked, durable) {
        (Ok(rows), Ok(())) => gateway
            .sessions
            .check(session)
            .map_err(Refusal::from)
            .and_then(|()| visible(gateway, &entry, &access, rows)),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
    };
    match result {
        Ok((shown, withheld)) => {
            if let Some(draft) = open.draft() {
                let types: BTreeSet<String> = shown.iter().map(|one| one.row.resource_type.clone()).collect();
                draft.export("proposals", types);
            }
            open.close(Ok(Tally { released: shown.len(), withheld, status: 200, ..Tally::default() }));
            let proposals = shown.into_iter().map(|one| described(session, &entry, one)).collect();
            Ok(pb::ProposalsResponse { proposals, withheld: i32::try_from(withheld).unwrap_or(i32::MAX) })
        }
        Err(refusal) => {
            open.close(Err(&refusal));
            Err(refusal)
        }
    }
}

async fn ask(
    gateway: &Gateway,
    access: &AccessContext,
    request_id: RequestId,
) -> Result<Vec<Proposal>, Refusal> {
    let (tenant, endpoint, patient) = whose(access)?;
    let request = ListProposalsRequest { tenant, endpoint, patient };
    let jobs = client(gateway)?;
    let call = once_more(|| {
        let (mut jobs, request) = (jobs.clone(), with_request_id(request.clone(), request_id));
        async move { jobs.list_of_patient(request).await }
    });
    Ok(within(LIST_WAIT, call).await?.proposals)
}

fn whose(access: &AccessContext) -> Result<(String, String, String), Refusal> {
    let Patients::One(patient) = &access.patients else { return Err(Code::PatientDenied.into()) };
    let (tenant, endpoint) = (access.tenant.as_str().to_owned(), access.endpoint.as_str().to_owned());
    Ok((tenant, endpoint, patient.expose().to_owned()))
}

fn client(gateway: &Gateway) -> Result<ProposalsClient<Transport>, Refusal> {
    gateway.metrics.hop("job-worker");
    Ok(ProposalsClient::new(gateway.job_worker.clone().ok_or(Code::DependencyDown)?))
}

async fn within<T>(
    wait: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(wait, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(code_of(&status).into()),
        Err(_elapsed) => Err(Code::DependencyDown.into()),
    }
}

/// What of it this launch may see, and how many it may not: by patient, purpose and the types that each rests on, as for the
/// care gaps themselves.
fn visible(
    gateway: &Gateway,
    entry: &Entry<'_>,
    access: &AccessContext,
    rows: Vec<Proposal>,
) -> Result<(Vec<Shown>, usize), Refusal> {
    let jobs: Vec<&Job> = care_gaps::scans(&gateway.registry, entry, access).collect();
    let (mut shown, mut withheld) = (Vec::new(), 0);
    for row in rows {
        let Some(job) = jobs.iter().find(|job| job.id.as_str() == row.job) else { continue };
        let proposed: Proposed =
            serde_json::from_slice(&row.json).map_err(|_not_ours| Refusal::new(Code::Internal))?;
        care_gaps::of_the_patient(&proposed.patient, access)?;
        if !care_gaps::may_see(&proposed.assessment, entry, access) {
            withheld += 1;
            continue;
        }
        shown.push(Shown { row, title: job.title.clone(), proposed });
    }
    Ok((shown, withheld))
}

/// The feature that would write it: one that can in this launch, else the first.
fn writing<'r>(entry: &Entry<'r>, session: &Session, resource_type: &str) -> Option<&'r Feature> {
    let levels = [Level::Patient, Level::User];
    let writes = |feature: &&'r Feature| {
        feature.kind == FeatureKind::InteractiveWrite
            && feature.scopes().coverage(&levels, resource_type, Verb::Create) != Coverage::None
    };
    let (tenant, app) = (entry.tenant, entry.app);
    let of_app =
        || app.features.iter().filter_map(|id| tenant.features.iter().find(|f| f.id == *id)).filter(writes);
    of_app().find(|feature| feature.is_on(&session.granted)).or_else(|| of_app().next())
}

/// Where it goes: a new resource, or an update of the one that the payload names where it is based on a version.
fn destination(gateway: &Gateway, session: &Session, shown: &Shown) -> Result<Destination, Refusal> {
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let resource_type = &shown.row.resource_type;
    let is_update = !shown.row.base_version.is_empty();
    let path = if is_update {
        let payload: serde_json::Value =
            serde_json::from_str(&shown.proposed.payload).map_err(|_shape| Code::WritePayloadInvalid)?;
        let id = payload.get("id").and_then(|id| id.as_str()).ok_or(Code::WritePayloadInvalid)?.to_owned();
        format!("/{resource_type}/{id}")
    } else {
        format!("/{resource_type}")
    };
    let parsed = Destination::parse(is_update, &path, None, place.max_id_length)?;
    parsed.ok_or_else(|| Code::InteractionDenied.into())
}

/// Edits as the domain has them.
fn edits_of(edits: &[jobs::Edit]) -> Vec<Edit> {
    edits.iter().map(|edit| Edit { field: edit.field.clone(), text: edit.text.clone() }).collect()
}

fn described(session: &Session, entry: &Entry<'_>, one: Shown) -> pb::ProposalShown {
    let feature = writing(entry, session, &one.row.resource_type);
    let (may_write, code) = match feature.map(|feature| context::build_for_write(session, feature, entry)) {
        Some(Ok(_)) => (true, ""),
        Some(Err(refusal)) => (false, refusal.code.as_str()),
        None => (false, Code::FeatureUnknown.as_str()),
    };
    // What was approved with edits is gone on with as it was approved.
    let edited = one.proposed.edited(&edits_of(&one.row.edits));
    let payload = edited.map_or_else(|_fault| one.proposed.payload.clone(), |edited| edited.payload);
    pb::ProposalShown {
        payload_sha256: sha256(payload.as_bytes()).to_vec(),
        proposal: Some(one.row),
        title: one.title,
        feature: feature.map(|feature| feature.id.as_str().to_owned()).unwrap_or_default(),
        feature_title: feature.map(|feature| feature.title.clone()).unwrap_or_default(),
        may_write,
        code: code.to_owned(),
    }
}
