//! What every adapter promises, over all of them, and what a real server adds: it is away, slow, or restarted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sallyport_kv::{InProcess, Kv, Permit, Rate, Redis, Settings};
use sallyport_model::{Secret, SystemClock};
use sallyport_telemetry::metrics::Metrics;
use sallyport_testkit::{
    fault_proxy::{Fault, FaultProxy, address_in},
    servers::{self, Private},
    tls_front::TlsFront,
};

/// Far beyond what anything here takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Comes back so slowly that no test sees it.
const SLOW: Rate = Rate { permits: 10, per: Duration::from_hours(10), burst: 5 };

macro_rules! over_both {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(std::sync::Arc::new(super::InProcess::new(std::sync::Arc::new(super::SystemClock)))).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let Some(url) = super::servers::named("SALLYPORT_TEST_REDIS") else { return };
                super::$test(std::sync::Arc::new(super::connected(&super::settings(&url)).await)).await;
            })*
        }
    };
}

over_both!(
    a_value_is_there_as_it_was_set_until_it_is_deleted,
    a_value_is_gone_after_its_time,
    a_value_set_again_is_the_new_one_for_its_new_time,
    what_lives_no_time_is_not_kept,
    exactly_the_burst_is_allowed_at_once,
    permits_taken_together_are_all_there_or_none,
    waiting_as_told_is_enough,
    limiters_do_not_mix,
    eight_tasks_together_get_the_burst_and_no_more,
    what_can_never_be_is_refused_for_ever,
);

/// Keys that no other test has.
fn settings(url: &str) -> Settings {
    let prefix = format!("t:{}:", uuid::Uuid::now_v7().simple());
    Settings { prefix, ..Settings::new(Secret::new(url.to_owned())) }
}

async fn connected(settings: &Settings) -> Redis {
    let store = Redis::connect(settings, &Metrics::new()).unwrap();
    eventually("connected", || store.is_connected()).await;
    store
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_value_is_there_as_it_was_set_until_it_is_deleted(store: Arc<dyn Kv>) {
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_eq!(store.get("k").await.unwrap(), None);
    store.set("k", every_byte.clone(), PATIENCE).await.unwrap();
    store.set("empty", Vec::new(), Duration::MAX).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(every_byte));
    assert_eq!(store.get("empty").await.unwrap(), Some(Vec::new()));
    store.delete("k").await.unwrap();
    store.delete("k").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
    store.delete("empty").await.unwrap();
}

async fn a_value_is_gone_after_its_time(store: Arc<dyn Kv>) {
    store.set("k", vec![1], Duration::from_millis(50)).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while store.get("k").await.unwrap().is_some() {
        assert!(Instant::now() < deadline, "it is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_value_set_again_is_the_new_one_for_its_new_time(store: Arc<dyn Kv>) {
    store.set("k", vec![1], Duration::from_millis(20)).await.unwrap();
    store.set("k", vec![2], PATIENCE).await.unwrap();
    store.set("short", vec![3], Duration::from_millis(60)).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while store.get("short").await.unwrap().is_some() {
        assert!(Instant::now() < deadline, "it is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(store.get("k").await.unwrap(), Some(vec![2]));
}

async fn what_lives_no_time_is_not_kept(store: Arc<dyn Kv>) {
    store.set("k", vec![1], PATIENCE).await.unwrap();
    store.set("k", vec![2], Duration::ZERO).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
}

async fn exactly_the_burst_is_allowed_at_once(store: Arc<dyn Kv>) {
    let mut allowed = 0;
    for _ in 0..30 {
        allowed += u32::from(store.permit("k", SLOW).await.unwrap() == Permit::Allowed);
    }
    assert_eq!(allowed, 5);
    // An hour for each, less what has passed.
    let Permit::RetryAfter(wait) = store.permit("k", SLOW).await.unwrap() else { unreachable!("allowed") };
    assert!(wait <= Duration::from_hours(1) && wait > Duration::from_mins(50), "{wait:?}");
}

async fn permits_taken_together_are_all_there_or_none(store: Arc<dyn Kv>) {
    assert_eq!(store.permits("k", SLOW, 4).await.unwrap(), Permit::Allowed);
    assert!(matches!(store.permits("k", SLOW, 2).await.unwrap(), Permit::RetryAfter(_)));
    assert_eq!(store.permit("k", SLOW).await.unwrap(), Permit::Allowed, "the refusal took nothing");
}

async fn waiting_as_told_is_enough(store: Arc<dyn Kv>) {
    let quick = Rate { permits: 10, per: Duration::from_secs(1), burst: 1 };
    assert_eq!(store.permit("k", quick).await.unwrap(), Permit::Allowed);
    let Permit::RetryAfter(wait) = store.permit("k", quick).await.unwrap() else {
        // A machine that slept 100 ms between two calls has nothing left to show.
        return;
    };
    assert!(wait <= Duration::from_millis(100), "{wait:?}");
    tokio::time::sleep(wait + Duration::from_millis(1)).await;
    assert_eq!(store.permit("k", quick).await.unwrap(), Permit::Allowed);
}

async fn limiters_do_not_mix(store: Arc<dyn Kv>) {
    assert_eq!(store.permits("one", SLOW, 5).await.unwrap(), Permit::Allowed);
    assert_eq!(store.permits("two", SLOW, 5).await.unwrap(), Permit::Allowed);
    store.set("three", b"no limiter".to_vec(), PATIENCE).await.unwrap();
    assert!(matches!(store.permit("one", SLOW).await.unwrap(), Permit::RetryAfter(_)));
}

async fn eight_tasks_together_get_the_burst_and_no_more(store: Arc<dyn Kv>) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut allowed = 0;
                for _ in 0..10 {
                    allowed += u32::from(store.permit("k", SLOW).await.unwrap() == Permit::Allowed);
                }
                allowed
            })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += task.await.unwrap();
    }
    assert_eq!(allowed, 5);
}

