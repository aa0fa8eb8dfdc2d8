//! Invariant 4: nothing is acknowledged that is not durable, and after a failed sync no call starts.

use super::*;
use crate::{AuditError, faults::read_spool};

#[tokio::test]
async fn an_acknowledged_intent_is_in_the_file() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    client.begin(intent("pat-1")).unwrap().durable().await.unwrap();
    let records = read_spool(directory.path(), key).await.unwrap();
    assert_eq!(patients(&records), ["pat-1"]);
    assert_eq!(records[0].service, "fhir-gateway");
}

#[tokio::test]
async fn a_thousand_concurrent_intents_share_their_syncs() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    let before = client.fdatasyncs();
    let calls: Vec<_> = (0..1_000)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.begin(intent(&format!("pat-{n}")))?.durable().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let syncs = client.fdatasyncs() - before;
    assert!((1..500).contains(&syncs), "{syncs} fdatasync calls for 1,000 records");
    assert_eq!(read_spool(directory.path(), key).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn an_outcome_costs_no_sync_of_its_own_when_an_intent_follows() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    client.begin(intent("pat-1")).unwrap().durable().await.unwrap();
    let before = client.fdatasyncs();
    for _ in 0..20 {
        client.outcome(event("pat-1"));
    }
    client.begin(intent("pat-2")).unwrap().durable().await.unwrap();
    assert_eq!(client.fdatasyncs() - before, 1);
    assert_eq!(read_spool(directory.path(), key).await.unwrap().len(), 22);
}

#[tokio::test]
async fn an_outcome_alone_becomes_durable_by_itself_and_at_a_flush() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    client.outcome(event("pat-1"));
    client.flush().await.unwrap();
    assert_eq!(read_spool(directory.path(), Arc::clone(&key) as _).await.unwrap().len(), 1);
    client.outcome(event("pat-2"));
    within(async {
        while read_spool(directory.path(), Arc::clone(&key) as _).await.unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_failed_sync_is_answered_by_a_new_segment_and_never_repeated_on_the_old_file() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    client.begin(intent("before")).unwrap().durable().await.unwrap();
    disk.fail_sync(true);
    let lost = client.begin(intent("unsynced")).unwrap();
    assert_eq!(lost.durable().await, Err(AuditError::Unavailable));
    // While no new segment has committed, no call may start, for as long as that takes.
    assert_eq!(client.begin(intent("refused")).err(), Some(AuditError::Unavailable));
    assert_eq!(client.event(event("refused")).await, Err(AuditError::Unavailable));
    assert_eq!(client.ready(), Err(AuditError::Unavailable));
    disk.fail_sync(false);
    within(async {
        while client.ready().is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    client.begin(intent("after")).unwrap().durable().await.unwrap();
    assert_eq!(disk.retried_after_failure(), 0, "the failed file was left alone");
    // What was not acknowledged has been written again, before anything new.
    let records = read_spool(directory.path(), key).await.unwrap();
    assert_eq!(patients(&records), ["before", "unsynced", "after"]);
}

#[tokio::test]
async fn one_failed_sync_with_a_healthy_new_segment_costs_no_call() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let disk = FaultyDisk::default();
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    disk.fail_sync_once();
    client.begin(intent("pat-1")).unwrap().durable().await.unwrap();
    assert_eq!(disk.retried_after_failure(), 0);
    assert_eq!(patients(&read_spool(directory.path(), key).await.unwrap()), ["pat-1"]);
}

#[tokio::test]
async fn a_new_segment_counts_only_when_its_directory_entry_is_synced() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    disk.fail_directory(true);
    disk.fail_sync_once();
    assert_eq!(client.event(event("pat-1")).await, Err(AuditError::Unavailable));
    assert_eq!(client.ready(), Err(AuditError::Unavailable));
}

#[tokio::test]
async fn a_full_disk_refuses_calls_until_there_is_room_again() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    disk.fail_append(true);
    assert_eq!(client.event(event("pat-1")).await, Err(AuditError::Unavailable));
    // The outcome of a call already on its way is kept for later, not lost.
    client.outcome(event("pat-2"));
    disk.fail_append(false);
    within(async {
        while client.ready().is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    client.flush().await.unwrap();
    assert_eq!(patients(&read_spool(directory.path(), key).await.unwrap()), ["pat-1", "pat-2"]);
    assert_eq!(disk.retried_after_failure(), 0);
}

#[tokio::test]
async fn a_full_spool_refuses_calls_but_takes_the_outcomes_of_those_that_run() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let small = Settings { max_bytes: 16 * 1024, ..settings(directory.path(), &disk) };
    let (client, _relay) = open(small, &key).await;
    let mut taken = 0;
    let refusal = loop {
        match client.event(event("pat-1")).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, AuditError::Full);
    assert!(taken > 10, "{taken} records before the cap");
    client.outcome(event("pat-2"));
    client.flush().await.unwrap();
    assert_eq!(read_spool(directory.path(), key).await.unwrap().len(), taken + 1);
}

#[tokio::test]
async fn without_the_key_service_nothing_is_recorded_unsealed() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    key.set_away(true);
    assert_eq!(client.event(event("pat-1")).await, Err(AuditError::KeyUnavailable));
    key.set_away(false);
    client.event(event("pat-2")).await.unwrap();
    assert_eq!(patients(&read_spool(directory.path(), key).await.unwrap()), ["pat-2"]);
}

#[tokio::test]
async fn an_incomplete_record_is_refused_by_name() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    let without_tenant = Record { tenant: String::new(), ..event("pat-1") };
    assert_eq!(client.event(without_tenant).await, Err(AuditError::Incomplete("tenant")));
    assert_eq!(client.event(intent("pat-1")).await, Err(AuditError::Incomplete("outcome")));
}

#[tokio::test]
async fn no_patient_id_stands_in_the_files_in_clear() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let (client, _relay) = open(settings(directory.path(), &disk), &key).await;
    client.event(event("canary-patient-77")).await.unwrap();
    assert!(!scan(directory.path(), b"canary-patient-77"));
    std::fs::write(directory.path().join("leak"), b"..canary-patient-77..").unwrap();
    assert!(scan(directory.path(), b"canary-patient-77"), "the scan itself finds a planted leak");
}

fn scan(directory: &Path, canary: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(canary.len()).any(|window| window == canary)
    })
}

#[tokio::test]
async fn the_metrics_count_what_became_durable_and_what_was_refused() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    let settings = settings(directory.path(), &disk);
    let metrics = settings.metrics.clone();
    let (client, _relay) = open(settings, &key).await;
    client.begin(intent("pat-1")).unwrap().durable().await.unwrap();
    client.outcome(event("pat-1"));
    client.flush().await.unwrap();
    disk.fail_append(true);
    disk.fail_create(true);
    client.event(event("pat-2")).await.unwrap_err();
    let shown = metrics.render();
    let labels = "service=\"fhir-gateway\"";
    for line in [
        format!("sallyport_audit_spool_records_total{{kind=\"FHIR_CALL\",phase=\"INTENT\",{labels}}} 1"),
        format!("sallyport_audit_spool_records_total{{kind=\"FHIR_CALL\",phase=\"OUTCOME\",{labels}}} 1"),
        format!("sallyport_audit_spool_refusals_total{{reason=\"unavailable\",{labels}}} 1"),
        format!("sallyport_audit_spool_depth{{{labels}}} 2"),
        format!("sallyport_audit_spool_fdatasync_seconds_count{{{labels}}} {}", client.fdatasyncs()),
    ] {
        assert!(shown.contains(&line), "{line}\n{shown}");
    }
}
