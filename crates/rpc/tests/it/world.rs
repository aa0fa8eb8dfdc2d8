//! A service that counts what it executed, served over mutual TLS, and the ways to call it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use http::Uri;
use sallyport_model::ServiceName;
use sallyport_proto::gateway::v1::{
    CallRequest, CallResponse, CapabilityRequest, CapabilityResponse, CareGapsRequest, CareGapsResponse,
    ChartRequest, ChartResponse, DecideProposalRequest, DecideProposalResponse, FetchBulkFileRequest,
    FetchBulkFileResponse, LookRequest, LookResponse, ProbeRequest, ProbeResponse, ProposalsRequest,
    ProposalsResponse, SourceRequest, SourceResponse, ViewRequest, ViewResponse, WriteRequest, WriteResponse,
    WritesRequest, WritesResponse,
    fhir_gateway_client::FhirGatewayClient,
    fhir_gateway_server::{FhirGateway, FhirGatewayServer},
};
use sallyport_rpc::{
    AllowList, Doors, Served, ServerSettings, Transport,
    tls::{Identity, Options},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tonic::{Request, Response, Status, codegen::BoxStream, service::Routes};

use crate::authority::Authority;

/// What may take this long is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// `View` for web, `Chart` for nobody.
const ALLOW: AllowList = &[
    ("/sallyport.gateway.v1.FhirGateway/View", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Source", &[ServiceName::Web]),
    ("/sallyport.gateway.v1.FhirGateway/Chart", &[]),
];

/// Counts its calls; `Source` waits until the gate lets it through.
#[derive(Clone)]
pub(crate) struct Counting {
    pub(crate) name: String,
    pub(crate) executed: Arc<AtomicUsize>,
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) gate: Arc<Semaphore>,
}

impl Counting {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            executed: Arc::default(),
            waiting: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn executed(&self) -> usize {
        self.executed.load(Ordering::SeqCst)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn served(&self) -> Served {
        Served::new(Routes::new(FhirGatewayServer::new(self.clone())), ALLOW)
    }
}

#[tonic::async_trait]
impl FhirGateway for Counting {
    async fn view(&self, request: Request<ViewRequest>) -> Result<Response<ViewResponse>, Status> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        let caller = sallyport_rpc::caller(&request)?;
        let tenant = caller.as_str().to_owned();
        Ok(Response::new(ViewResponse { tenant, app: self.name.clone(), ..ViewResponse::default() }))
    }

    async fn chart(&self, _: Request<ChartRequest>) -> Result<Response<ChartResponse>, Status> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(ChartResponse::default()))
    }

    async fn source(&self, _: Request<SourceRequest>) -> Result<Response<SourceResponse>, Status> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.executed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(SourceResponse {
            json: self.name.clone().into_bytes(),
            ..SourceResponse::default()
        }))
    }

    async fn care_gaps(&self, _: Request<CareGapsRequest>) -> Result<Response<CareGapsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn proposals(&self, _: Request<ProposalsRequest>) -> Result<Response<ProposalsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn decide_proposal(
        &self,
        _: Request<DecideProposalRequest>,
    ) -> Result<Response<DecideProposalResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn call(&self, _: Request<CallRequest>) -> Result<Response<CallResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type FetchBulkFileStream = BoxStream<FetchBulkFileResponse>;

    async fn fetch_bulk_file(
        &self,
        _: Request<FetchBulkFileRequest>,
    ) -> Result<Response<Self::FetchBulkFileStream>, Status> {
        Err(Status::unimplemented(""))
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

    async fn write(&self, _: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(WriteResponse::default()))
    }

    async fn writes(&self, _: Request<WritesRequest>) -> Result<Response<WritesResponse>, Status> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(WritesResponse::default()))
    }
}

/// A folder with an authority's certificates.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
}

impl House {
    pub(crate) fn new() -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(switch) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&switch]);
        }
        Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new("the house") }
    }

    pub(crate) fn identity(&self, service: ServiceName) -> Identity {
        let leaf = self.authority.good(service);
        let files = leaf.write(self.folder.path(), service.as_str(), &self.authority.pem);
        let look_every = Duration::from_millis(20);
        Identity::load_with(files, Options { look_every, ..Options::default() }).unwrap()
    }

    /// Serves as `service`.
    pub(crate) async fn serve(
        &self,
        service: ServiceName,
        counting: &Counting,
        http: Option<Router>,
        settings: ServerSettings,
    ) -> Running {
        Running::start(self.identity(service), counting, http, settings, 0).await
    }

    /// Serves as fhir-gateway with the defaults.
    pub(crate) async fn gateway(&self, counting: &Counting) -> Running {
        self.serve(ServiceName::FhirGateway, counting, None, ServerSettings::default()).await
    }

    /// To fhir-gateway as web.
    pub(crate) fn client(&self, servers: &[&Running]) -> FhirGatewayClient<Transport> {
        let addresses: Vec<Uri> = servers.iter().map(|server| server.uri()).collect();
        let web = self.identity(ServiceName::Web);
        FhirGatewayClient::new(sallyport_rpc::connect(web, ServiceName::FhirGateway, &addresses).unwrap())
    }
}

/// A server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(
        identity: Identity,
        counting: &Counting,
        http: Option<Router>,
        settings: ServerSettings,
        port: u16,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let doors = Doors { rpc: vec![counting.served()], http };
        let task = tokio::spawn(sallyport_rpc::serve_with(listener, identity, doors, stopped, settings));
        Self { address, stop, task }
    }

    pub(crate) fn uri(&self) -> Uri {
        format!("https://{}", self.address).parse().unwrap()
    }

    /// Cut off, as when a process is killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// One call that answers at once: who answered, and who they say called.
pub(crate) async fn view(client: &FhirGatewayClient<Transport>) -> Result<(String, String), Status> {
    let answer = client.clone().view(ViewRequest::default()).await?.into_inner();
    Ok((answer.app, answer.tenant))
}

/// Polls until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
