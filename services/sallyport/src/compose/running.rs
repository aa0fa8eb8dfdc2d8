//! A running instance: its tasks, and how it ends.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::foundation::Foundation;
use crate::ready::Ready;

/// How long requests in progress may take to finish once the end was asked for.
const GRACE: Duration = Duration::from_secs(20);

/// Everything that runs.
pub struct Running {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    ready: Option<(Ready, Foundation)>,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::Sender::new(false), ready: None }
    }

    /// Where it is.
    pub fn urls(&self) -> Option<&Ready> {
        self.ready.as_ref().map(|(ready, _)| ready)
    }

    pub(super) fn ready(mut self, ready: Ready, foundation: Foundation) -> Self {
        self.ready = Some((ready, foundation));
        self
    }

    pub(super) fn shutdown(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    pub(super) fn spawn_try(&mut self, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.spawn(async move {
            if task.await.is_err() {
                tracing::error!("a server of this process ended early");
            }
        });
    }

    pub(super) fn spawn_all(&mut self, tasks: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>) {
        for task in tasks {
            self.spawn(task);
        }
    }

    pub(super) fn serve(&mut self, listeners: Vec<TcpListener>, router: &Router) {
        for listener in listeners {
            let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
            let mut shutdown = self.shutdown();
            self.spawn_try(async move {
                let stopped = async move {
                    let _either_way = shutdown.changed().await;
                };
                Ok(axum::serve(listener, service).with_graceful_shutdown(stopped).await?)
            });
        }
    }

    /// Takes no new requests, lets those in progress finish, makes every record durable, ends.
    pub async fn stop(mut self) {
        let _nobody_listens = self.stop.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("some work did not finish in time and was ended");
            self.tasks.shutdown().await;
        }
        if let Some((ready, foundation)) = self.ready.take() {
            foundation.flush().await;
            // Whoever looks for a running instance should not find this one.
            let _gone_already = std::fs::remove_file(Ready::path_in(&ready.data_dir));
        }
    }
}
