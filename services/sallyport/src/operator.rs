//! The operators' way in. An instance in one process: a Unix socket in the data folder, readable by its owner alone;
//! whoever can open it is the caller `operator`. Separate processes: mutual TLS with an operator's certificate. What
//! that caller may do is in each service's allow-list.

use std::path::{Path, PathBuf};

use anyhow::Context;
use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sallyport_model::ServiceName;
use sallyport_rpc::{Served, Transport};
use tokio::{net::UnixListener, sync::watch};
use tonic::body::Body;

use crate::{
    cli::Where,
    compose::{DEFAULT_DATA_DIR, peers},
    config, house,
};

/// The socket's path; short, because the system allows about a hundred characters.
pub fn socket_in(data_dir: &Path) -> PathBuf {
    data_dir.join("operator.sock")
}

/// Opens the socket.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    // A socket that a killed process left behind answers nobody; the data folder's lock says that no other runs here.
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot open {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves every service's methods to operators until shutdown.
pub(crate) async fn serve(
    listener: UnixListener,
    services: Vec<Served>,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = shutdown.wait_for(|over| *over) => return Ok(()),
        };
        let services = services.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let services = services.clone();
                async move { Ok::<_, std::convert::Infallible>(answer(&services, request.map(Body::new)).await) }
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // An operator's tool that goes away ends its connection, nothing else.
            let _gone = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(services: &[Served], request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let owner = services.iter().find(|s| s.allow_list().iter().any(|(method, _)| *method == path));
    match owner {
        Some(served) => served.call(ServiceName::Operator, request).await,
        None => tonic::Status::unimplemented("no such method").into_http(),
    }
}

/// Reaches a service of an instance: over the network where the configuration holds an identity, otherwise by the
/// socket.
///
/// # Errors
/// When the identity is not an operator's, or nothing answers.
pub async fn reach(place: &Where, service: ServiceName) -> anyhow::Result<Transport> {
    let config = config::load(place.config.as_deref())?;
    if !config.rpc.identity().0 {
        let folder = place.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
        return connect(&socket_in(&folder)).await;
    }
    let identity = house::identity(&config.rpc, ServiceName::Operator)?;
    Ok(peers::remote(&identity, &config.rpc, service)?)
}

/// Connects to the socket of a running instance.
///
/// # Errors
/// When nothing listens there.
pub async fn connect(path: &Path) -> anyhow::Result<Transport> {
    let owned = path.to_owned();
    let connector = tower::service_fn(move |_: http::Uri| {
        let path = owned.clone();
        async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = tonic::transport::Endpoint::from_static("http://operator")
        .connect_with_connector(connector)
        .await
        .with_context(|| format!("no instance answers on {}", path.display()))?;
    Ok(Transport::remote(channel))
}
