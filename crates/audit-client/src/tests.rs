//! The spool from the outside: what is promised about durability, order, size and the way to the queue.

mod durability;
mod recovery;
mod relaying;

use std::{path::Path, sync::Arc, time::Duration};

use sallyport_keyring::testing::MemoryKey;
use sallyport_model::{ServiceName, SystemClock};
use sallyport_proto::audit::v1::{Kind, Outcome, Record};

use crate::{AuditClient, OpenError, Relay, Settings, faults::FaultyDisk};

pub(super) fn settings(directory: &Path, disk: &FaultyDisk) -> Settings {
    Settings { disk: Arc::new(disk.clone()), ..Settings::new(directory) }
}

/// Opens the spool, waiting until the one before has let go of it.
pub(super) async fn open(settings: Settings, key: &Arc<MemoryKey>) -> (AuditClient, Relay) {
    within(async {
        loop {
            match AuditClient::open(
                settings.clone(),
                ServiceName::FhirGateway,
                key.kek(),
                Arc::new(SystemClock),
            )
            .await
            {
                Ok(opened) => return opened,
                Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(2)).await,
                Err(other) => panic!("{other:?}"),
            }
        }
    })
    .await
}

/// A deadline for what must come to pass; never what decides a test.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

pub(super) fn intent(patient: &str) -> Record {
    Record {
        kind: Kind::FhirCall.into(),
        tenant: "general-hospital".to_owned(),
        patients: vec![patient.to_owned()],
        ..Record::default()
    }
}

pub(super) fn event(patient: &str) -> Record {
    Record { outcome: Outcome::Success.into(), ..intent(patient) }
}

pub(super) fn patients(records: &[Record]) -> Vec<&str> {
    records.iter().map(|r| r.patients[0].as_str()).collect()
}
