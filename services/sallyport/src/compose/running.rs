//! A running process: its servers, its background work, and how both end.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use axum::Router;
use sallyport_rpc::{Later, Served};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::foundation::Foundation;
use crate::ready::Ready;

/// How long records that are durable here may take to reach the audit service at the end; what does not stays in the
/// spool and goes out after the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// How long background work may take to notice that it is over.
const LAST_WORK: Duration = Duration::from_secs(5);

/// Everything that runs.
pub struct Running {
    servers: JoinSet<()>,
    work: JoinSet<()>,
    close: watch::Sender<bool>,
    end: watch::Sender<bool>,
    grace: Duration,
    ready: Option<(Ready, Foundation)>,
    served: Vec<Served>,
    later: Vec<Later>,
}

impl Running {
    /// Nothing yet. Requests in progress get `grace` to finish once the end was asked for.
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            servers: JoinSet::new(),
            work: JoinSet::new(),
            close: watch::Sender::new(false),
            end: watch::Sender::new(false),
            grace,
            ready: None,
            served: Vec::new(),
            later: Vec::new(),
        }
    }

    /// The services' methods behind their allow-lists, for whoever calls them as another than the operator.
    pub fn served(&self) -> &[Served] {
        &self.served
    }

    pub(crate) fn offer(&mut self, served: &[Served]) {
        self.served = served.to_vec();
    }

    /// At the end, services that others call which were built before them.
    pub(crate) fn lets_go_of(&mut self, later: impl Iterator<Item = Later>) {
        self.later.extend(later);
    }

    /// Where it is.
    pub fn urls(&self) -> Option<&Ready> {
        self.ready.as_ref().map(|(ready, _)| ready)
    }

    pub(crate) fn ready(mut self, ready: Ready, foundation: Foundation) -> Self {
        self.ready = Some((ready, foundation));
        self
    }

    /// Turns true when background work has to end: after the servers.
    pub(crate) fn shutdown(&self) -> watch::Receiver<bool> {
        self.end.subscribe()
    }

    /// Turns true when servers take nothing new.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.close.subscribe()
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.work.spawn(task);
    }

    pub(crate) fn spawn_all(&mut self, tasks: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) {
        for task in tasks {
            self.spawn(task);
        }
    }

    /// A server: ends by itself when [`closing`](Self::closing) turns true and its last request is answered.
    pub(crate) fn spawn_server(&mut self, server: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.servers.spawn(async move {
            if server.await.is_err() {
                tracing::error!("a server of this process ended early");
            }
        });
    }

    pub(crate) fn serve(&mut self, listeners: Vec<TcpListener>, router: &Router) {
        for listener in listeners {
            let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
            let mut closing = self.closing();
            self.spawn_server(async move {
                let stopped = async move {
                    let _either_way = closing.wait_for(|over| *over).await;
                };
                Ok(axum::serve(listener, service).with_graceful_shutdown(stopped).await?)
            });
        }
    }

    /// Takes no new requests, lets those in progress finish, makes every record durable, ends.
    pub async fn stop(mut self) {
        let _nobody_listens = self.close.send(true);
        let closed = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, closed).await.is_err() {
            tracing::warn!("some requests did not finish in time and were ended");
            self.servers.shutdown().await;
        }
        if let Some((_, foundation)) = &self.ready {
            foundation.flush(DRAIN).await;
        }
        self.later.drain(..).for_each(|later| later.is_gone());
        let _nobody_listens = self.end.send(true);
        let ended = async { while self.work.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORK, ended).await.is_err() {
            tracing::warn!("some background work did not finish in time and was ended");
            self.work.shutdown().await;
        }
        if let Some((ready, foundation)) = self.ready.take() {
            // What the last work recorded.
            foundation.flush(Duration::ZERO).await;
            // A connection that somebody still has out is not waited for longer than for other work.
            let _late = tokio::time::timeout(LAST_WORK, foundation.close()).await;
            // Whoever looks for a running instance should not find this one.
            let _gone_already = std::fs::remove_file(Ready::path_in(&ready.data_dir));
        }
    }
}
