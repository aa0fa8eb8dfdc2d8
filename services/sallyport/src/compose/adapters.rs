//! Which adapter stands behind each port: the embedded one where no server is configured. None of them waits.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use sallyport_keyring::{Deployment, KeyEncryptionKey, LocalKey, Login, Transit, TransitSettings};
use sallyport_kv::Kv;
use sallyport_model::Clock;
use sallyport_queue::{InProcess, Queue, RabbitMq};
use sallyport_telemetry::metrics::Metrics;

use crate::config::{ConfigError, Environment, File, KeyringAuth, KeyringSection};

/// The broker, or a queue in this process.
pub(crate) fn queue(config: &File, metrics: &Metrics) -> anyhow::Result<Arc<dyn Queue>> {
    Ok(match broker(config, metrics)? {
        Some(broker) => Arc::new(broker),
        None => Arc::new(InProcess::new()),
    })
}

/// The broker, where one is configured.
pub(crate) fn broker(config: &File, metrics: &Metrics) -> anyhow::Result<Option<RabbitMq>> {
    let Some(url) = config.queue.server()? else { return Ok(None) };
    let settings = sallyport_queue::Settings {
        prefix: config.queue.prefix.clone(),
        authority: given(&config.queue.ca_file),
        ..sallyport_queue::Settings::new(url)
    };
    let broker =
        RabbitMq::connect(settings, metrics).map_err(|error| ConfigError(format!("[queue]: {error}")))?;
    Ok(Some(broker))
}

/// The cache and limiter, or this process's memory.
pub(crate) fn kv(config: &File, clock: &Arc<dyn Clock>, metrics: &Metrics) -> anyhow::Result<Arc<dyn Kv>> {
    let Some(url) = config.kv.server()? else {
        return Ok(Arc::new(sallyport_kv::InProcess::new(Arc::clone(clock))));
    };
    let settings = sallyport_kv::Settings {
        prefix: config.kv.prefix.clone(),
        authority: given(&config.kv.ca_file),
        ..sallyport_kv::Settings::new(url)
    };
    let cache = sallyport_kv::Redis::connect(&settings, metrics)
        .map_err(|error| ConfigError(format!("[kv]: {error}")))?;
    Ok(Arc::new(cache))
}

/// The keeper of the key-encryption key, or a key file in the data folder.
pub(crate) fn kek(config: &File, folder: &Path) -> anyhow::Result<Arc<dyn KeyEncryptionKey>> {
    let deployment = deployment(config);
    if config.keyring.address.is_empty() {
        let key = LocalKey::open_or_create(&folder.join("local.key"), deployment);
        return Ok(Arc::new(key.context("the local key cannot be used")?));
    }
    let section = &config.keyring;
    let settings = TransitSettings {
        namespace: (!section.namespace.is_empty()).then(|| section.namespace.clone()),
        ca_file: given(&section.ca_file),
        mount: section.mount.clone(),
        key: section.key.clone(),
        ..TransitSettings::new(section.address.clone(), login(section)?)
    };
    let keeper =
        Transit::connect(settings, deployment).map_err(|error| ConfigError(format!("[keyring]: {error}")))?;
    Ok(Arc::new(keeper))
}

fn login(section: &KeyringSection) -> Result<Login, ConfigError> {
    let mount = |usual: &str| match section.auth_mount.as_str() {
        "" => usual.to_owned(),
        given => given.to_owned(),
    };
    Ok(match section.auth {
        KeyringAuth::Approle => Login::AppRole {
            mount: mount("approle"),
            role_id: section.role_id()?,
            secret_id_file: section.secret_id_file.clone(),
        },
        KeyringAuth::Kubernetes => Login::Kubernetes {
            mount: mount("kubernetes"),
            role: section.role.clone(),
            token_file: section.token_file.clone(),
        },
        KeyringAuth::Token => Login::TokenFile(section.token_file.clone()),
    })
}

fn given(path: &Path) -> Option<std::path::PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

/// Where this installation runs, in the words of the keyring.
pub(super) fn deployment(config: &File) -> Deployment {
    match config.environment {
        Environment::Production => Deployment::Production,
        Environment::Sandbox => Deployment::Development,
    }
}
