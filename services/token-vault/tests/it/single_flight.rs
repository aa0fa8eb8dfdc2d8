//! A refresh happens once, however many ask, in however many processes, however slow the endpoint is.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Clock, ServiceName};
use sallyport_proto::vault::v1::AccessTokenRequest;
use sallyport_testkit::assurance::Report;
use tokio::sync::Notify;

use crate::{
    sign_in::Script,
    world::{World, code, each_with, eventually, patient},
};

/// A hundred calls at once over two vaults.
async fn stampede(world: &Arc<World>, grant: &[u8]) -> Vec<Result<String, &'static str>> {
    let mut tasks = Vec::new();
    for n in 0..100 {
        let (world, grant) = (Arc::clone(world), grant.to_vec());
        tasks.push(tokio::spawn(async move {
            let answer = world.access_of(n % 2, &grant, &[]).await;
            answer.map(|access| access.access_token).map_err(|status| code(&status))
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_calls_over_two_vaults_make_one_refresh_of_a_slow_endpoint() {
    each_with(
        2,
        patient,
        |_| {},
        |world| async move {
            let report = Report::new("refresh storm").scenario("two vaults, a slow endpoint").unit("calls");
            let world = Arc::new(world);
            let grant = world.grant().await;
            world.until_expiry();
            // Four times as long as the lease: it must be renewed meanwhile.
            world.sign_in.script("token", [Script::Late(Duration::from_millis(2_400))]);
            let answers = stampede(&world, &grant).await;
            assert!(answers.iter().all(|a| a.as_deref() == Ok("access-canary-0002")), "{answers:?}");
            assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
            assert_eq!(world.sign_in.reuses(), 0);
            report.tried(answers.len() as u64).write();
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn round_after_round_the_family_is_never_ended_by_reuse() {
    each_with(
        2,
        patient,
        |_| {},
        |world| async move {
            let mut report =
                Report::new("refresh storm").scenario("two vaults, round after round").unit("calls");
            let world = Arc::new(world);
            let grant = world.grant().await;
            for round in 0..5 {
                world.until_expiry();
                let answers = stampede(&world, &grant).await;
                let expected = format!("access-canary-{:04}", round + 2);
                assert!(answers.iter().all(|a| a.as_deref() == Ok(expected.as_str())), "{answers:?}");
                report.add_tried(answers.len() as u64);
            }
            assert_eq!((world.sign_in.seen_grants("refresh_token").len(), world.sign_in.reuses()), (5, 0));
            report.write();
        },
    )
    .await;
}

#[tokio::test]
async fn a_lease_is_renewed_by_the_clock_that_others_read() {
    each_with(
        2,
        patient,
        |_| {},
        |world| async move {
            let world = Arc::new(world);
            let grant = world.grant().await;
            world.until_expiry();
            let release = Arc::new(Notify::new());
            world.sign_in.script("token", [Script::Held(Arc::clone(&release))]);
            let first = tokio::spawn({
                let (world, grant) = (Arc::clone(&world), grant.clone());
                async move { world.access_of(0, &grant, &[]).await }
            });
            eventually("the refresh", || async { world.sign_in.seen_grants("refresh_token").len() == 1 })
                .await;
            // Time passes for everybody, three leases long, in steps shorter than one: the other vault, which looks
            // for the refreshes of dead processes all the while, must not think that this one died.
            for _ in 0..6 {
                world.clock.advance(Duration::from_millis(300));
                let until = (world.clock.now() + 600_000).to_string();
                let lease = || world.text("SELECT CAST(lease_expires_at AS TEXT) FROM grants");
                eventually("the renewal", || async { lease().await == until }).await;
            }
            assert_eq!(world.state().await, "refreshing");
            release.notify_one();
            assert!(world.access_of(1, &grant, &[]).await.is_ok());
            assert!(first.await.unwrap().is_ok());
            assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_lose_the_new_tokens() {
    each_with(
        1,
        patient,
        |_| {},
        |world| async move {
            let grant = world.grant().await;
            world.until_expiry();
            world.sign_in.script("token", [Script::Late(Duration::from_millis(300))]);
            let mut request = tonic::Request::new(AccessTokenRequest {
                tenant: "general".to_owned(),
                grant_id: grant.clone(),
                rejected_sha256: Vec::new(),
            });
            request.set_timeout(Duration::from_millis(100));
            assert!(world.client(ServiceName::FhirGateway).access_token(request).await.is_err());
            assert_eq!(world.access(&grant).await.unwrap().access_token, "access-canary-0002");
            assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 1);
        },
    )
    .await;
}
