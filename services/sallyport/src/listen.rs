//! Listening on a name: `localhost` means every address it has, on one port.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

/// Binds `text` (`host:port`). Port 0 takes a free port, the same on every address. An address family that this
/// machine lacks is left out as long as one remains.
pub(crate) async fn bind(text: &str) -> anyhow::Result<Vec<TcpListener>> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(text)
        .await
        .with_context(|| format!("cannot listen on {text}: expected host:port"))?
        .collect();
    let Some(port) = addresses.first().map(SocketAddr::port) else {
        bail!("cannot listen on {text}: the name has no address");
    };
    // The port that is free on one address may be taken on another: try again with another one.
    for _ in 0..20 {
        match bind_all(&addresses, port).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) if port != 0 => {
                return Err(error)
                    .with_context(|| format!("cannot listen on {text}: is something else running there?"));
            }
            Err(_taken) => {}
        }
    }
    bail!("cannot find a port that is free on every address of {text}")
}

async fn bind_all(addresses: &[SocketAddr], port: u16) -> std::io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for address in addresses {
        let port = match listeners.first() {
            Some(first) => first.local_addr()?.port(),
            None => port,
        };
        match TcpListener::bind(SocketAddr::new(address.ip(), port)).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable && !listeners.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// The host part of `host:port`.
pub(crate) fn host(text: &str) -> &str {
    text.rsplit_once(':').map_or(text, |(host, _)| host)
}

/// The port that was bound.
pub(crate) fn port(listeners: &[TcpListener]) -> anyhow::Result<u16> {
    Ok(listeners.first().context("nothing is listening")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_address_of_a_name_gets_the_same_port() {
        let listeners = bind("localhost:0").await.unwrap();
        let ports: std::collections::BTreeSet<u16> =
            listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 1);
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_says_so() {
        let taken = bind("127.0.0.1:0").await.unwrap();
        let text = format!("127.0.0.1:{}", port(&taken).unwrap());
        assert!(format!("{:#}", bind(&text).await.unwrap_err()).contains("something else"));
    }
}
