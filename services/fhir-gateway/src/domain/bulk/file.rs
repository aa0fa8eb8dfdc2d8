//! One file of an export, from the EHR to the run: opened like any call, streamed with bounded memory, one record.
//!
//! A file can be gone on with at any line that was received: by a range where the server has ranges, else by reading again
//! and skipping, so that the run never gets a byte twice.

use std::{sync::Arc, time::Duration};

use sallyport_egress::{
    EgressError, File as Incoming, HeaderMap, HeaderValue, Instant, Method, Request, Url, header,
};
use sallyport_fhir::{Limits, ResourceType, ndjson::Splitter};
use sallyport_model::{AccessContext, Code, Micros, RequestId, Secret};
use sallyport_resilience::{Outcome as Health, Priority, retry_after};
use sallyport_vendors::Profile;
use tokio::sync::mpsc;

pub(crate) use super::lines::Item;
use super::{
    AnyOf, FileKind,
    lines::{Check, Lines},
    manifest::FileAddress,
    passing::{Start, Taker},
    permitted, scene,
};
use crate::{
    Gateway,
    domain::{
        call::durable,
        context,
        handles::What,
        holder::Holder,
        launch_limits::Permit,
        limits::Sending,
        place::Place,
        recording::{Draft, Open, Tally},
        run::Run,
        upstream::{self, Sent},
    },
    error::Refusal,
};

/// Longest pause between two pieces of a file.
const IDLE: Duration = Duration::from_secs(60);

/// What a run asks for.
pub(crate) struct Asked {
    pub(crate) handle: String,
    /// Bytes of the unpacked file that it has.
    pub(crate) offset: u64,
    /// The validator they came under; empty for none.
    pub(crate) etag: String,
}

/// What a run gets, in order.
pub(crate) enum Event {
    Begin { content_type: String, length: Option<u64>, etag: String, is_range: bool },
    Item(Item),
    End { length: u64, released: u64, withheld: u64, is_truncated: bool },
}

/// Where what a run gets goes; a run that has gone away takes nothing more.
pub(crate) type Sink = mpsc::Sender<Result<Event, Refusal>>;

/// A file that may be fetched and holds its permit.
struct Prepared {
    access: AccessContext,
    place: Arc<Place>,
    profile: Arc<Profile>,
    address: FileAddress,
    url: Url,
    resource_type: Option<ResourceType>,
    constraints: Vec<AnyOf>,
    _permit: Permit,
}

/// Fetches a file. Whatever becomes of it is recorded; nothing is sent before its intent is durable.
pub(crate) async fn fetch(
    gateway: Arc<Gateway>,
    run: Arc<Run>,
    asked: Asked,
    request_id: RequestId,
    deadline: Instant,
    sink: Sink,
) {
    let taker = Taker::new(&sink, run.expires_at.saturating_sub(gateway.clock.now()));
    let mut draft = Draft::of_run(&run, request_id, gateway.clock.now());
    draft.export("export-file", []);
    let prepared = match prepare(&gateway, &run, &asked, &mut draft, deadline).await {
        Ok(prepared) => prepared,
        Err(refusal) => {
            let recorded = gateway.recorder.refused(draft, &refusal).await;
            let _gone = sink.send(Err(recorded.err().unwrap_or(refusal))).await;
            return;
        }
    };
    let (mut open, pending) = match gateway.recorder.begin(draft) {
        Ok(begun) => begun,
        Err(refusal) => {
            let _gone = sink.send(Err(refusal)).await;
            return;
        }
    };
    let sent =
        Sent { if_none_match: None, request_id, priority: Priority::Background, deadline, run: Some(&run) };
    let opened = async { Ok(open_file(&gateway, &prepared, &asked, &sent).await) };
    let result = match tokio::try_join!(durable(pending), opened) {
        Ok(((), Ok(incoming))) => {
            pass_on(&gateway, &run, &prepared, &asked, incoming, &mut open, &taker).await
        }
        Ok(((), Err(refusal))) | Err(refusal) => Err(Some(refusal)),
    };
    match result {
        Ok(tally) => open.close(Ok(tally)),
        // Dropped, the record says that the caller went away.
        Err(None) => drop(open),
        Err(Some(refusal)) => {
            open.close(Err(&refusal));
            let _gone = sink.send_timeout(Err(refusal), IDLE).await;
        }
    }
}

