//! The edge for `job-worker`: messages to the domain's words and back. Decides nothing.

use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use sallyport_fhir::{Interaction, Method, RawRequest};
use sallyport_model::{Code, Micros, RequestId};
use sallyport_proto::{
    convert,
    gateway::v1::{
        self as pb, CallRequest, CallResponse, FetchBulkFileRequest, FetchBulkFileResponse, RunAuthority,
        call_request::Interaction as Wanted, call_response::Outcome as Answered,
        fetch_bulk_file_response as file_pb, wait::Reason,
    },
};
use sallyport_resilience::Priority;
use tokio::sync::mpsc;
use tonic::Status;

use super::refused;
use crate::{
    Gateway,
    domain::{
        bulk::{
            self, Action, FileKind, Outcome,
            file::{Asked, Event},
        },
        call, quota,
        recording::Draft,
        release::Released,
        run::Run,
    },
    error::Refusal,
};

/// How many messages of a file are on their way at a time.
const IN_FLIGHT: usize = 4;

/// Without a word of the EHR's, a call that met "too many" is made again after so long, in seconds.
const UNTOLD_WAIT: u64 = 60;

/// Answers one call of a run.
pub(super) async fn call(
    gateway: &Gateway,
    request: CallRequest,
    request_id: RequestId,
) -> Result<CallResponse, Status> {
    let run = open(gateway, request.authority, request_id).await?;
    let Some(wanted) = request.interaction else {
        return Err(refused(
            &call::refuse(gateway, (&run).into(), request_id, Code::RequestInvalid.into()).await,
        ));
    };
    let deadline = gateway.deadline();
    let action = match action(wanted) {
        Ok(action) => action,
        Err(wanted) => {
            let made = interact(gateway, &run, wanted, request_id).await;
            return answer(gateway, made.map(|(is_search, released)| data(is_search, released)));
        }
    };
    let outcome = Box::pin(bulk::run(gateway, &run, &action, request_id, deadline)).await;
    answer(gateway, outcome.map(step))
}

/// Streams one file to a run.
pub(super) async fn fetch(
    gateway: &Arc<Gateway>,
    request: FetchBulkFileRequest,
    request_id: RequestId,
) -> Result<impl Stream<Item = Result<FetchBulkFileResponse, Status>> + Send + use<>, Status> {
    let run = open(gateway, request.authority, request_id).await?;
    let Ok(offset) = u64::try_from(request.offset) else {
        return Err(refused(
            &call::refuse(gateway, (&run).into(), request_id, Code::RequestInvalid.into()).await,
        ));
    };
    let asked = Asked { handle: request.file, offset, etag: request.etag };
    let (sink, events) = mpsc::channel(IN_FLIGHT);
    let deadline = gateway.deadline();
    let fetching = bulk::file::fetch(Arc::clone(gateway), run, asked, request_id, deadline, sink);
    tokio::spawn(tracing::Instrument::in_current_span(fetching));
    let events = futures_util::stream::unfold(events, |mut events| async move {
        events.recv().await.map(|event| (event, events))
    });
    let gateway = Arc::clone(gateway);
    Ok(events.map(move |event| {
        let item = match event {
            Ok(event) => item(event),
            Err(refusal) => match instead(&gateway, &refusal) {
                Some(Answered::Wait(wait)) => file_pb::Item::Wait(wait),
                Some(Answered::ScopeChanged(change)) => file_pb::Item::ScopeChanged(change),
                _ => return Err(refused(&refusal)),
            },
        };
        Ok(FetchBulkFileResponse { item: Some(item) })
    }))
}

/// Reads the authority; what does not hold together is recorded like any other refusal.
async fn open(
    gateway: &Gateway,
    authority: Option<RunAuthority>,
    request_id: RequestId,
) -> Result<Arc<Run>, Status> {
    let authority = authority.unwrap_or_default();
    let tenant = convert::tenant(&authority.tenant).ok();
    let tenant = tenant.filter(|tenant| gateway.registry.tenant(tenant).is_some());
    let run_id = authority.run_id.clone();
    match Run::read(authority, &gateway.registry) {
        Ok(run) => Ok(Arc::new(run)),
        Err(refusal) => {
            let draft = Draft::of_nobody(tenant.as_ref(), &run_id, request_id, gateway.clock.now());
            let recorded = gateway.recorder.refused(draft, &refusal).await;
            Err(refused(&recorded.err().unwrap_or(refusal)))
        }
    }
}

