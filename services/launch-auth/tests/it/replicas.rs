//! Two replicas on one database, with no rule which of them a browser comes to.

use std::{collections::HashMap, time::Duration};

use sallyport_model::{LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::Kind,
    launch::v1::{ResolveRequest, RevokeRequest},
    types::v1::{
        Selector, WatchRevocationsRequest, revocation_event::What, selector::By,
        watch_revocations_response::Item,
    },
};
use sallyport_rpc::code_of;
use sallyport_smart::form;
use tokio::task::JoinSet;

use crate::{
    browser::Browser,
    world::{World, each, eventually, opened},
};

async fn resolved(world: &World, browser: &Browser, launch: LaunchId) -> &'static str {
    let request = ResolveRequest {
        launch_id: launch.uuid().as_bytes().to_vec(),
        session_secret: browser.jar.get(&format!("__Host-s-{launch}")).cloned().unwrap_or_default(),
    };
    match world.client(ServiceName::FhirGateway).resolve(request).await {
        Ok(_) => "open",
        Err(status) => code_of(&status).as_str(),
    }
}

fn revoke(launch: LaunchId) -> RevokeRequest {
    RevokeRequest {
        tenant: "general".to_owned(),
        selector: Some(Selector { by: Some(By::Launch(launch.uuid().as_bytes().to_vec())) }),
        reason: "a test".to_owned(),
    }
}

#[tokio::test]
async fn a_launch_begun_at_one_replica_ends_at_the_other_and_lives_at_both() {
    each(|one: World| async move {
        let two = one.replica().await;
        let mut browser = one.browser();
        let departed = one.depart(&mut browser).await;
        let mut stranger = two.browser();
        assert_eq!(stranger.get(&two.answer_path(&departed)).await.status, 403, "the state is its browser's");
        browser.led_to(two.address);
        let answer = browser.get(&two.answer_path(&departed)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let launch = opened(&answer.location());
        for replica in [&one, &two] {
            assert_eq!(resolved(replica, &browser, launch).await, "open");
            browser.led_to(replica.address);
            assert_eq!(browser.get(&format!("/session/{launch}")).await.status, 200);
            // The same answer again goes to the chart, wherever it arrives.
            let again = browser.get(&replica.answer_path(&departed)).await;
            assert_eq!((again.status, opened(&again.location())), (303, launch));
        }
        assert_eq!(one.vault.exchanges.lock().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_form_that_one_replica_vouched_for_is_taken_by_the_other() {
    each(|one: World| async move {
        let two = one.replica().await;
        let mut browser = one.browser();
        let launch = one.open(&mut browser).await;
        let secret = sallyport_model::Secret::new(browser.jar[&format!("__Host-s-{launch}")].clone());
        let token = form::token(&secret, launch, "logout");
        browser.led_to(two.address);
        let body = format!("action=logout&token={token}");
        let headers =
            [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")];
        let out = browser.send("POST", &format!("/session/{launch}"), &headers, &body).await;
        assert!(out.status < 400, "{out:?}");
        browser.jar.insert(format!("__Host-s-{launch}"), secret.expose().clone());
        for replica in [&one, &two] {
            assert_eq!(resolved(replica, &browser, launch).await, "session.revoked");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_answers_over_two_replicas_one_is_exchanged() {
    each(|one: World| async move {
        let two = one.replica().await;
        let mut browser = one.browser();
        let departed = one.depart(&mut browser).await;
        let mut answers = JoinSet::new();
        for n in 0..10 {
            let address = if n % 2 == 0 { one.address } else { two.address };
            let (jar, path) = (browser.jar.clone(), one.answer_path(&departed));
            answers.spawn(async move {
                let mut tab = Browser::new(address);
                tab.jar = jar;
                tab.get(&path).await.status
            });
        }
        let statuses = answers.join_all().await;
        assert!(statuses.contains(&303), "{statuses:?}");
        assert_eq!(one.vault.exchanges.lock().unwrap().len(), 1, "{statuses:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_that_sweep_end_each_session_once() {
    each(|one: World| async move {
        let two = one.replica().await;
        let mut browsers: Vec<(Browser, LaunchId)> = Vec::new();
        for _ in 0..12 {
            let mut browser = one.browser();
            let launch = one.open(&mut browser).await;
            browsers.push((browser, launch));
        }
        one.clock.advance(Duration::from_secs(16 * 60));
        for (browser, launch) in &browsers {
            eventually("the end", || async {
                let number = ended(&one).await;
                number == 12 && resolved(&two, browser, *launch).await == "session.expired"
            })
            .await;
        }
        eventually("the grants' revocation", || async { one.vault.revokes.lock().unwrap().len() >= 12 })
            .await;
        let mut times: HashMap<Vec<u8>, usize> = HashMap::new();
        for record in one.records(Kind::SessionEnd).await.iter().chain(&two.records(Kind::SessionEnd).await) {
            *times.entry(record.launch_id.clone()).or_default() += 1;
        }
        assert!(times.len() == 12 && times.values().all(|n| *n == 1), "{times:?}");
        assert_eq!(one.vault.revokes.lock().unwrap().len(), 12);
    })
    .await;
}

async fn ended(world: &World) -> i64 {
    sallyport_db::on_pool!(world.pool, |c| sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL"
    )
    .fetch_one(c)
    .await)
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revocations_of_two_writers_have_one_sequence_without_gaps_in_the_order_of_their_commits() {
    each(|one: World| async move {
        let two = one.replica().await;
        let mut launches = Vec::new();
        for _ in 0..24 {
            launches.push(one.open(&mut one.browser()).await);
        }
        let mut watching = one.client(ServiceName::FhirGateway);
        let request = WatchRevocationsRequest { after: 0 };
        let mut stream = watching.watch_revocations(request).await.unwrap().into_inner();
        let mut writers = JoinSet::new();
        for (n, launch) in launches.iter().copied().enumerate() {
            let mut operator = [&one, &two][n % 2].client(ServiceName::Operator);
            writers.spawn(async move { operator.revoke(revoke(launch)).await.unwrap() });
        }
        let mut told = Vec::new();
        while told.len() < launches.len() {
            let message = tokio::time::timeout(Duration::from_secs(60), stream.message()).await;
            if let Some(Item::Event(event)) = message.unwrap().unwrap().unwrap().item {
                let Some(What::Launch(launch)) = event.what else { panic!("a launch") };
                // A reader that saw a number has seen all below it: a smaller one cannot be committed later.
                assert_eq!(event.sequence, i64::try_from(told.len()).unwrap() + 1);
                told.push(launch);
            }
        }
        writers.join_all().await;
        let mut expected: Vec<_> = launches.iter().map(|l| l.uuid().as_bytes().to_vec()).collect();
        expected.sort();
        told.sort();
        assert_eq!(told, expected);
    })
    .await;
}
