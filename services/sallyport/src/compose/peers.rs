//! How a service reaches its peers: routes in this process, or mutual TLS over the network.

use std::collections::HashMap;

use sallyport_model::ServiceName;
use sallyport_rpc::{Later, Served, Transport, tls::Identity};

use crate::config::{ConfigError, RpcSection};

/// Where the peers are.
pub(crate) enum Peers {
    /// In this process, as far as they were built. Some are called by what is built before them: job-worker by the gateway,
    /// launch-auth by audit.
    Local { there: HashMap<ServiceName, Served>, later: HashMap<ServiceName, Later> },
    /// Elsewhere.
    Remote { identity: Identity, section: Box<RpcSection> },
}

impl Peers {
    /// A transport on which `caller` calls `peer`.
    ///
    /// # Errors
    /// [`ConfigError`] when the peer's addresses are not configured.
    pub(crate) fn transport(&self, caller: ServiceName, peer: ServiceName) -> Result<Transport, ConfigError> {
        match self {
            Self::Local { there, later } => match (there.get(&peer), later.get(&peer)) {
                (Some(served), _) => Ok(Transport::local(served.clone(), caller)),
                (None, Some(later)) => Ok(Transport::later(later, caller)),
                (None, None) => {
                    Err(ConfigError(format!("{} is built before {}", caller.as_str(), peer.as_str())))
                }
            },
            Self::Remote { identity, section } => remote(identity, section, peer),
        }
    }

    /// A transport on which `caller` calls a peer that need not be there: `None` where nobody says where it is.
    ///
    /// # Errors
    /// [`ConfigError`] when an address is none.
    pub(crate) fn perhaps(
        &self,
        caller: ServiceName,
        peer: ServiceName,
    ) -> Result<Option<Transport>, ConfigError> {
        match self {
            Self::Local { there, later } if !there.contains_key(&peer) && !later.contains_key(&peer) => {
                Ok(None)
            }
            Self::Remote { section, .. } if section.addresses(peer).is_empty() => Ok(None),
            Self::Local { .. } | Self::Remote { .. } => self.transport(caller, peer).map(Some),
        }
    }
}

/// A transport to a peer elsewhere.
///
/// # Errors
/// [`ConfigError`] when its addresses are not configured.
pub(crate) fn remote(
    identity: &Identity,
    section: &RpcSection,
    peer: ServiceName,
) -> Result<Transport, ConfigError> {
    sallyport_rpc::connect(identity.clone(), peer, &addresses(section, peer)?)
        .map_err(|error| ConfigError(format!("[rpc]: {error}")))
}

/// A peer's addresses as URIs.
///
/// # Errors
/// [`ConfigError`] when there are none, or one is not `https://host:port`.
pub(crate) fn addresses(section: &RpcSection, peer: ServiceName) -> Result<Vec<http::Uri>, ConfigError> {
    let key = RpcSection::key_of(peer);
    let given = section.addresses(peer);
    if given.is_empty() {
        return Err(ConfigError(format!("{key} must name at least one address")));
    }
    given
        .iter()
        .map(|text| match text.parse::<http::Uri>() {
            Ok(uri) if uri.scheme_str() == Some("https") && uri.port().is_some() => Ok(uri),
            _ => Err(ConfigError(format!("{key}: \"{text}\" is not like https://host:port"))),
        })
        .collect()
}
