//! One attempt to start a service. One that fails leaves nothing behind: the next begins anew.

use std::{path::Path, sync::Arc, time::Duration};

use axum::Router;
use sallyport_model::ServiceName;
use sallyport_rpc::{HttpPeer, Served, ServerSettings, serve_with, tls::Identity};
use sallyport_telemetry::{health::Ready as Check, metrics::Metrics};

use super::Doors;
use crate::{
    compose::{
        Running,
        foundation::Foundation,
        parts::{self, Site},
        peers::{self, Peers},
        registry, show_registry,
    },
    config::{ConfigError, File},
    edge::{self, Houses},
    ready::Ready,
};

/// What an attempt is made of.
pub(super) struct Attempt<'a> {
    pub(super) service: ServiceName,
    pub(super) config: &'a File,
    pub(super) data_dir: &'a Path,
    pub(super) identity: &'a Identity,
    pub(super) metrics: &'a Metrics,
}

/// A built service that does not listen yet.
pub(super) struct Started {
    pub(super) public_url: String,
    pub(super) readiness: Check,
    rpc: Option<Served>,
    http: Option<Router>,
    running: Running,
    base: Foundation,
}

impl Attempt<'_> {
    /// Builds the service.
    ///
    /// # Errors
    /// [`ConfigError`] for what waiting cannot mend, otherwise what is not there yet.
    pub(super) async fn start(&self) -> anyhow::Result<Started> {
        let mut running = Running::new(Duration::from_millis(self.config.server.grace_ms));
        match self.build(&mut running).await {
            Ok((site, rpc, http, ready)) => {
                show_registry(&site);
                let readiness = site.base.readiness(vec![ready]);
                Ok(Started { public_url: site.public_url, readiness, rpc, http, running, base: site.base })
            }
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }

    async fn build(
        &self,
        running: &mut Running,
    ) -> anyhow::Result<(Site, Option<Served>, Option<Router>, Check)> {
        self.check()?;
        let site = Site {
            config: self.config.clone(),
            base: Foundation::open(self.config, self.data_dir, self.metrics.clone())?,
            registry: Arc::new(registry(self.config, self.data_dir, None)?),
            public_url: self.config.server.public_url.trim_end_matches('/').to_owned(),
            sandbox_ehr: None,
        };
        let peers =
            Peers::Remote { identity: self.identity.clone(), section: Box::new(self.config.rpc.clone()) };
        if self.service == ServiceName::Edge {
            let gateway = peers.transport(ServiceName::Edge, ServiceName::FhirGateway)?;
            let own = edge::own_front_end(gateway, Arc::clone(&site.registry));
            let door = edge::forwarding(self.houses()?).merge(own);
            return Ok((site, None, Some(door), Arc::new(|| Ok(()))));
        }
        let part = parts::build(self.service, &site, &peers, running).await?;
        Ok((site, part.rpc, part.http, part.ready))
    }

    /// What a service alone cannot do without.
    fn check(&self) -> Result<(), ConfigError> {
        use ServiceName::{Audit, FhirGateway, LaunchAuth, TokenVault};
        let config = self.config;
        let keeps_rows = matches!(self.service, LaunchAuth | TokenVault | FhirGateway | Audit);
        let shares = matches!(self.service, LaunchAuth | FhirGateway);
        let needs = [
            ("server.public_url", true, !config.server.public_url.is_empty()),
            ("database.url or database.url_file", keeps_rows, config.database.server()?.is_some()),
            ("queue.url or queue.url_file", keeps_rows, config.queue.server()?.is_some()),
            ("keyring.address", keeps_rows, !config.keyring.address.is_empty()),
            ("kv.url or kv.url_file", shares, config.kv.server()?.is_some()),
        ];
        match needs.into_iter().find(|(_, is_needed, is_given)| *is_needed && !is_given) {
            None => Ok(()),
            Some((key, ..)) => {
                let service = self.service.as_str();
                Err(ConfigError(format!("{service} alone needs {key}: what is embedded is not shared")))
            }
        }
    }

    fn houses(&self) -> Result<Houses, ConfigError> {
        let peer = |service| -> Result<HttpPeer, ConfigError> {
            let addresses = peers::addresses(&self.config.rpc, service)?;
            HttpPeer::new(self.identity.clone(), service, &addresses)
                .map_err(|error| ConfigError(format!("[rpc]: {error}")))
        };
        Ok(Houses {
            launch_auth: peer(ServiceName::LaunchAuth)?,
            fhir_gateway: peer(ServiceName::FhirGateway)?,
            web: peer(ServiceName::Web)?,
            trusted_proxies: self.config.launch_auth.trusted_proxies.clone(),
            max_body_bytes: self.config.server.max_body_bytes,
        })
    }
}

impl Started {
    /// Opens the doors.
    pub(super) fn open(mut self, doors: Doors, identity: &Identity, config: &File) -> Opened {
        let metrics = self.base.metrics();
        let http = self.http.map(|router| edge::dressed(router, config.server.max_body_bytes, &metrics));
        if let Some(router) = &http {
            self.running.serve(doors.public, router);
        }
        if let Some(listener) = doors.house {
            let doors = sallyport_rpc::Doors { rpc: self.rpc.into_iter().collect(), http };
            let settings = ServerSettings {
                max_connection_age: Duration::from_secs(config.rpc.max_connection_age_seconds),
                ..ServerSettings::default()
            };
            let server = serve_with(listener, identity.clone(), doors, self.running.closing(), settings);
            self.running.spawn_server(async move { Ok(server.await?) });
        }
        Opened { running: self.running, base: self.base }
    }
}

/// A service that listens.
pub(super) struct Opened {
    running: Running,
    base: Foundation,
}

impl Opened {
    pub(super) fn ready(self, ready: Ready) -> Running {
        self.running.ready(ready, self.base)
    }
}
