//! fhir-gateway as a worker sees it, with an EHR behind it in memory: patients with observations, and whatever goes wrong.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use sallyport_model::{Clock, Code, Micros, ServiceName, SystemClock};
use sallyport_proto::gateway::v1::{
    self as gateway, CallRequest, CallResponse, ChartRequest, ChartResponse, FetchBulkFileRequest,
    FetchBulkFileResponse, Resource, RunAuthority, ScopeChanged, Searchset, SourceRequest, SourceResponse,
    ViewRequest, ViewResponse, Wait,
    call_request::Interaction,
    call_response::Outcome,
    cohort::Whose,
    fhir_gateway_server::{FhirGateway, FhirGatewayServer},
    wait::Reason,
};
use sallyport_rpc::{AllowList, Served, Transport, status};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};

const ALLOW: AllowList = &[("/sallyport.gateway.v1.FhirGateway/Call", &[ServiceName::JobWorker])];

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) tenant: String,
    pub(crate) patient: String,
    /// `Patient`, `Observation?`, …
    pub(crate) what: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) at: Micros,
    pub(crate) authority: RunAuthority,
}

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// Patients whose searches are refused with a code.
    pub(crate) poisoned: HashMap<String, Code>,
    /// Reads of these end with a code.
    pub(crate) missing: HashMap<String, Code>,
    /// Every call is told to wait until then.
    pub(crate) closed_until: Option<(Micros, Reason)>,
    /// Scopes that were taken away.
    pub(crate) lost: Vec<String>,
    /// Every call ends with this code.
    pub(crate) everything: Option<Code>,
    /// How long a call takes.
    pub(crate) delay: Duration,
    /// The thread of the next call about this patient stands still for so long.
    pub(crate) stand_still: HashMap<String, Duration>,
    /// No call is answered before this says so.
    pub(crate) answers: Option<tokio::sync::watch::Receiver<bool>>,
}

/// Resources by patient and by what they answer.
type Charts = HashMap<(String, String), Vec<String>>;

/// The EHR.
#[derive(Clone, Default)]
pub(crate) struct Ehr {
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
    /// What a patient's chart holds, where a test says it: `Patient/p000` or `Condition?`, and the resources.
    pub(crate) charts: Arc<Mutex<Charts>>,
    /// Patients whose observations changed, and when.
    pub(crate) changed: Arc<Mutex<HashMap<String, String>>>,
}

impl Ehr {
    pub(crate) fn transport(&self) -> Transport {
        let server = FhirGatewayServer::new(self.clone());
        Transport::local(Served::new(Routes::new(server), ALLOW), ServiceName::JobWorker)
    }

    /// Calls so far.
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// How often each patient's observations were searched.
    pub(crate) fn searches(&self) -> HashMap<String, usize> {
        let mut found = HashMap::new();
        for call in self.calls.lock().unwrap().iter().filter(|call| call.what == "Observation?") {
            *found.entry(call.patient.clone()).or_default() += 1;
        }
        found
    }

    /// How often something was asked about a patient.
    pub(crate) fn calls_about(&self, patient: &str, what: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.patient == patient && call.what == what).count()
    }

    /// What was asked more than once about a patient.
    pub(crate) fn asked_twice(&self) -> Vec<(String, String)> {
        let mut seen = HashSet::new();
        let calls = self.calls.lock().unwrap();
        let asked = calls.iter().map(|call| (call.patient.clone(), call.what.clone()));
        asked.filter(|pair| !seen.insert(pair.clone())).collect()
    }

    /// Tenants in the order of their calls.
    pub(crate) fn tenants(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call.tenant.clone()).collect()
    }

    /// The patients that were asked about.
    pub(crate) fn patients(&self) -> HashSet<String> {
        self.calls.lock().unwrap().iter().map(|call| call.patient.clone()).collect()
    }

    fn resources(&self, patient: &str, what: &str, since: Option<&str>) -> Vec<bytes::Bytes> {
        let changed = self.changed.lock().unwrap().get(patient).cloned();
        let line = |text: String| bytes::Bytes::from(text.into_bytes());
        match what {
            "Observation?" => {
                let at = changed.unwrap_or_else(|| "2026-01-01T00:00:00Z".to_owned());
                if since.is_some_and(|since| at.as_str() < since) {
                    return Vec::new();
                }
                let one = |n: usize| {
                    line(format!(
                        "{{\"resourceType\":\"Observation\",\"id\":\"{patient}-{n}\",\"meta\":{{\"lastUpdated\":\"{at}\"}},\
                         \"subject\":{{\"reference\":\"Patient/{patient}\"}}}}"
                    ))
                };
                (0..3).map(one).collect()
            }
            "MedicationRequest?" => vec![line(format!(
                "{{\"resourceType\":\"MedicationRequest\",\"id\":\"{patient}-m\",\
                 \"meta\":{{\"lastUpdated\":\"2026-01-01T00:00:00Z\"}},\
                 \"subject\":{{\"reference\":\"Patient/{patient}\"}},\
                 \"medicationReference\":{{\"reference\":\"Medication/aspirin\"}}}}"
            ))],
            _ => Vec::new(),
        }
    }
}