async fn what_can_never_be_is_refused_for_ever(store: Arc<dyn Kv>) {
    for (rate, count) in [(Rate { permits: 0, ..SLOW }, 1), (SLOW, 6), (Rate { burst: 0, ..SLOW }, 1)] {
        assert_eq!(store.permits("k", rate, count).await.unwrap(), Permit::RetryAfter(Duration::MAX));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_share_one_limit() {
    let Some(url) = servers::named("SALLYPORT_TEST_REDIS") else { return };
    let settings = settings(&url);
    let (one, two) = (connected(&settings).await, connected(&settings).await);
    assert_eq!(one.permits("k", SLOW, 3).await.unwrap(), Permit::Allowed);
    assert!(matches!(two.permits("k", SLOW, 3).await.unwrap(), Permit::RetryAfter(_)));
    assert_eq!(two.permits("k", SLOW, 2).await.unwrap(), Permit::Allowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_tls_is_used_only_when_its_authority_is_known() {
    let Some(url) = servers::named("SALLYPORT_TEST_REDIS") else { return };
    let front = TlsFront::start(address_in(&url)).await;
    let url = url.replacen("redis://", "rediss://", 1).replacen(address_in(&url), &front.place(), 1);
    let stranger = Redis::connect(&settings(&url), &Metrics::new()).unwrap();
    let settings = Settings { authority: Some(front.authority()), ..settings(&url) };
    let store = connected(&settings).await;
    store.set("k", vec![1], PATIENCE).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(vec![1]));
    assert!(stranger.get("k").await.is_err());
    assert!(!stranger.is_connected());
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_black_hole_a_call_answers_within_its_bound_and_later_ones_at_once() {
    let Some(url) = servers::named("SALLYPORT_TEST_REDIS") else { return };
    let proxy = FaultProxy::start(address_in(&url)).await;
    let store = connected(&settings(&proxy.instead_of(&url))).await;
    store.set("k", vec![1], PATIENCE).await.unwrap();
    for fault in [Fault::Blackhole, Fault::Latency(Duration::from_secs(20))] {
        proxy.set(fault);
        let answer = tokio::time::timeout(PATIENCE, store.get("k")).await;
        assert!(answer.expect("an answer").is_err());
        // The store counts as away: no caller waits for the same silence again.
        eventually("the silence is noticed", || !store.is_connected()).await;
        assert!(store.get("k").await.is_err());
        proxy.set(Fault::Pass);
        eventually("it is connected again", || store.is_connected()).await;
        eventually_some(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection_is_made_again() {
    let Some(url) = servers::named("SALLYPORT_TEST_REDIS") else { return };
    let proxy = FaultProxy::start(address_in(&url)).await;
    let metrics = Metrics::new();
    let store = Redis::connect(&settings(&proxy.instead_of(&url)), &metrics).unwrap();
    let is_shown =
        |value: &str| metrics.render().lines().any(|line| line == format!("sallyport_kv_connected {value}"));
    for _ in 0..5 {
        eventually("connected", || store.is_connected() && is_shown("1")).await;
        store.set("k", vec![1], PATIENCE).await.unwrap();
        proxy.set(Fault::Reset);
        eventually("the loss is noticed", || !store.is_connected() && is_shown("0")).await;
        assert!(store.permit("limit", SLOW).await.is_err());
        proxy.set(Fault::Pass);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_is_used_again_when_it_is_back() {
    let Some(servers) = Private::start(&["redis"]).await else { return };
    let url = servers.variable("SALLYPORT_TEST_REDIS").to_owned();
    let store = connected(&settings(&url)).await;
    for _ in 0..3 {
        store.set("k", vec![1], PATIENCE).await.unwrap();
        servers.kill("redis").await;
        assert!(store.get("k").await.is_err());
        servers.start_again("redis").await;
        eventually("it is connected again", || store.is_connected()).await;
    }
}

/// Polls until the value is read.
async fn eventually_some(store: &Redis) {
    let deadline = Instant::now() + PATIENCE;
    while !matches!(store.get("k").await, Ok(Some(_))) {
        assert!(Instant::now() < deadline, "it is not read again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
