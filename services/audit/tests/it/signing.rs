//! Checkpoints: signed on a schedule, and never over a log that is not the continuation of what was published.

use std::time::Duration;

use sallyport_audit::{Config, migrations};
use sallyport_audit_proof::{Checkpoint, Finding, Hash, Note, verify_consistency};
use sallyport_db::testing::each;
use sallyport_proto::audit::v1::{CheckpointRequest, CheckpointResponse, audit_client::AuditClient as Rpc};

use crate::{
    house::{House, TENANT},
    ledger::{Ledger, TABLES, back_up, disarm, put_back, recompute, run},
    storing::record_calls,
};

/// Waits until the metrics hold this text.
async fn told(house: &House, text: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !house.metrics.render().contains(text) {
        assert!(tokio::time::Instant::now() < deadline, "{text} appears in\n{}", house.metrics.render());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the service answers about a checkpoint, once it has noted that it was published: the file comes first.
async fn noted(ledger: &Ledger, request: CheckpointRequest) -> CheckpointResponse {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let mut rpc = Rpc::new(ledger.house.rpc.clone());
        let answer = rpc.checkpoint(request.clone()).await.unwrap().into_inner();
        if answer.size == request.size {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} was published and is noted", request.size);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const CHANGED: &str = "sallyport_audit_checkpoint_refusals_total{reason=\"changed\"} ";
const SHORTER: &str = "sallyport_audit_checkpoint_refusals_total{reason=\"shorter\"} ";
const FOREIGN: &str = "sallyport_audit_checkpoint_refusals_total{reason=\"foreign\"} ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_checkpoint_goes_on_from_the_one_before() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        for _ in 0..4 {
            ledger.record(8).await;
        }
        let anchors = ledger.anchors();
        assert!(anchors.len() >= 4, "{:?}", anchors.keys());
        let opened: Vec<Checkpoint> = anchors
            .values()
            .map(|anchor| Checkpoint::parse(Note::parse(&anchor.note).unwrap().text()).unwrap())
            .collect();
        for pair in opened.windows(2) {
            let request = CheckpointRequest {
                tenant: TENANT.to_owned(),
                since: i64::try_from(pair[0].size).unwrap(),
                size: i64::try_from(pair[1].size).unwrap(),
            };
            let proof = noted(&ledger, request).await;
            let path: Vec<_> = proof.path.iter().map(|hash| Hash::from_slice(hash).unwrap()).collect();
            verify_consistency((pair[0].size, &pair[0].root), (pair[1].size, &pair[1].root), &path).unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_records_get_a_checkpoint_however_long_the_schedule_is() {
    each(migrations(), |pool| async move {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            checkpoint_folder: Some(folder.path().to_owned()),
            checkpoint_seconds: 300,
            checkpoint_records: 100,
            ..Config::default()
        };
        let ledger = Ledger { house: House::start_signing(pool, config).await, folder };
        // The first records of a log get one at once.
        ledger.event("pat-1").await;
        record_calls(&ledger.house, 0..50).await;
        ledger.house.settle().await;
        ledger.covered().await;
        assert_eq!(ledger.anchors().keys().next_back(), Some(&101));
    })
    .await;
}

/// A log that was changed behind the service's back: the service starts again on it and more is recorded.
async fn goes_on(mut ledger: Ledger) -> Ledger {
    ledger.house = ledger.house.crash_and_restart().await;
    record_calls(&ledger.house, 0..5).await;
    ledger.house.settle().await;
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_written_anew_gets_no_checkpoint() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool.clone()).await;
        ledger.record(10).await;
        ledger.house.freeze().await;
        disarm(&pool).await;
        run(&pool, "UPDATE records SET released = 99 WHERE log_index = 3").await.unwrap();
        recompute(&ledger, usize::MAX).await;
        run(&pool, "DELETE FROM log_checkpoints").await.unwrap();
        let published = ledger.anchors().len();
        let ledger = goes_on(ledger).await;
        told(&ledger.house, CHANGED).await;
        assert_eq!(ledger.anchors().len(), published, "nothing was signed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_put_back_from_a_backup_gets_no_checkpoint_even_when_it_has_grown_past_the_last_one() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool.clone()).await;
        ledger.record(4).await;
        back_up(&pool).await;
        ledger.record(4).await;
        ledger.house.freeze().await;
        disarm(&pool).await;
        put_back(&pool, &TABLES).await;
        let published = ledger.anchors().len();
        ledger.house = ledger.house.crash_and_restart().await;
        told(&ledger.house, SHORTER).await;
        record_calls(&ledger.house, 0..20).await;
        ledger.house.settle().await;
        told(&ledger.house, CHANGED).await;
        assert_eq!(ledger.anchors().len(), published, "nothing was signed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_checkpoint_that_is_not_ours_nothing_is_signed() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        ledger.record(2).await;
        let name = ledger.folder.path().join(TENANT).join("00000000000000009999.checkpoint");
        std::fs::write(name, "sallyport/audit/general-hospital\n9999\nx\n\n\u{2014} x AAAA\n").unwrap();
        record_calls(&ledger.house, 0..2).await;
        ledger.house.settle().await;
        told(&ledger.house, FOREIGN).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_that_append_and_sign_at_once_make_one_log() {
    each(migrations(), |pool| async move {
        let ledger = Ledger::start(pool).await;
        let other = ledger.house.replica().await;
        for _ in 0..5 {
            tokio::join!(record_calls(&ledger.house, 0..30), record_calls(&other, 0..30));
        }
        ledger.house.settle().await;
        other.settle().await;
        ledger.covered().await;
        let report = ledger.verify().await;
        assert_eq!((report.faults, report.records), (vec![], 600));
        assert!(!report.findings.iter().any(|f| matches!(f, Finding::SpoolRepeated { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_dies_while_it_appends_leaves_one_log_with_every_record() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool).await;
        for round in 0..8_u64 {
            record_calls(&ledger.house, 0..100).await;
            // Somewhere in the middle of it.
            tokio::time::sleep(Duration::from_millis(7 * round)).await;
            ledger.house = ledger.house.crash_and_restart().await;
        }
        ledger.house.settle().await;
        ledger.covered().await;
        let report = ledger.verify().await;
        assert_eq!((report.faults, report.records), (vec![], 1_600));
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_record_is_lost_over_a_head_that_somebody_turned_back() {
    each(migrations(), |pool| async move {
        let mut ledger = Ledger::start(pool.clone()).await;
        ledger.record(40).await;
        ledger.house.freeze().await;
        run(&pool, "DELETE FROM log_heads").await.unwrap();
        let published = ledger.anchors().len();
        ledger.house = ledger.house.crash_and_restart().await;
        // Enough to complete a tile that is there already.
        record_calls(&ledger.house, 0..30).await;
        ledger.house.settle().await;
        assert_eq!(ledger.house.number("SELECT COUNT(*) FROM records").await, 140);
        assert_eq!(ledger.house.number("SELECT COUNT(*) FROM quarantine").await, 0);
        told(&ledger.house, SHORTER).await;
        assert_eq!(ledger.anchors().len(), published, "nothing was signed");
        assert!(!ledger.verify().await.is_verified());
    })
    .await;
}
