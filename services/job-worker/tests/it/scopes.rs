//! A run's authority: what it pinned, and what happens when that changes.

use std::time::Duration;

use sallyport_model::{Code, GrantId, SystemClock};
use sallyport_proto::{
    convert,
    jobs::v1::StartRequest,
    types::v1::{User, actor},
    vault::v1::CheckGrantResponse,
};

use crate::{
    owners::SCOPES,
    world::{code, control, crawl, each, eventually, tenant},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_scopes_shrink_stops_and_says_which() {
    let jobs = crawl("nightly", "general", 400, "batch_size = 10\nattempts = 1");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(5);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 3).await;
        world.ehr.faults.lock().unwrap().lost = vec!["system/Observation.rs".to_owned()];
        let stopped = worker.until(&run, "stopped").await;
        assert_eq!(stopped.code, "job.scope_changed");
        assert_eq!(stopped.scope, "-system/Observation.rs");
        let progress = stopped.progress.unwrap();
        assert!((3..400).contains(&progress.items_done) && progress.quarantined == 0, "{progress:?}");
        // The run's row says it before the record is durable.
        eventually("the stop to be recorded", || async {
            world.records().await.iter().any(|record| record.interaction == "stop")
        })
        .await;
        let records = world.records().await;
        let stop = records.iter().find(|record| record.interaction == "stop").unwrap();
        assert_eq!(stop.code, "job.scope_changed");
        // Still less: the retry is refused, and the run stays where it is.
        *world.owners.granted.lock().unwrap() = SCOPES.replace("system/Observation.rs ", "");
        let refused = worker.client().retry(control(&run)).await.unwrap_err();
        assert_eq!(code(&refused), "job.scope_changed");
        // As it was: it goes on from its checkpoint.
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        {
            let mut faults = world.ehr.faults.lock().unwrap();
            faults.lost.clear();
            faults.delay = Duration::ZERO;
        }
        world.execute("DELETE FROM service_grants").await;
        worker.client().retry(control(&run)).await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.subjects), (400, 400));
        assert_eq!(world.number("SELECT count(*) FROM results WHERE writes <> 1").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_less_than_the_feature_needs_starts_nothing() {
    each(&[tenant("general", &crawl("nightly", "general", 3, ""))], |world| async move {
        *world.owners.granted.lock().unwrap() = "system/Patient.rs".to_owned();
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        let stopped = worker.until(&run, "stopped").await;
        assert_eq!(
            (stopped.code.as_str(), stopped.scope.as_str()),
            ("job.scope_missing", "-system/Observation.rs")
        );
        assert_eq!(world.ehr.count(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_the_ehr_refuses_stops_the_run_and_a_vault_that_is_away_does_not() {
    each(&[tenant("general", &crawl("nightly", "general", 3, ""))], |world| async move {
        *world.owners.refuses.lock().unwrap() = Some(Code::DependencyDown);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        eventually("the run to wait", || async { worker.progress(&run).await.waits_for == "retry" }).await;
        *world.owners.refuses.lock().unwrap() = Some(Code::ExchangeClientRefused);
        assert_eq!(worker.until(&run, "stopped").await.code, "exchange.client_refused");
        *world.owners.refuses.lock().unwrap() = None;
        worker.client().retry(control(&run)).await.unwrap();
        worker.until(&run, "done").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_stops_the_run_within_a_batch() {
    let jobs = crawl("nightly", "general", 200, "batch_size = 10");
    each(&[tenant("general", &jobs)], |world| async move {
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(10);
        let worker = world.worker(1).await;
        let run = worker.start("general", "nightly").await.unwrap();
        worker.until_done(&run, 3).await;
        let grant = world.owners.opened.lock().unwrap()[0];
        world.owners.revoke(grant);
        let stopped = worker.until(&run, "stopped").await;
        assert_eq!(stopped.code, "grant.revoked");
        let calls = world.ehr.count();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.ehr.count(), calls);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_feature_share_one_grant() {
    let jobs = crawl("nightly", "general", 2, "") + &crawl("daily", "general", 2, "");
    each(&[tenant("general", &jobs)], |world| async move {
        let worker = world.worker(1).await;
        for job in ["nightly", "daily", "nightly"] {
            let run = worker.start("general", job).await.unwrap();
            worker.until(&run, "done").await;
        }
        assert_eq!(world.owners.opened.lock().unwrap().len(), 1);
    })
    .await;
}

fn offline() -> String {
    crawl("recall", "general", 3, "")
        .replace("feature = \"crawl\"", "feature = \"follow-up\"")
        .replace("HOPERAT", "TREAT")
        .replace("identity = \"backend\"", "identity = \"offline\"")
}

fn by_user(grant: GrantId) -> StartRequest {
    StartRequest {
        tenant: "general".to_owned(),
        job: "recall".to_owned(),
        by: "ada".to_owned(),
        reason: "a test".to_owned(),
        grant_id: convert::id_bytes(grant.uuid()),
        user: Some(User {
            issuer: "https://ehr.example".to_owned(),
            subject: "dr-1".to_owned(),
            fhir_user: "Practitioner/1".to_owned(),
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_offline_grant_carries_a_run_in_that_users_name_until_it_is_revoked() {
    each(&[tenant("general", &offline())], |world| async move {
        let worker = world.worker(1).await;
        let grant = GrantId::new(&SystemClock);
        let good = CheckGrantResponse {
            endpoint: "main".to_owned(),
            registration: "general-backend".to_owned(),
            granted_scope: "offline_access patient/Observation.rs patient/Patient.rs".to_owned(),
            is_offline: true,
        };
        for (bad, refusal) in [
            (None, "grant.unknown"),
            (Some(CheckGrantResponse { is_offline: false, ..good.clone() }), "job.identity_refused"),
            (
                Some(CheckGrantResponse { registration: "other".to_owned(), ..good.clone() }),
                "job.identity_refused",
            ),
            (
                Some(CheckGrantResponse { granted_scope: "patient/Patient.rs".to_owned(), ..good.clone() }),
                "job.scope_missing",
            ),
        ] {
            *world.owners.checked.lock().unwrap() = bad;
            let refused = worker.client().start(by_user(grant)).await.unwrap_err();
            assert_eq!(code(&refused), refusal);
        }
        assert_eq!(code(&worker.start("general", "recall").await.unwrap_err()), "job.identity_refused");
        *world.owners.checked.lock().unwrap() = Some(good);
        let run = worker.client().start(by_user(grant)).await.unwrap().into_inner();
        worker.until(&run, "done").await;
        let calls = world.ehr.calls.lock().unwrap().clone();
        assert!(!calls.is_empty());
        for call in calls {
            let Some(actor::Kind::User(user)) = call.authority.actor.unwrap().kind else {
                panic!("not as the user")
            };
            assert_eq!((user.subject.as_str(), user.fhir_user.as_str()), ("dr-1", "Practitioner/1"));
        }
        let plain = "SELECT count(*) FROM runs WHERE CAST(user_sealed AS TEXT) LIKE '%dr-1%'";
        assert_eq!(world.number(plain).await, 0);
        world.ehr.calls.lock().unwrap().clear();
        world.owners.revoke(grant);
        // The word travels by a stream: the run must not be over before it arrives.
        world.ehr.faults.lock().unwrap().delay = Duration::from_millis(500);
        let second = worker.client().start(by_user(grant)).await.unwrap().into_inner();
        assert_eq!(worker.until(&second, "stopped").await.code, "grant.revoked");
    })
    .await;
}