fn action(wanted: Wanted) -> Result<Action, Wanted> {
    Ok(match wanted {
        Wanted::KickOff(pb::KickOff { types, since, type_filters }) => {
            Action::KickOff(bulk::KickOff { types, since, type_filters })
        }
        Wanted::Poll(handle) => Action::Poll(handle),
        Wanted::Manifest(handle) => Action::Part(handle),
        Wanted::Delete(handle) => Action::Delete(handle),
        other @ (Wanted::Read(_) | Wanted::Search(_) | Wanted::Page(_)) => return Err(other),
    })
}

/// A read, a search or a page, through the same parser as a request from a browser.
async fn interact(
    gateway: &Gateway,
    run: &Arc<Run>,
    wanted: Wanted,
    request_id: RequestId,
) -> Result<(bool, Released), Refusal> {
    let place = gateway.places.of(&run.tenant, &run.endpoint).ok_or(Code::Internal)?;
    let interaction = match interaction(wanted, place.max_id_length) {
        Ok(interaction) => interaction,
        Err(refusal) => return Err(call::refuse(gateway, run.into(), request_id, refusal).await),
    };
    let is_search = matches!(interaction, Interaction::Search(_) | Interaction::Page { .. });
    let request = call::Request {
        holder: run.into(),
        feature: None,
        interaction,
        if_none_match: None,
        request_id,
        priority: Priority::Background,
        deadline: gateway.deadline(),
        mapping: None,
    };
    Ok((is_search, Box::pin(call::run(gateway, request)).await?))
}

fn interaction(wanted: Wanted, max_id_length: usize) -> Result<Interaction, Refusal> {
    let (path, query, by_post) = match wanted {
        Wanted::Read(pb::Read { resource_type, id }) => (format!("/{resource_type}/{id}"), None, false),
        Wanted::Page(handle) => (format!("/_page/{handle}"), None, false),
        Wanted::Search(pb::Search { resource_type, parameters, by_post }) => {
            let pairs = parameters.iter().map(|p| format!("{}={}", encoded(&p.name), encoded(&p.value)));
            let query = pairs.collect::<Vec<_>>().join("&");
            let path =
                if by_post { format!("/{resource_type}/_search") } else { format!("/{resource_type}") };
            (path, Some(query), by_post)
        }
        Wanted::KickOff(_) | Wanted::Poll(_) | Wanted::Delete(_) | Wanted::Manifest(_) => {
            return Err(Code::Internal.into());
        }
    };
    let request = RawRequest {
        method: if by_post { Method::Post } else { Method::Get },
        path: &path,
        query: query.as_deref().filter(|query| !by_post && !query.is_empty()),
        form: query.as_deref().filter(|_| by_post).map(str::as_bytes),
    };
    Ok(Interaction::parse(&request, max_id_length)?)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn answer(gateway: &Gateway, outcome: Result<Answered, Refusal>) -> Result<CallResponse, Status> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(refusal) => instead(gateway, &refusal).ok_or_else(|| refused(&refusal))?,
    };
    Ok(CallResponse { outcome: Some(outcome) })
}

