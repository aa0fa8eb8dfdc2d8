//! Where a request really came from: the peer, or what proxies that are trusted say of it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The header that says so, one address per proxy that was passed.
pub const HEADER: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The peer, or, behind a trusted proxy, the last address that no trusted proxy added (CVE-2021-32783 and its kin:
/// everything further left is what a client wrote).
pub fn source(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all(HEADER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let addresses = forwarded.iter().rev().map_while(|text| text.trim().parse::<IpAddr>().ok());
    addresses.into_iter().find(|ip| !trusted.contains(ip)).unwrap_or(peer)
}

/// The source of a request as the front door knows it; sent along as [`HEADER`] when it is an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Source(pub IpAddr);

/// Says where a request came from, in place of everything that its sender claims about that.
pub(crate) fn tell(headers: &mut HeaderMap, source: Option<Source>) {
    let claims: Vec<HeaderName> = headers
        .keys()
        .filter(|name| **name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"))
        .cloned()
        .collect();
    for name in claims {
        headers.remove(name);
    }
    if let Some(value) = source.and_then(|source| HeaderValue::try_from(source.0.to_string()).ok()) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(forwarded: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_sender_claims_about_the_source_is_replaced() {
        let mut headers = with("198.51.100.7");
        headers.insert("x-forwarded-uri", "/admin".parse().unwrap());
        headers.insert("forwarded", "for=1".parse().unwrap());
        headers.insert("accept", "text/html".parse().unwrap());
        tell(&mut headers, Some(Source(ip("203.0.113.5"))));
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-forwarded-for"], "203.0.113.5");
        tell(&mut headers, None);
        assert_eq!(headers.len(), 1, "what is not known is not claimed");
    }

    #[test]
    fn forwarded_addresses_are_ignored_unless_the_peer_is_trusted() {
        assert_eq!(source(ip("192.0.2.9"), &with("203.0.113.5"), &[]), ip("192.0.2.9"));
    }

    #[test]
    fn behind_a_trusted_proxy_the_last_foreign_address_counts() {
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let chain = with("198.51.100.7, 203.0.113.5, 10.0.0.2");
        assert_eq!(source(ip("10.0.0.1"), &chain, &trusted), ip("203.0.113.5"));
        assert_eq!(source(ip("10.0.0.1"), &with("nonsense"), &trusted), ip("10.0.0.1"));
    }
}
