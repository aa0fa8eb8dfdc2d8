//! A fhir-gateway that serves canned charts, made by the real normaliser from small invented resources.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sallyport_clinical::{Context, FhirVersion, Input, Mapping, ReadProblem, Section, normalise};
use sallyport_model::{Clock, Code, LaunchId, PatientId, ServiceName, TestClock};
use sallyport_proto::gateway::v1::{
    CallRequest, CallResponse, CapabilityRequest, CapabilityResponse, CareGapsRequest, CareGapsResponse,
    ChartRequest, ChartResponse, DecideProposalRequest, DecideProposalResponse, FetchBulkFileRequest,
    FetchBulkFileResponse, LookRequest, LookResponse, ProbeRequest, ProbeResponse, ProposalsRequest,
    ProposalsResponse, SourceRequest, SourceResponse, ViewRequest, ViewResponse, WriteRequest, WriteResponse,
    WritesRequest, WritesResponse,
    fhir_gateway_server::{FhirGateway, FhirGatewayServer},
    view_response::Feature,
};
use sallyport_registry::Registry;
use sallyport_rpc::{AllowList, Later, SESSION_METADATA, Served, Transport, status};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};

use crate::chart;

/// 14-Jul-2026 14:02 UTC.
pub(crate) const NOW: i64 = 1_784_037_720_000_000;
/// The cookie's value of every canned launch.
pub(crate) const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const ALLOW: AllowList = &[
    ("/sallyport.gateway.v1.FhirGateway/View", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Chart", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Source", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/CareGaps", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Proposals", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/DecideProposal", &[ServiceName::Web]),
];

/// What one launch answers.
#[derive(Clone)]
pub(crate) struct Canned {
    pub(crate) view: ViewResponse,
    pub(crate) resources: HashMap<Section, Vec<String>>,
    pub(crate) problems: HashMap<Section, Vec<ReadProblem>>,
    pub(crate) refusals: HashMap<Section, Code>,
    pub(crate) never: Vec<Section>,
    /// `None`: no answer comes.
    pub(crate) care_gaps: Option<Result<CareGapsResponse, Code>>,
    pub(crate) proposals: ProposalsResponse,
    /// Decisions end so.
    pub(crate) decision: Result<(), Code>,
    pub(crate) delay: Duration,
    pub(crate) calls: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Canned {
    /// A chart with something in every section.
    pub(crate) fn whole() -> Self {
        let sections: Vec<String> = Section::ALL.iter().map(|s| s.as_str().to_owned()).collect();
        Self {
            view: ViewResponse {
                tenant_name: "General Hospital".into(),
                environment: "sandbox".into(),
                endpoint_name: "Sandbox EHR".into(),
                app_name: "Sallyport".into(),
                user_display: "Dr Elena Reyes".into(),
                need_patient_banner: true,
                has_patient: true,
                idle_expires_at: NOW + 15 * 60_000_000,
                absolute_expires_at: NOW + 8 * 3_600_000_000,
                frame_ancestors: vec!["https://ehr.example".into()],
                relaunch_path: "/launch/general".into(),
                features: vec![
                    Feature {
                        id: "patient-summary".into(),
                        title: "Patient summary".into(),
                        on: true,
                        reason: String::new(),
                        sections,
                    },
                    Feature {
                        id: "clinical-documentation".into(),
                        title: "Notes".into(),
                        on: false,
                        reason: "the EHR did not grant writing documents".into(),
                        sections: Vec::new(),
                    },
                ],
                time_zone: "America/New_York".into(),
                ..ViewResponse::default()
            },
            resources: chart::whole(),
            problems: HashMap::new(),
            refusals: HashMap::new(),
            never: Vec::new(),
            care_gaps: Some(Err(Code::FeatureOff)),
            proposals: ProposalsResponse::default(),
            decision: Ok(()),
            delay: Duration::ZERO,
            calls: Arc::default(),
        }
    }

    pub(crate) fn with(mut self, section: Section, resources: Vec<String>) -> Self {
        self.resources.insert(section, resources);
        self
    }

    /// The feature of care gaps is on, and this is what scans have found.
    pub(crate) fn with_care_gaps(mut self, answer: Option<Result<CareGapsResponse, Code>>) -> Self {
        self.view.features.push(Feature {
            id: "care-gap-cards".into(),
            title: "Care gaps".into(),
            on: true,
            reason: String::new(),
            sections: vec!["care-gaps".into()],
        });
        self.care_gaps = answer;
        self
    }

    /// The section was not read, for that reason.
    pub(crate) fn without(mut self, section: Section, code: Code, resource_type: &str) -> Self {
        self.resources.remove(&section);
        self.problems.insert(section, vec![ReadProblem::from_code(code, resource_type)]);
        self
    }
}

/// The canned launches, by launch.
#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<HashMap<LaunchId, Canned>>);

impl Fake {
    fn canned<T>(&self, request: &Request<T>, launch: &[u8]) -> Result<Canned, Status> {
        let cookie = request.metadata().get_bin(SESSION_METADATA).and_then(|v| v.to_bytes().ok());
        if cookie.as_deref() != Some(SECRET.as_bytes()) {
            return Err(status(Code::SessionMissing));
        }
        let launch =
            sallyport_proto::convert::launch_id(launch).map_err(|_invalid| status(Code::RequestInvalid))?;
        self.0.get(&launch).cloned().ok_or_else(|| status(Code::SessionExpired))
    }

    /// A transport to it, as `web` would hold it.
    pub(crate) fn transport(self) -> Transport {
        Transport::local(Served::new(Routes::new(FhirGatewayServer::new(self)), ALLOW), ServiceName::Web)
    }
}

#[tonic::async_trait]
impl FhirGateway for Fake {
    async fn view(&self, request: Request<ViewRequest>) -> Result<Response<ViewResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        Ok(Response::new(canned.view))
    }

    async fn chart(&self, request: Request<ChartRequest>) -> Result<Response<ChartResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        let asked = request.into_inner();
        canned.calls.lock().unwrap().push(format!("{} by_person={}", asked.section, asked.by_person));
        let section: Section = asked.section.parse().map_err(|_invalid| status(Code::RequestInvalid))?;
        if canned.never.contains(&section) {
            std::future::pending::<()>().await;
        }
        if let Some(code) = canned.refusals.get(&section) {
            return Err(status(*code));
        }
        tokio::time::sleep(canned.delay * u32::try_from(section as usize).unwrap_or(1)).await;
        let patient = PatientId::parse("pat-1").unwrap();
        let encounter = sallyport_model::EncounterId::parse("enc-1").unwrap();
        let context = Context {
            patient: &patient,
            encounter: Some(&encounter),
            fhir_base: "https://ehr.example/fhir",
            fhir_version: FhirVersion::R4,
            mapping: Mapping::V2026_1,
        };
        let resources = canned.resources.get(&section).cloned().unwrap_or_default();
        let inputs: Vec<Input<'_>> =
            resources.iter().map(|r| Input { resource: r.as_bytes(), read_at: NOW }).collect();
        let problems = canned.problems.get(&section).cloned().unwrap_or_default();
        let chart = normalise(section, &context, &inputs, problems);
        Ok(Response::new(ChartResponse { json: serde_json::to_vec(&chart).unwrap().into() }))
    }

    async fn source(&self, request: Request<SourceRequest>) -> Result<Response<SourceResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        let asked = request.into_inner().reference;
        let is_asked = |json: &&String| {
            let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
            format!("{}/{}", value["resourceType"].as_str().unwrap_or(""), value["id"].as_str().unwrap_or(""))
                == asked
        };
        let found = canned.resources.values().flatten().find(is_asked);
        let json = found.ok_or_else(|| status(Code::PatientDenied))?.clone().into_bytes();
        Ok(Response::new(SourceResponse { json, read_at: NOW }))
    }

    async fn care_gaps(
        &self,
        request: Request<CareGapsRequest>,
    ) -> Result<Response<CareGapsResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        canned.calls.lock().unwrap().push(format!("care-gaps by_person={}", request.get_ref().by_person));
        match canned.care_gaps {
            Some(answer) => answer.map(Response::new).map_err(status),
            None => std::future::pending().await,
        }
    }

    async fn proposals(
        &self,
        request: Request<ProposalsRequest>,
    ) -> Result<Response<ProposalsResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        canned.calls.lock().unwrap().push("proposals".to_owned());
        Ok(Response::new(canned.proposals))
    }

    async fn decide_proposal(
        &self,
        request: Request<DecideProposalRequest>,
    ) -> Result<Response<DecideProposalResponse>, Status> {
        let canned = self.canned(&request, &request.get_ref().launch_id)?;
        let request = request.into_inner();
        let said = format!("decide {} {:?}", hex::encode(request.proposal_id), request.decision);
        canned.calls.lock().unwrap().push(said);
        canned.decision.map_err(status)?;
        Ok(Response::new(DecideProposalResponse::default()))
    }

    async fn call(&self, _: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        Err(status(Code::CallerDenied))
    }

    type FetchBulkFileStream = BoxStream<FetchBulkFileResponse>;

    async fn fetch_bulk_file(
        &self,
        _: Request<FetchBulkFileRequest>,
    ) -> Result<Response<Self::FetchBulkFileStream>, Status> {
        Err(status(Code::CallerDenied))
    }

    async fn probe(&self, _: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        Err(Status::unimplemented("nothing here looks at an endpoint"))
    }

    async fn look(&self, _: Request<LookRequest>) -> Result<Response<LookResponse>, Status> {
        Err(Status::unimplemented("nothing here looks at an endpoint"))
    }

    async fn capability(
        &self,
        _: Request<CapabilityRequest>,
    ) -> Result<Response<CapabilityResponse>, Status> {
        Err(Status::unimplemented("nothing here looks at an endpoint"))
    }

    async fn write(&self, _request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        Err(status(Code::WriteNotOffered))
    }

    async fn writes(&self, _request: Request<WritesRequest>) -> Result<Response<WritesResponse>, Status> {
        Ok(Response::new(WritesResponse::default()))
    }
}