/// The refusals that a job's logic acts on, as answers.
fn instead(gateway: &Gateway, refusal: &Refusal) -> Option<Answered> {
    if let Some(change) = refusal.scope_change.as_deref() {
        let (lost, added) = (change.lost.clone(), change.added.clone());
        return Some(Answered::ScopeChanged(pb::ScopeChanged { lost, added }));
    }
    let reason = match refusal.code {
        Code::UpstreamBusy => Reason::Ehr,
        Code::CircuitOpen => Reason::Breaker,
        Code::LocalLimit if refusal.what == Some(quota::USED_UP) => Reason::Quota,
        Code::LocalLimit => Reason::Places,
        Code::BulkWait => Reason::Export,
        _ => return None,
    };
    let seconds = refusal.retry_after.unwrap_or(UNTOLD_WAIT);
    let wait = Micros::try_from(seconds).unwrap_or(Micros::MAX).saturating_mul(1_000_000);
    let not_before = gateway.clock.now().saturating_add(wait);
    Some(Answered::Wait(pb::Wait { reason: reason.into(), not_before }))
}

fn data(is_search: bool, released: Released) -> Answered {
    let read_at = released.read_at;
    if !is_search {
        return Answered::Resource(pb::Resource { json: released.body, read_at });
    }
    Answered::Searchset(pb::Searchset {
        resources: released.resources,
        next: released.next.unwrap_or_default(),
        partial: released.partial.iter().map(|code| code.as_str().to_owned()).collect(),
        read_at,
    })
}

fn step(outcome: Outcome) -> Answered {
    match outcome {
        Outcome::Accepted(status) => Answered::Accepted(pb::Accepted { status }),
        Outcome::Running(running) => Answered::Running(pb::Running {
            not_before: running.not_before,
            told_by_ehr: running.told_by_ehr,
            percent: running.percent.map_or(-1, i32::from),
            so_far: running.so_far.map(manifest),
        }),
        Outcome::Manifest(found) => Answered::Manifest(manifest(found)),
        Outcome::Deleted { was_gone } => Answered::Deleted(pb::Deleted { was_gone }),
        Outcome::Failed { code, status, is_transient } => Answered::Failed(pb::Failed {
            code: code.as_str().to_owned(),
            upstream_status: status.into(),
            is_transient,
        }),
    }
}

fn manifest(found: bulk::Manifest) -> pb::Manifest {
    let number = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1);
    let file = |file: bulk::File| pb::File {
        kind: match file.kind {
            FileKind::Output => pb::file::Kind::Output,
            FileKind::Error => pb::file::Kind::Error,
            FileKind::Deleted => pb::file::Kind::Deleted,
        }
        .into(),
        index: i32::try_from(file.index).unwrap_or(i32::MAX),
        handle: file.handle,
        resource_type: file.resource_type,
        count: number(file.count),
        size: number(file.size),
        address_digest: file.address_digest,
    };
    pb::Manifest {
        transaction_time: found.transaction_time,
        files: found.files.into_iter().map(file).collect(),
        next: found.next,
        omitted_types: found.omitted_types,
        refused: i32::try_from(found.refused).unwrap_or(i32::MAX),
    }
}

fn item(event: Event) -> file_pb::Item {
    use bulk::file::Item;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    match event {
        Event::Begin { content_type, length, etag, is_range } => file_pb::Item::Begin(file_pb::Begin {
            content_type,
            length: length.map_or(-1, number),
            etag,
            is_range,
        }),
        Event::Item(Item::Lines { offset, data, count }) => file_pb::Item::Lines(file_pb::Lines {
            offset: number(offset),
            data,
            count: i32::try_from(count).unwrap_or(i32::MAX),
        }),
        Event::Item(Item::Withheld { offset, length, code }) => file_pb::Item::Withheld(file_pb::Withheld {
            offset: number(offset),
            length: number(length),
            code: code.as_str().to_owned(),
        }),
        Event::Item(Item::Remark { offset, length, issues, is_error }) => {
            file_pb::Item::Remark(file_pb::Remark {
                offset: number(offset),
                length: number(length),
                issues,
                is_error,
            })
        }
        Event::Item(Item::Deletions { offset, length, references }) => {
            let (offset, length) = (number(offset), number(length));
            file_pb::Item::Deletions(file_pb::Deletions { offset, length, references })
        }
        Event::End { length, released, withheld, is_truncated } => file_pb::Item::End(file_pb::End {
            length: number(length),
            released: number(released),
            withheld: number(withheld),
            is_truncated,
        }),
    }
}