#[tonic::async_trait]
impl FhirGateway for Ehr {
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
        let request = request.into_inner();
        let authority = request.authority.unwrap();
        let Some(Whose::Patient(patient)) = authority.cohort.clone().and_then(|cohort| cohort.whose) else {
            return Err(status(Code::RunDenied));
        };
        let (what, parameters) = match request.interaction.unwrap() {
            Interaction::Read(read) => (format!("{}/{}", read.resource_type, read.id), Vec::new()),
            Interaction::Search(search) => {
                let pairs = search.parameters.into_iter().map(|p| (p.name, p.value)).collect();
                (format!("{}?", search.resource_type), pairs)
            }
            _ => return Err(status(Code::RunDenied)),
        };
        let tenant = authority.tenant.clone();
        let call = Call {
            tenant,
            patient: patient.clone(),
            what: what.clone(),
            parameters: parameters.clone(),
            at: SystemClock.now(),
            authority,
        };
        self.calls.lock().unwrap().push(call);
        let (delay, still, answers) = {
            let mut faults = self.faults.lock().unwrap();
            (faults.delay, faults.stand_still.remove(&patient), faults.answers.clone())
        };
        if let Some(mut answers) = answers {
            answers.wait_for(|open| *open).await.unwrap();
        }
        if let Some(still) = still {
            // The whole thread, as a process that was stopped: its heartbeats stand still too.
            std::thread::sleep(still);
        }
        tokio::time::sleep(delay).await;
        let outcome = self.outcome(&patient, &what, &parameters)?;
        Ok(Response::new(CallResponse { outcome: Some(outcome) }))
    }

    type FetchBulkFileStream = BoxStream<FetchBulkFileResponse>;

    async fn fetch_bulk_file(
        &self,
        _: Request<FetchBulkFileRequest>,
    ) -> Result<Response<Self::FetchBulkFileStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

impl Ehr {
    fn outcome(&self, patient: &str, what: &str, parameters: &[(String, String)]) -> Result<Outcome, Status> {
        let faults = self.faults.lock().unwrap();
        if let Some(code) = faults.everything {
            return Err(status(code));
        }
        if let Some((not_before, reason)) = faults.closed_until
            && SystemClock.now() < not_before
        {
            return Ok(Outcome::Wait(Wait { reason: reason.into(), not_before }));
        }
        if !faults.lost.is_empty() {
            let changed = ScopeChanged { lost: faults.lost.clone(), added: Vec::new() };
            return Ok(Outcome::ScopeChanged(changed));
        }
        if let Some(code) = faults.poisoned.get(patient).filter(|_| what.ends_with('?')) {
            return Err(status(*code));
        }
        let read_at = SystemClock.now();
        if let Some(code) = faults.missing.get(what) {
            return Err(status(*code));
        }
        let charts = self.charts.lock().unwrap();
        if let Some(chart) = charts.get(&(patient.to_owned(), what.to_owned())) {
            let mut resources = chart.iter().map(|text| bytes::Bytes::from(text.clone()));
            return Ok(match what.contains('/') {
                true => Outcome::Resource(Resource { json: resources.next().unwrap(), read_at }),
                false => Outcome::Searchset(Searchset {
                    resources: resources.collect(),
                    read_at,
                    ..Searchset::default()
                }),
            });
        }
        drop(charts);
        if let Some((resource_type, id)) = what.split_once('/') {
            let json = format!("{{\"resourceType\":\"{resource_type}\",\"id\":\"{id}\"}}");
            return Ok(Outcome::Resource(Resource { json: json.into(), read_at }));
        }
        let since = parameters.iter().find(|(name, _)| name == "_lastUpdated");
        let since = since.map(|(_, value)| value.trim_start_matches("ge"));
        let resources = self.resources(patient, what, since);
        Ok(Outcome::Searchset(Searchset { resources, read_at, ..Searchset::default() }))
    }
}
