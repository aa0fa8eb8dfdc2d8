//! Connects to an address that was checked: the name is resolved once, the addresses are judged, and the connection
//! goes to one of those judged, so that a second answer of the name server changes nothing (DNS rebinding).

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::address::{Reach, is_allowed};

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the address is not allowed")]
    Refused,
    #[error("the name does not resolve or nobody listens")]
    Failed(#[source] std::io::Error),
    #[error("the connection took too long")]
    TooSlow,
}

/// Resolves, checks, connects.
#[derive(Clone)]
pub(crate) struct CheckedConnector {
    pub(crate) reach: Reach,
    pub(crate) private_networks: Arc<[(IpAddr, u8)]>,
    pub(crate) timeout: Duration,
}

impl CheckedConnector {
    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        let is_plain = uri.scheme_str() == Some("http");
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let host =
            uri.host().ok_or(ConnectError::Refused)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let resolved = tokio::net::lookup_host((host, port)).await.map_err(ConnectError::Failed)?;
        let allowed: Vec<SocketAddr> = resolved
            .filter(|a| is_allowed(a.ip(), self.reach, &self.private_networks))
            // Plain http never leaves this machine.
            .filter(|a| !is_plain || a.ip().to_canonical().is_loopback())
            .collect();
        let mut outcome = ConnectError::Refused;
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(ConnectError::Failed)?;
                    return Ok(TokioIo::new(stream));
                }
                Err(error) => outcome = ConnectError::Failed(error),
            }
        }
        Err(outcome)
    }
}

impl tower_service::Service<Uri> for CheckedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let timeout = this.timeout;
            tokio::time::timeout(timeout, this.connect(uri)).await.unwrap_or(Err(ConnectError::TooSlow))
        })
    }
}
