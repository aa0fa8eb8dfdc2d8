//! The house itself: this process's certificate, and whether its peers take connections.

use std::time::Duration;

use sallyport_model::{Clock, ServiceName, SystemClock};
use sallyport_rpc::tls::{Files, Identity};
use tokio::time::timeout;

use super::report::Report;
use crate::{compose::peers, config::File};

/// A certificate that ends sooner is told.
const SOON: i64 = 14 * 24 * 3_600 * 1_000_000;

const PATIENCE: Duration = Duration::from_secs(3);

const PEERS: [ServiceName; 6] = [
    ServiceName::LaunchAuth,
    ServiceName::TokenVault,
    ServiceName::FhirGateway,
    ServiceName::JobWorker,
    ServiceName::Audit,
    ServiceName::Web,
];

pub(super) async fn look(config: &File, report: &mut Report) {
    if !config.rpc.identity().0 {
        return report.good("services", "all in one process");
    }
    let files = Files {
        certificate: config.rpc.certificate.clone(),
        key: config.rpc.key.clone(),
        authority: config.rpc.authority.clone(),
    };
    let fix = "have it issued anew; sallyport pki dev makes one where there is no issuer";
    match Identity::load(files) {
        Err(error) => report.bad("certificate", error.to_string(), fix),
        Ok(identity) => {
            let left = identity.expires_at() - SystemClock.now();
            let seen = format!("of {}, {} days left", identity.service().as_str(), left / 86_400_000_000);
            if left < SOON {
                report.warning("certificate", seen, fix);
            } else {
                report.good("certificate", seen);
            }
        }
    }
    for peer in PEERS.into_iter().filter(|peer| !config.rpc.addresses(*peer).is_empty()) {
        match peers::addresses(&config.rpc, peer) {
            Err(error) => report.bad(peer.as_str(), error.to_string(), "correct [rpc]"),
            Ok(addresses) => {
                for address in addresses {
                    reach(peer, &address, report).await;
                }
            }
        }
    }
}

async fn reach(peer: ServiceName, address: &http::Uri, report: &mut Report) {
    let place = address.authority().map(ToString::to_string).unwrap_or_default();
    match timeout(PATIENCE, tokio::net::TcpStream::connect(&place)).await {
        Ok(Ok(_open)) => report.good(peer.as_str(), format!("{place} takes connections")),
        _ => report.bad(
            peer.as_str(),
            format!("{place} takes no connections"),
            "start it, or correct its address in [rpc]; its own /startup says what it waits for",
        ),
    }
}
