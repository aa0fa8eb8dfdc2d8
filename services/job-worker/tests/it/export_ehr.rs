//! fhir-gateway as an export sees it: files in memory, streamed in pieces of every size, and whatever goes wrong.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::stream;
use sallyport_model::{Clock, Code, Micros, ServiceName, SystemClock};
use sallyport_proto::gateway::v1::{
    self as gateway, Accepted, CallRequest, CallResponse, ChartRequest, ChartResponse, Deleted, Failed,
    FetchBulkFileRequest, FetchBulkFileResponse, File, KickOff, Manifest, Running, SourceRequest,
    SourceResponse, ViewRequest, ViewResponse,
    call_request::Interaction,
    call_response::Outcome,
    fetch_bulk_file_response::{Begin, End, Item, Lines, Withheld},
    fhir_gateway_server::{FhirGateway, FhirGatewayServer},
    file::Kind,
};
use sallyport_rpc::{AllowList, Served, Transport, status};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};

const WORKER: &[ServiceName] = &[ServiceName::JobWorker];
const ALLOW: AllowList = &[
    ("/sallyport.gateway.v1.FhirGateway/Call", WORKER),
    ("/sallyport.gateway.v1.FhirGateway/FetchBulkFile", WORKER),
];

/// When the server says that the export was taken.
pub(crate) const TAKEN_AT: &str = "2026-01-02T03:04:05.678Z";

/// What is in the export and what goes wrong with it.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) files: Vec<Vec<u8>>,
    /// These stand in the manifest a second time.
    pub(crate) repeated: Vec<usize>,
    /// Ready after so many polls, the next of which is due after so long.
    pub(crate) polls: usize,
    pub(crate) poll_after: Duration,
    /// The export fails with this.
    pub(crate) failed: Option<Failed>,
    /// The handles of a manifest are good for so many fetches.
    pub(crate) handle_life: Option<usize>,
    /// Fetches of these files end with a code, in their middle.
    pub(crate) broken: HashMap<usize, Code>,
    /// These lines of every file are withheld.
    pub(crate) withheld_line: Option<usize>,
    /// How long a piece takes.
    pub(crate) piece_delay: Duration,
    pub(crate) seed: u64,
    pub(crate) generation: usize,
    pub(crate) fetched_in_generation: usize,
    pub(crate) kick_offs: Vec<KickOff>,
    pub(crate) polled_at: Vec<Micros>,
    pub(crate) deleted: usize,
    /// File, and the offset from which it was asked for.
    pub(crate) fetches: Vec<(usize, usize)>,
    /// How far each file was ever sent.
    pub(crate) sent: HashMap<usize, usize>,
    /// The most that was sent again.
    pub(crate) sent_again: usize,
}

/// The gateway.
#[derive(Clone, Default)]
pub(crate) struct Exports(pub(crate) Arc<Mutex<Script>>);

impl Exports {
    pub(crate) fn of(script: Script) -> Self {
        Self(Arc::new(Mutex::new(script)))
    }

    pub(crate) fn transport(&self) -> Transport {
        let server = FhirGatewayServer::new(self.clone());
        Transport::local(Served::new(Routes::new(server), ALLOW), ServiceName::JobWorker)
    }

    fn outcome(&self, interaction: Interaction) -> Result<Outcome, Status> {
        let mut script = self.0.lock().unwrap();
        match interaction {
            Interaction::KickOff(asked) => {
                script.kick_offs.push(asked);
                Ok(Outcome::Accepted(Accepted { status: "status".to_owned() }))
            }
            Interaction::Poll(_) => {
                let now = SystemClock.now();
                script.polled_at.push(now);
                if let Some(failed) = &script.failed {
                    return Ok(Outcome::Failed(failed.clone()));
                }
                if script.polled_at.len() <= script.polls {
                    let wait = Micros::try_from(script.poll_after.as_micros()).unwrap();
                    return Ok(Outcome::Running(Running { not_before: now + wait, ..Running::default() }));
                }
                script.generation += 1;
                script.fetched_in_generation = 0;
                Ok(Outcome::Manifest(script.manifest()))
            }
            Interaction::Delete(_) => {
                script.deleted += 1;
                Ok(Outcome::Deleted(Deleted { was_gone: false }))
            }
            _ => Err(status(Code::RunDenied)),
        }
    }
}

impl Script {
    fn manifest(&self) -> Manifest {
        let entries = (0..self.files.len()).chain(self.repeated.iter().copied()).enumerate();
        let file = |(index, file): (usize, usize)| File {
            kind: Kind::Output.into(),
            index: i32::try_from(index).unwrap(),
            handle: format!("{}/{file}", self.generation),
            resource_type: "Patient".to_owned(),
            count: -1,
            size: -1,
            address_digest: vec![u8::try_from(file % 256).unwrap(), u8::try_from(file / 256).unwrap()],
        };
        Manifest {
            transaction_time: TAKEN_AT.to_owned(),
            files: entries.map(file).collect(),
            ..Manifest::default()
        }
    }