/// The pages over the canned launches.
pub(crate) async fn pages(launches: Vec<(LaunchId, Canned)>, config: sallyport_web::Config) -> axum::Router {
    let fake = Fake(Arc::new(launches.into_iter().collect()));
    let ports = sallyport_web::Ports {
        gateway: fake.transport(),
        console: no_console(),
        registry: Arc::new(registry()),
        clock: Arc::new(TestClock::at(NOW)),
    };
    sallyport_web::build(config, ports).await.unwrap().http
}

/// Services that nobody can reach: a chart needs none of them.
pub(crate) fn no_console() -> sallyport_web::ConsolePorts {
    let nowhere = || Transport::later(&Later::default(), ServiceName::Web);
    sallyport_web::ConsolePorts { launch_auth: nowhere(), audit: nowhere(), job_worker: None }
}

/// One tenant whose EHR may frame the pages.
pub(crate) fn registry() -> Registry {
    Registry::from_texts(&[("general.toml".into(), TENANT.to_owned())]).unwrap()
}

const TENANT: &str = include_str!("tenant.toml");

/// A launch id at the canned time.
pub(crate) fn launch() -> LaunchId {
    let clock: Arc<dyn Clock> = Arc::new(TestClock::at(NOW));
    LaunchId::new(&*clock)
}
