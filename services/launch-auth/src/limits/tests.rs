use sallyport_kv::{Redis, Settings};
use sallyport_model::{Secret, TestClock};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::{
    fault_proxy::{Fault, FaultProxy, address_in},
    servers,
};

use super::*;

fn limits(shared: Arc<dyn Kv>, clock: &Arc<TestClock>, permits: u32) -> Limits {
    let config = Config { requests_per_minute_per_source: permits, ..Config::default() };
    Limits::new(shared, Arc::clone(clock) as Arc<dyn Clock>, &config)
}

/// How many of `tries` knocks of one source are let in.
async fn admitted(limits: &Limits, source: &str, tries: u32) -> u32 {
    let mut admitted = 0;
    for _ in 0..tries {
        admitted += u32::from(limits.admit("launch", source.parse().ok()).await.is_ok());
    }
    admitted
}

/// A store behind a proxy, with keys of its own.
async fn behind_proxy() -> Option<(FaultProxy, Arc<Redis>)> {
    let url = servers::named("SALLYPORT_TEST_REDIS")?;
    let proxy = FaultProxy::start(address_in(&url)).await;
    let prefix = format!("t:{}:", uuid::Uuid::now_v7().simple());
    let settings = Settings { prefix, ..Settings::new(Secret::new(proxy.instead_of(&url))) };
    let store = Arc::new(Redis::connect(&settings, &Metrics::new()).unwrap());
    eventually(&store, true).await;
    Some((proxy, store))
}

async fn eventually(store: &Redis, is_connected: bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while store.is_connected() != is_connected {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the store's connection does not become {is_connected}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_shared_store_each_process_limits_at_half_the_rate_and_then_the_store_does_again() {
    let Some((proxy, store)) = behind_proxy().await else { return };
    let clock = Arc::new(TestClock::at(1_000_000));
    let limits = limits(Arc::clone(&store) as Arc<dyn Kv>, &clock, 10);
    assert_eq!(admitted(&limits, "192.0.2.1", 30).await, 10);

    for fault in [Fault::Reset, Fault::Blackhole] {
        proxy.set(fault);
        // The first to meet the silence waits its bound and is counted here like the others.
        let source = if fault == Fault::Reset { "192.0.2.2" } else { "192.0.2.3" };
        assert_eq!(admitted(&limits, source, 30).await, 5);
        eventually(&store, false).await;
        clock.advance(MINUTE);
        assert_eq!(admitted(&limits, source, 30).await, 5, "half the rate comes back");
        assert_eq!(admitted(&limits, "2001:db8::1", 30).await, 5, "each source is counted by itself");
        clock.advance(MINUTE);
        proxy.set(Fault::Pass);
        eventually(&store, true).await;
    }
    assert_eq!(admitted(&limits, "192.0.2.9", 30).await, 10);
}

#[tokio::test]
async fn a_limit_of_one_still_lets_one_in_when_the_store_is_away() {
    struct Away;
    #[tonic::async_trait]
    impl Kv for Away {
        async fn get(&self, _key: &str) -> Result<Option<Vec<u8>>, sallyport_kv::Unavailable> {
            Err(sallyport_kv::Unavailable)
        }
        async fn set(&self, _: &str, _: Vec<u8>, _: Duration) -> Result<(), sallyport_kv::Unavailable> {
            Err(sallyport_kv::Unavailable)
        }
        async fn delete(&self, _key: &str) -> Result<(), sallyport_kv::Unavailable> {
            Err(sallyport_kv::Unavailable)
        }
        async fn permits(&self, _: &str, _: Rate, _: u32) -> Result<Permit, sallyport_kv::Unavailable> {
            Err(sallyport_kv::Unavailable)
        }
    }
    let clock = Arc::new(TestClock::at(1_000_000));
    let limits = limits(Arc::new(Away), &clock, 1);
    assert_eq!(admitted(&limits, "192.0.2.1", 5).await, 1);
    assert_eq!(limits.admit("launch", "192.0.2.1".parse().ok()).await, Err(60));
    assert_eq!(limits.admit("callback", "192.0.2.1".parse().ok()).await, Ok(()));
}

#[test]
fn an_ipv6_subscriber_is_one_source() {
    let network_of = |text: &str| network(text.parse().unwrap()).to_string();
    assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(network_of("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(network_of("192.0.2.1"), "192.0.2.1");
}