    /// A pseudo-random number below `most`.
    fn random(&mut self, most: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).unwrap() % most
    }

    /// Everything that is sent of a file from `offset` on, cut at lines into pieces of many sizes.
    fn pieces(&mut self, file: usize, offset: usize) -> Vec<Result<Item, Code>> {
        let content = self.files[file].clone();
        let (mut items, mut at) = (vec![Ok(Item::Begin(Begin { length: -1, ..Begin::default() }))], 0);
        let (mut data, mut from) = (Vec::new(), offset);
        let mut most = 1 + self.random(2_000);
        let (mut released, mut withheld) = (0, 0);
        for (number, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let start = at;
            at += line.len();
            if start < offset {
                continue;
            }
            if self.withheld_line == Some(number) {
                items.push(Ok(lines(from, std::mem::take(&mut data))));
                let code = Code::BulkLineInvalid.as_str().to_owned();
                let (offset, length) = (i64::try_from(start).unwrap(), i64::try_from(line.len()).unwrap());
                items.push(Ok(Item::Withheld(Withheld { offset, length, code })));
                (from, withheld) = (at, withheld + 1);
                continue;
            }
            data.extend_from_slice(line);
            released += 1;
            if data.len() >= most {
                items.push(Ok(lines(from, std::mem::take(&mut data))));
                from = at;
                most = 1 + self.random(2_000);
            }
        }
        items.push(Ok(lines(from, data)));
        if let Some(code) = self.broken.get(&file) {
            items.truncate(items.len() / 2 + 1);
            items.push(Err(*code));
            return items;
        }
        let length = i64::try_from(content.len()).unwrap();
        items.push(Ok(Item::End(End { length, released, withheld, is_truncated: false })));
        items
    }
}

fn lines(offset: usize, data: Vec<u8>) -> Item {
    Item::Lines(Lines { offset: i64::try_from(offset).unwrap(), data: data.into(), count: 0 })
}

#[tonic::async_trait]
impl FhirGateway for Exports {
    async fn view(&self, _: Request<ViewRequest>) -> Result<Response<ViewResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn chart(&self, _: Request<ChartRequest>) -> Result<Response<ChartResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn source(&self, _: Request<SourceRequest>) -> Result<Response<SourceResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn care_gaps(
        &self,
        _: Request<gateway::CareGapsRequest>,
    ) -> Result<Response<gateway::CareGapsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn proposals(
        &self,
        _: Request<gateway::ProposalsRequest>,
    ) -> Result<Response<gateway::ProposalsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn decide_proposal(
        &self,
        _: Request<gateway::DecideProposalRequest>,
    ) -> Result<Response<gateway::DecideProposalResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn probe(
        &self,
        _: Request<gateway::ProbeRequest>,
    ) -> Result<Response<gateway::ProbeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn look(
        &self,
        _: Request<gateway::LookRequest>,
    ) -> Result<Response<gateway::LookResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn capability(
        &self,
        _: Request<gateway::CapabilityRequest>,
    ) -> Result<Response<gateway::CapabilityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn write(
        &self,
        _: Request<gateway::WriteRequest>,
    ) -> Result<Response<gateway::WriteResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn writes(
        &self,
        _: Request<gateway::WritesRequest>,
    ) -> Result<Response<gateway::WritesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn call(&self, request: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        let outcome = self.outcome(request.into_inner().interaction.unwrap())?;
        Ok(Response::new(CallResponse { outcome: Some(outcome) }))
    }

    type FetchBulkFileStream = BoxStream<FetchBulkFileResponse>;

    async fn fetch_bulk_file(
        &self,
        request: Request<FetchBulkFileRequest>,
    ) -> Result<Response<Self::FetchBulkFileStream>, Status> {
        let request = request.into_inner();
        let offset = usize::try_from(request.offset).unwrap();
        let (items, delay, file) = {
            let mut script = self.0.lock().unwrap();
            let (generation, file) = request.file.split_once('/').unwrap();
            let file: usize = file.parse().unwrap();
            script.fetched_in_generation += 1;
            let is_dead = script.handle_life.is_some_and(|life| script.fetched_in_generation > life);
            if generation != script.generation.to_string() || is_dead {
                return Err(status(Code::BulkFileGone));
            }
            script.fetches.push((file, offset));
            let again = script.sent.get(&file).copied().unwrap_or(0).saturating_sub(offset);
            script.sent_again = script.sent_again.max(again);
            (script.pieces(file, offset), script.piece_delay, file)
        };
        let script = Arc::clone(&self.0);
        let sent = stream::unfold(items.into_iter(), move |mut items| {
            let script = Arc::clone(&script);
            async move {
                let item = items.next()?;
                tokio::time::sleep(delay).await;
                if let Ok(Item::Lines(lines)) = &item {
                    let reach = usize::try_from(lines.offset).unwrap() + lines.data.len();
                    let mut script = script.lock().unwrap();
                    let sent = script.sent.entry(file).or_default();
                    *sent = reach.max(*sent);
                }
                let item = item.map(|item| FetchBulkFileResponse { item: Some(item) });
                Some((item.map_err(status), items))
            }
        });
        Ok(Response::new(Box::pin(sent)))
    }
}
