//! The same answer twice, and many launches in one browser.

use std::sync::Arc;

use sallyport_proto::audit::v1::Kind;

use crate::world::{World, each, opened};

#[tokio::test]
async fn a_repeated_answer_in_the_same_browser_goes_to_the_chart_without_asking_the_ehr() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let path = world.answer_path(&departed);
        let launch = opened(&browser.get(&path).await.location());
        let again = browser.get(&path).await;
        assert_eq!((again.status, opened(&again.location())), (303, launch));
        assert!(again.cookies_set().is_empty());
        assert_eq!(world.vault.exchange_count(), 1);
        assert_eq!(world.records(Kind::Callback).await.last().unwrap().detail, "repeated");
    })
    .await;
}

#[tokio::test]
async fn a_repeated_answer_needs_both_cookies_and_a_live_session() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let path = world.answer_path(&departed);
        let launch = opened(&browser.get(&path).await.location());
        let session = format!("__Host-s-{launch}");

        let mut other = browser.twin();
        other.jar.retain(|name, _| name.starts_with("__Host-s-"));
        assert_eq!(other.get(&path).await.code(), "callback.other_browser");
        let mut other = browser.twin();
        other.jar.remove(&session);
        assert_eq!(other.get(&path).await.code(), "callback.state_unknown");
        let mut other = browser.twin();
        other.jar.insert(session, "A".repeat(43));
        assert_eq!(other.get(&path).await.code(), "callback.state_unknown");

        world.clock.advance(std::time::Duration::from_secs(15 * 60));
        assert_eq!(browser.get(&path).await.code(), "callback.state_unknown");
        assert_eq!(world.vault.exchange_count(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_many_answers_at_once_one_is_exchanged() {
    each(|world: World| async move {
        let world = Arc::new(world);
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let path = Arc::new(world.answer_path(&departed));
        let mut answers = Vec::new();
        for _ in 0..12 {
            let (mut twin, path) = (browser.twin(), Arc::clone(&path));
            answers.push(tokio::spawn(async move { twin.get(&path).await.status }));
        }
        let mut opened = 0;
        for answer in answers {
            opened += usize::from(answer.await.unwrap() == 303);
        }
        assert_eq!((opened, world.vault.exchange_count()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_session_cookie_that_was_planted_before_the_launch_opens_nothing() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let name = format!("__Host-s-{launch}");
        let old = browser.jar[&name].clone();
        // Another launch in the browser never takes an old secret over.
        let second = world.open(&mut browser).await;
        assert_ne!(browser.jar[&format!("__Host-s-{second}")], old);
        assert_eq!(browser.jar[&name], old);
        let mut fixed = world.browser();
        fixed.jar.insert(format!("__Host-s-{second}"), old);
        assert_eq!(fixed.get(&format!("/session/{second}")).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn the_ninth_launch_in_a_browser_ends_the_oldest() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let mut launches = Vec::new();
        for _ in 0..8 {
            launches.push(world.open(&mut browser).await);
            world.clock.advance(std::time::Duration::from_millis(2));
        }
        // Somebody else's handle in a made-up cookie ends nobody's session.
        let mut stranger = world.browser();
        let stranger_launch = world.open(&mut stranger).await;
        browser.jar.insert(format!("__Host-s-{stranger_launch}"), "A".repeat(43));
        world.clock.advance(std::time::Duration::from_millis(2));
        let ninth = world.open(&mut browser).await;
        browser.jar.remove(&format!("__Host-s-{stranger_launch}"));
        assert!(!browser.jar.contains_key(&format!("__Host-s-{}", launches[0])));
        for launch in launches[1..].iter().chain([&ninth]) {
            assert_eq!(browser.get(&format!("/session/{launch}")).await.status, 200);
        }
        assert_eq!(stranger.get(&format!("/session/{stranger_launch}")).await.status, 200);
        let ends = world.records(Kind::SessionEnd).await;
        assert_eq!(ends.len(), 1);
        assert_eq!(
            (ends[0].detail.as_str(), ends[0].launch_id.as_slice()),
            ("evicted", &launches[0].uuid().as_bytes()[..])
        );
    })
    .await;
}
