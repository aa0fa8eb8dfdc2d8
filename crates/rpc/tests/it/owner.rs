//! launch-auth as readers of revocations see it: replicas over one table.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use sallyport_model::{Clock, LaunchId, ServiceName, SystemClock};
use sallyport_proto::{
    convert,
    launch::v1::{
        ListSessionsRequest, ListSessionsResponse, ReportActivityRequest, ReportActivityResponse,
        ResolveRequest, ResolveResponse, RevokeRequest, RevokeResponse,
        launch_auth_client::LaunchAuthClient,
        launch_auth_server::{LaunchAuth, LaunchAuthServer},
    },
    types::v1::{RevocationEvent, WatchRevocationsRequest, revocation_event::What},
};
use sallyport_rpc::{
    AllowList, Doors, Served, ServerSettings, Transport,
    revocation::{Page, Revocations, Watch, tail},
    serve_with,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tonic::{Request, Response, Status, service::Routes};

use crate::world::House;

const ALLOW: AllowList = &[("/sallyport.launch.v1.LaunchAuth/WatchRevocations", &[ServiceName::FhirGateway])];

/// Rows of one read at most, so that a catch-up takes several.
const PAGE: usize = 7;

/// The table, shared by all replicas.
#[derive(Clone, Default)]
pub(crate) struct Table {
    rows: Arc<Mutex<Vec<LaunchId>>>,
    /// From which numbers streams were asked for.
    pub(crate) asked: Arc<Mutex<Vec<i64>>>,
    pub(crate) is_unreadable: Arc<AtomicBool>,
}

impl Table {
    pub(crate) fn revoke(&self) -> LaunchId {
        let launch = LaunchId::new(&SystemClock);
        self.rows.lock().unwrap().push(launch);
        launch
    }

    fn page(&self, after: i64) -> Option<Page> {
        if self.is_unreadable.load(Ordering::SeqCst) {
            return None;
        }
        let rows = self.rows.lock().unwrap();
        let number = |index: usize| i64::try_from(index).unwrap() + 1;
        let events: Vec<_> = rows
            .iter()
            .enumerate()
            .filter(|(index, _)| number(*index) > after)
            .take(PAGE)
            .map(|(index, id)| RevocationEvent {
                sequence: number(index),
                what: Some(What::Launch(convert::id_bytes(id.uuid()))),
            })
            .collect();
        let head = events.last().map_or_else(|| i64::try_from(rows.len()).unwrap(), |last| last.sequence);
        Some(Page { events, head })
    }
}

#[tonic::async_trait]
impl LaunchAuth for Table {
    type WatchRevocationsStream = Revocations;

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Revocations>, Status> {
        let after = request.into_inner().after;
        self.asked.lock().unwrap().push(after);
        let table = self.clone();
        let fetch = move |after| {
            let page = table.page(after);
            async move { page }
        };
        Ok(Response::new(tail(after, Arc::new(SystemClock), fetch)))
    }

    async fn resolve(&self, _: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn report_activity(
        &self,
        _: Request<ReportActivityRequest>,
    ) -> Result<Response<ReportActivityResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn revoke(&self, _: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_sessions(
        &self,
        _: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

/// One replica of launch-auth.
pub(crate) struct Replica {
    pub(crate) uri: http::Uri,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
}

impl Replica {
    pub(crate) async fn start(house: &House, table: &Table, settings: ServerSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let served = Served::new(Routes::new(LaunchAuthServer::new(table.clone())), ALLOW);
        let doors = Doors { rpc: vec![served], http: None };
        let (stop, stopped) = watch::channel(false);
        let identity = house.identity(ServiceName::LaunchAuth);
        let task = tokio::spawn(serve_with(listener, identity, doors, stopped, settings));
        Self { uri, stop, task }
    }
}

/// What a gateway knows.
pub(crate) fn follow(house: &House, replicas: &[&Replica], clock: Arc<dyn Clock>) -> Watch {
    let addresses: Vec<_> = replicas.iter().map(|replica| replica.uri.clone()).collect();
    let gateway = house.identity(ServiceName::FhirGateway);
    let transport: Transport = sallyport_rpc::connect(gateway, ServiceName::LaunchAuth, &addresses).unwrap();
    let client = LaunchAuthClient::new(transport);
    let watch = Watch::new(clock);
    tokio::spawn(
        watch.follow(move |after| {
            let mut client = client.clone();
            async move {
                client.watch_revocations(WatchRevocationsRequest { after }).await.map(Response::into_inner)
            }
        }),
    );
    watch
}