async fn prepare(
    gateway: &Gateway,
    run: &Arc<Run>,
    asked: &Asked,
    draft: &mut Draft,
    deadline: Instant,
) -> Result<Prepared, Refusal> {
    let (access, place, profile, policy) = scene(gateway, run)?;
    let address: FileAddress = gateway.handles.open(run, What::File, &asked.handle).await?;
    draft.export("export-file", [address.resource_type.clone()]);
    let url = Url::parse(&address.url).map_err(|_url| Code::BulkHandleInvalid)?;
    let is_pinned = place.bulk_pins.admits(&url) || (!address.with_token && place.file_pins.admits(&url));
    if !is_pinned && !sallyport_model::planted!("manifest-followed-anywhere") {
        return Err(Code::BulkForeignAddress.into());
    }
    let resource_type = ResourceType::parse(&address.resource_type);
    let constraints = match address.kind {
        FileKind::Output => permitted(&access, policy, resource_type.ok_or(Code::TypeDenied)?)?,
        // Of these only codes and references leave.
        FileKind::Error | FileKind::Deleted => Vec::new(),
    };
    let permit = gateway.enter(Holder::Run(run), &place, Priority::Background, deadline).await?;
    Ok(Prepared { access, place, profile, address, url, resource_type, constraints, _permit: permit })
}

/// Opens the file, with one fresh token after a 401.
async fn open_file(
    gateway: &Gateway,
    prepared: &Prepared,
    asked: &Asked,
    sent: &Sent<'_>,
) -> Result<Incoming, Refusal> {
    // The scopes are compared even where no token goes along (invariant 9).
    let token = upstream::token(gateway, &prepared.access, sent, None).await?;
    let with_token = prepared.address.with_token;
    let first = send(gateway, prepared, asked, sent, with_token.then_some(&token.secret)).await?;
    if first.status != 401 || !with_token {
        return understood(prepared, first, gateway.clock.now());
    }
    let fresh = upstream::token(gateway, &prepared.access, sent, Some(&token.secret)).await?;
    let second = send(gateway, prepared, asked, sent, Some(&fresh.secret)).await?;
    if second.status == 401 {
        gateway.tokens.forget(prepared.access.grant);
    }
    understood(prepared, second, gateway.clock.now())
}

async fn send(
    gateway: &Gateway,
    prepared: &Prepared,
    asked: &Asked,
    sent: &Sent<'_>,
    bearer: Option<&Secret<String>>,
) -> Result<Incoming, Refusal> {
    let place = &prepared.place;
    let sending = gateway.circuits.admit(place, gateway.clock.now(), sent.priority).await?;
    gateway.quotas.take(place, &prepared.profile, sent.priority).await?;
    gateway.metrics.hop("ehr");
    let request = Request {
        method: Method::GET,
        url: prepared.url.clone(),
        headers: headers(asked, sent),
        body: sallyport_egress::Bytes::new(),
        bearer,
        deadline: sent.deadline,
        max_body_bytes: 0,
        allow_loopback: place.allow_loopback,
    };
    // What is not behind the token may lie where files are; what is, only where the token may go.
    let pins = if prepared.address.with_token || place.bulk_pins.admits(&prepared.url) {
        &place.bulk_pins
    } else {
        &place.file_pins
    };
    let answered = gateway.egress.file(pins, &place.file_pins, request, IDLE).await;
    report(gateway, place, sending, &answered).await;
    answered.map_err(Refusal::from)
}

async fn report(
    gateway: &Gateway,
    place: &Place,
    sending: Sending<'_>,
    answered: &Result<Incoming, EgressError>,
) {
    let health = match answered {
        Ok(file) if matches!(file.status.as_u16(), 500 | 502..=504) => Health::Failure,
        Err(EgressError::Timeout | EgressError::Unreachable | EgressError::Interrupted) => Health::Failure,
        Ok(_) | Err(_) => Health::Success,
    };
    let now = gateway.clock.now();
    for change in sending.done(health, None, now) {
        gateway.circuits.tell(place, change, now).await;
    }
}

fn headers(asked: &Asked, sent: &Sent<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+ndjson"));
    if let Ok(id) = HeaderValue::try_from(sent.request_id.to_string()) {
        headers.insert("x-request-id", id);
    }
    if asked.offset > 0 {
        if let Ok(range) = HeaderValue::try_from(format!("bytes={}-", asked.offset)) {
            headers.insert(header::RANGE, range);
        }
        // Otherwise a file that was written anew would be gone on with in its middle (RFC 9110 §13.1.5).
        if let Some(etag) = HeaderValue::try_from(&asked.etag).ok().filter(|_| !asked.etag.is_empty()) {
            headers.insert(header::IF_RANGE, etag);
        }
    }
    headers
}

