//! How often one source may knock without being known: launches and answers are open to everybody.

use std::{net::IpAddr, sync::Arc, time::Duration};

use sallyport_kv::{Kv, Permit, Rate};

use crate::Config;

const MINUTE: Duration = Duration::from_secs(60);

/// Permits per source address. Without the store the request goes on: it costs one registry look-up, and a hospital
/// must not be locked out because a cache is away.
#[derive(Clone)]
pub(crate) struct Limits {
    kv: Arc<dyn Kv>,
    rate: Rate,
}

impl Limits {
    pub(crate) fn new(kv: Arc<dyn Kv>, config: &Config) -> Self {
        let permits = config.requests_per_minute_per_source;
        Self { kv, rate: Rate { permits, per: MINUTE, burst: permits } }
    }

    /// Takes a permit. `Err` says after how many seconds there is one again.
    pub(crate) async fn admit(&self, area: &str, source: Option<IpAddr>) -> Result<(), u64> {
        let source = source.map_or_else(|| "unknown".to_owned(), |ip| network(ip).to_string());
        match self.kv.permit(&format!("launch-auth:{area}:{source}"), self.rate).await {
            Ok(Permit::Allowed) => Ok(()),
            Ok(Permit::RetryAfter(wait)) => Err(wait.as_secs().max(1)),
            Err(unavailable) => {
                tracing::warn!(reason = %unavailable, "launches are not limited");
                Ok(())
            }
        }
    }
}

/// One subscriber has a whole /64 of IPv6: it counts as one source.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(std::net::Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_one_source() {
        let network_of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network_of("192.0.2.1"), "192.0.2.1");
    }
}
