use sallyport_model::TestClock;

use super::*;

const RATE: Rate = Rate { permits: 10, per: Duration::from_secs(10), burst: 5 };

fn store() -> (Arc<TestClock>, InProcess) {
    let clock = Arc::new(TestClock::at(1_000_000));
    let store = InProcess::new(Arc::clone(&clock) as Arc<dyn Clock>);
    (clock, store)
}

#[tokio::test]
async fn a_value_is_gone_after_its_time() {
    let (clock, store) = store();
    store.set("k", vec![1], Duration::from_secs(10)).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(vec![1]));
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_value_set_again_is_the_new_one_for_its_new_time() {
    let (clock, store) = store();
    store.set("k", vec![1], Duration::from_secs(1)).await.unwrap();
    store.set("k", vec![2], Duration::MAX).await.unwrap();
    clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(store.get("k").await.unwrap(), Some(vec![2]));
    store.delete("k").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn exactly_the_burst_is_allowed_at_once_and_the_rate_after_it() {
    let (clock, store) = store();
    let mut allowed = 0;
    for _ in 0..30 {
        allowed += u32::from(store.permit("k", RATE).await.unwrap() == Permit::Allowed);
    }
    assert_eq!(allowed, 5);
    assert_eq!(store.permit("k", RATE).await.unwrap(), Permit::RetryAfter(Duration::from_secs(1)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.permit("k", RATE).await.unwrap(), Permit::Allowed);
    assert_eq!(store.permit("other", RATE).await.unwrap(), Permit::Allowed);
}

#[tokio::test]
async fn permits_taken_together_are_all_there_or_none() {
    let (_clock, store) = store();
    assert_eq!(store.permits("k", RATE, 4).await.unwrap(), Permit::Allowed);
    assert_eq!(store.permits("k", RATE, 2).await.unwrap(), Permit::RetryAfter(Duration::from_secs(1)));
    assert_eq!(store.permit("k", RATE).await.unwrap(), Permit::Allowed, "the refusal took nothing");
}

#[tokio::test]
async fn eight_tasks_together_get_the_burst_and_no_more() {
    let (_clock, store) = store();
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut allowed = 0;
                for _ in 0..10 {
                    allowed += u32::from(store.permit("k", RATE).await.unwrap() == Permit::Allowed);
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

#[tokio::test]
async fn a_flood_of_keys_neither_locks_newcomers_out_nor_frees_the_busy_one() {
    let clock = Arc::new(TestClock::at(1_000_000));
    let store = InProcess::bounded(Arc::clone(&clock) as Arc<dyn Clock>, 10_000, 10_000);
    store.permits("busy", RATE, 5).await.unwrap();
    for n in 0..1_000 {
        assert_eq!(store.permit(&format!("source-{n}"), RATE).await.unwrap(), Permit::Allowed);
    }
    assert!(matches!(store.permit("busy", RATE).await.unwrap(), Permit::RetryAfter(_)));
}

#[tokio::test]
async fn a_flood_of_values_stays_within_its_bound() {
    let clock = Arc::new(TestClock::at(1_000_000));
    let store = InProcess::bounded(clock, 10_000, 10_000);
    for n in 0..1_000_u32 {
        store.set(&format!("k{n}"), vec![0; 500], Duration::from_secs(60 + u64::from(n))).await.unwrap();
    }
    assert_eq!(store.get("k0").await.unwrap(), None);
    assert_eq!(store.get("k999").await.unwrap(), Some(vec![0; 500]));
}