/// What the head of the answer means.
fn understood(prepared: &Prepared, incoming: Incoming, now: Micros) -> Result<Incoming, Refusal> {
    let status = incoming.status.as_u16();
    let code = match status {
        200 | 206 => {
            let content = incoming.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
            // A sign-in page, most likely.
            let is_page = content.is_some_and(|text| text.to_ascii_lowercase().contains("html"));
            return if is_page {
                Err(Refusal::upstream(Code::UpstreamInvalid, status))
            } else {
                Ok(incoming)
            };
        }
        416 => Code::BulkFileChanged,
        401 if prepared.address.with_token => Code::UpstreamUnauthorized,
        // An address that was signed for a time is refused afterwards, in whatever words the storage has.
        400 | 401 | 403 | 404 | 410 => Code::BulkFileGone,
        429 | 503 => Code::UpstreamBusy,
        _ => Code::UpstreamError,
    };
    let told = incoming.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok());
    let cap = Duration::from_secs(*prepared.profile.limits.wait_cap_seconds);
    let retry_after =
        told.and_then(|value| retry_after::parse(value, now, cap)).map(|wait| wait.as_secs() + 1);
    Err(Refusal { retry_after, ..Refusal::upstream(code, status) })
}

/// Passes the file on, line by line. `Err(None)` when the run has gone away.
async fn pass_on(
    gateway: &Gateway,
    run: &Arc<Run>,
    prepared: &Prepared,
    asked: &Asked,
    mut incoming: Incoming,
    open: &mut Open<'_>,
    taker: &Taker<'_>,
) -> Result<Tally, Option<Refusal>> {
    let start = Start::of(asked, &incoming)?;
    let status = incoming.status.as_u16();
    gateway.sessions.check_runs_grant(run).map_err(|code| Some(code.into()))?;
    taker.give(start.begin(&incoming)).await?;
    let policy = &context::entry_of_run(&gateway.registry, run).map_err(Some)?.tenant.policy;
    let mut lines = Lines::new(Check {
        run,
        purpose: prepared.access.purpose,
        policy,
        place: &prepared.place,
        kind: prepared.address.kind,
        resource_type: prepared.resource_type,
        types: &prepared.address.types,
        constraints: &prepared.constraints,
        limits: Limits { max_bytes: gateway.config.max_bulk_line_bytes, ..Limits::default() },
    });
    let mut splitter = Splitter::new(asked.offset, gateway.config.max_bulk_line_bytes);
    let (mut skip, mut bytes) = (start.skip, 0_usize);
    loop {
        let mut piece = match incoming.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => return Err(Some(error.into())),
        };
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
        skip -= skipped as u64;
        let piece = piece.split_off(skipped);
        splitter.push(&piece, |line| lines.line(&line));
        bytes += leave(gateway, run, &mut lines, taker, false).await?;
    }
    if skip > 0 {
        return Err(Some(Refusal::upstream(Code::BulkFileChanged, status)));
    }
    let length = splitter.finish(|line| lines.line(&line));
    bytes += leave(gateway, run, &mut lines, taker, true).await?;
    if let Some(draft) = open.draft() {
        draft.patients(std::mem::take(&mut lines.patients).into_iter());
    }
    let (released, withheld) = (lines.released, lines.withheld);
    taker.give(Event::End { length, released, withheld, is_truncated: lines.is_truncated }).await?;
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Tally {
        released: count(released),
        withheld: count(withheld),
        bytes,
        status: 200,
        upstream_status: status,
    })
}

/// Sends what may leave by now; says how many bytes of resources that was.
async fn leave(
    gateway: &Gateway,
    run: &Run,
    lines: &mut Lines<'_>,
    taker: &Taker<'_>,
    all: bool,
) -> Result<usize, Option<Refusal>> {
    let mut bytes = 0;
    let items = lines.take(all);
    if !items.is_empty() {
        // The grant may have ended while the file was being read.
        gateway.sessions.check_runs_grant(run).map_err(|code| Some(code.into()))?;
    }
    for item in items {
        if let Item::Lines { data, .. } = &item {
            bytes += data.len();
        }
        taker.give(Event::Item(item)).await?;
    }
    if lines.is_foreign {
        return Err(Some(Refusal::upstream(Code::UpstreamForeignPatient, 200)));
    }
    Ok(bytes)
}
