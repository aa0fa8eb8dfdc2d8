//! Restarts: torn tails, numbers that are never used twice, one owner at a time.

use std::{fs::OpenOptions, io::Write as _};

use prost::Message as _;
use sallyport_proto::audit::v1::SealedRecord;

use super::*;
use crate::{faults::read_spool, frame::Kind, segment};

fn newest_segment(directory: &Path) -> std::path::PathBuf {
    segment::path(directory, *segment::list(directory).unwrap().last().unwrap())
}

/// Every sequence number in the spool, in the order of the files.
fn sequences(directory: &Path) -> Vec<i64> {
    let mut all = Vec::new();
    for number in segment::list(directory).unwrap() {
        let bytes = std::fs::read(segment::path(directory, number)).unwrap();
        segment::walk(&bytes, |kind, payload, _| {
            if kind == Kind::Record {
                all.push(SealedRecord::decode(payload).unwrap().spool_sequence);
            }
        });
    }
    all
}

/// What a crash leaves: the files as they are now, in another place, without the lock.
fn crash_copy(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_second_owner_is_refused() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let (_client, _relay) = open(Settings::new(directory.path()), &key).await;
    let second = AuditClient::open(
        Settings::new(directory.path()),
        ServiceName::FhirGateway,
        Arc::clone(&key) as _,
        Arc::new(SystemClock),
    );
    assert!(matches!(second.await, Err(OpenError::InUse(_))));
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_what_was_acknowledged_stays() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let (client, _relay) = open(Settings::new(directory.path()), &key).await;
    client.event(event("pat-1")).await.unwrap();
    client.event(event("pat-2")).await.unwrap();
    let whole = std::fs::read(newest_segment(directory.path())).unwrap();
    // Every possible cut within the last frame, as a crash in the middle of the write leaves it.
    let mut before_last = 0;
    let mut end = 0;
    segment::walk(&whole, |_, _, after| (before_last, end) = (end, usize::try_from(after).unwrap()));
    for cut in (before_last..end).step_by(7) {
        let crashed = crash_copy(directory.path());
        let path = newest_segment(crashed.path());
        OpenOptions::new().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
        let (client, _relay) = open(Settings::new(crashed.path()), &key).await;
        assert_eq!(std::fs::metadata(&path).unwrap().len(), before_last as u64, "cut at {cut}");
        client.event(event("pat-3")).await.unwrap();
        let records = read_spool(crashed.path(), Arc::clone(&key) as _).await.unwrap();
        assert_eq!(patients(&records), ["pat-1", "pat-3"], "cut at {cut}");
    }
}

#[tokio::test]
async fn a_tail_of_garbage_is_cut_too() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let (client, _relay) = open(Settings::new(directory.path()), &key).await;
    client.event(event("pat-1")).await.unwrap();
    let crashed = crash_copy(directory.path());
    let mut file = OpenOptions::new().append(true).open(newest_segment(crashed.path())).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    let (_client, _relay) = open(Settings::new(crashed.path()), &key).await;
    assert_eq!(patients(&read_spool(crashed.path(), key).await.unwrap()), ["pat-1"]);
}

#[tokio::test]
async fn no_sequence_number_is_used_twice_over_restarts() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    for round in 0..4 {
        let (client, _relay) = open(Settings::new(directory.path()), &key).await;
        for n in 0..5 {
            client.event(event(&format!("pat-{round}-{n}"))).await.unwrap();
        }
    }
    assert_eq!(sequences(directory.path()), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn numbers_of_frames_that_a_power_cut_took_back_are_not_used_again() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let (client, relay) = open(Settings::new(directory.path()), &key).await;
    client.event(event("pat-1")).await.unwrap();
    client.event(event("pat-2")).await.unwrap();
    drop((client, relay));
    // The next process finds both, begins a segment of its own, and dies; then the old file loses its last frame.
    let (client, relay) = open(Settings::new(directory.path()), &key).await;
    let first = segment::path(directory.path(), segment::list(directory.path()).unwrap()[0]);
    drop((client, relay));
    let length = std::fs::metadata(&first).unwrap().len();
    OpenOptions::new().write(true).open(&first).unwrap().set_len(length - 3).unwrap();
    let (client, _relay) = open(Settings::new(directory.path()), &key).await;
    client.event(event("pat-3")).await.unwrap();
    assert_eq!(sequences(directory.path()), [1, 3]);
}

#[tokio::test]
async fn a_spool_keeps_its_id_and_two_spools_differ() {
    let key = MemoryKey::new();
    let ids = |directory: &Path| std::fs::read_to_string(directory.join("spool-id")).unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(Settings::new(one.path()), &key).await);
    let first = ids(one.path());
    drop(open(Settings::new(one.path()), &key).await);
    drop(open(Settings::new(two.path()), &key).await);
    assert_eq!(ids(one.path()), first);
    assert_ne!(ids(two.path()), first);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_found_at_start() {
    let (directory, key, disk) = (tempfile::tempdir().unwrap(), MemoryKey::new(), FaultyDisk::default());
    disk.fail_create(true);
    let opened = AuditClient::open(
        settings(directory.path(), &disk),
        ServiceName::FhirGateway,
        key as _,
        Arc::new(SystemClock),
    );
    assert!(matches!(opened.await, Err(OpenError::Disk { .. })));
}

#[tokio::test]
async fn a_segment_whose_creation_was_interrupted_is_removed() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    drop(open(Settings::new(directory.path()), &key).await);
    let interrupted = segment::path(directory.path(), 99);
    std::fs::write(&interrupted, b"SPSP").unwrap();
    let (client, _relay) = open(Settings::new(directory.path()), &key).await;
    assert!(!interrupted.exists());
    client.event(event("pat-1")).await.unwrap();
}

#[tokio::test]
async fn a_segment_that_does_not_read_is_kept_for_inspection() {
    let (directory, key) = (tempfile::tempdir().unwrap(), MemoryKey::new());
    let (client, relay) = open(Settings::new(directory.path()), &key).await;
    client.event(event("pat-1")).await.unwrap();
    drop((client, relay));
    drop(open(Settings::new(directory.path()), &key).await);
    let first = segment::path(directory.path(), segment::list(directory.path()).unwrap()[0]);
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&first, &bytes).unwrap();
    drop(open(Settings::new(directory.path()), &key).await);
    assert!(!first.exists());
    assert_eq!(std::fs::read(first.with_extension("damaged")).unwrap(), bytes);
}
