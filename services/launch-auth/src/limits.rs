//! How often one source may knock without being known: launches and answers are open to everybody.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sallyport_kv::{InProcess, Kv, Permit, Rate};
use sallyport_model::Clock;

use crate::Config;

const MINUTE: Duration = Duration::from_secs(60);

/// Permits per source address. Without the shared store this process counts alone, at half the rate: with two
/// replicas that is what they allowed together, and a hospital is not locked out because a cache is away.
#[derive(Clone)]
pub(crate) struct Limits {
    shared: Arc<dyn Kv>,
    own: Arc<InProcess>,
    rate: Rate,
    is_alone: Arc<AtomicBool>,
}

impl Limits {
    pub(crate) fn new(shared: Arc<dyn Kv>, clock: Arc<dyn Clock>, config: &Config) -> Self {
        let permits = config.requests_per_minute_per_source;
        let rate = Rate { permits, per: MINUTE, burst: permits };
        Self { shared, own: Arc::new(InProcess::new(clock)), rate, is_alone: Arc::default() }
    }

    /// Takes a permit. `Err` says after how many seconds there is one again.
    pub(crate) async fn admit(&self, area: &str, source: Option<IpAddr>) -> Result<(), u64> {
        let source = source.map_or_else(|| "unknown".to_owned(), |ip| network(ip).to_string());
        let key = format!("launch-auth:{area}:{source}");
        let shared = self.shared.permit(&key, self.rate).await;
        self.note(shared.is_err());
        let permit = match shared {
            Ok(permit) => Ok(permit),
            Err(_unavailable) => self.own.permit(&key, half(self.rate)).await,
        };
        match permit {
            // The store in our own memory is always there.
            Ok(Permit::Allowed) | Err(_) => Ok(()),
            Ok(Permit::RetryAfter(wait)) => Err(wait.as_secs().max(1)),
        }
    }

    /// Says once when it changes.
    fn note(&self, is_alone: bool) {
        if self.is_alone.swap(is_alone, Ordering::Relaxed) != is_alone {
            if is_alone {
                tracing::warn!(
                    "the shared store is away, launches are limited by this process alone at half the rate"
                );
            } else {
                tracing::info!("launches are limited by the shared store again");
            }
        }
    }
}

/// At least one, so that nobody is locked out.
fn half(rate: Rate) -> Rate {
    let permits = (rate.permits / 2).max(1);
    Rate { permits, burst: permits, ..rate }
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
mod tests;
