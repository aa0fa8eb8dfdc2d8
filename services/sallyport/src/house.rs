//! Who this process is among the services of the house.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_rpc::tls::{Files, Identity};
use sallyport_telemetry::metrics::Metrics;
use tokio::sync::watch;

use crate::config::{ConfigError, RpcSection};

/// Loads the configured identity, which must be `service`'s own.
///
/// # Errors
/// [`ConfigError`] when it is missing, cannot be read, or is somebody else's.
pub(crate) fn identity(section: &RpcSection, service: ServiceName) -> Result<Identity, ConfigError> {
    if !section.identity().1 {
        let needs = "rpc.certificate, rpc.key and rpc.authority must be given: over the network only mutual TLS is spoken";
        return Err(ConfigError(needs.to_owned()));
    }
    let files = Files {
        certificate: section.certificate.clone(),
        key: section.key.clone(),
        authority: section.authority.clone(),
    };
    let identity = Identity::load(files).map_err(|error| ConfigError(format!("[rpc]: {error}")))?;
    if identity.service() != service {
        let (is, wanted) = (identity.service().as_str(), service.as_str());
        return Err(ConfigError(format!("rpc.certificate is the certificate of {is}, not of {wanted}")));
    }
    Ok(identity)
}

/// How often the certificate's end is told: soon after new files came into use.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Tells as a metric when the certificate ends, until shutdown.
pub(crate) async fn tell_expiry(identity: Identity, metrics: Metrics, mut shutdown: watch::Receiver<bool>) {
    let gauge = metrics.gauge(
        "sallyport_certificate_expires_seconds",
        "When this process's certificate ends, in seconds since the epoch.",
        &[],
    );
    loop {
        gauge.set(&[], identity.expires_at() / 1_000_000);
        tokio::select! {
            () = tokio::time::sleep(TELL_EVERY) => {}
            _ = shutdown.wait_for(|over| *over) => return,
        }
    }
}
