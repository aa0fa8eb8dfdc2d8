//! Records that a version before the log has stored get their places at the end of it. Their leaves say so: what
//! happened to them before cannot be proven.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Domain, growth::Growth};
use crate::{Error, proof::Proof, store::Store};

/// How many records get their places in one transaction.
const BATCH: i64 = 500;

/// Between two looks: during a roll-out a process of the version before still stores records.
const AGAIN: Duration = Duration::from_mins(10);
/// Between two attempts while the database is away.
const RETRY: Duration = Duration::from_secs(5);

/// Looks at the start and then every ten minutes.
pub(crate) async fn run(domain: Arc<Domain>, mut proof: Proof, mut shutdown: watch::Receiver<bool>) {
    let work = async {
        while proof.made().await {
            let pause = match adopt(&domain).await {
                Ok(_) => AGAIN,
                Err(error) => {
                    tracing::warn!(
                        reason = error.label(),
                        "older audit records wait for their places in the log"
                    );
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        () = work => {}
        _over = shutdown.wait_for(|over| *over) => {}
    }
}

/// Gives every record without a place its own; how many there were.
pub(crate) async fn adopt(domain: &Domain) -> Result<u64, Error> {
    let mut adopted = 0;
    for key in domain.store.tenant_keys().await? {
        loop {
            let some = batch(domain, &key.tenant).await?;
            if some == 0 {
                break;
            }
            adopted += some;
        }
    }
    if adopted > 0 {
        tracing::warn!(count = adopted, "audit records that were stored without the log were taken into it");
        domain.metrics.adopted(adopted);
    }
    Ok(adopted)
}

async fn batch(domain: &Domain, tenant: &str) -> Result<u64, Error> {
    let now = domain.clock.now();
    let mut tx = domain.store.begin().await?;
    let some = Store::homeless(&mut tx, tenant, BATCH).await?;
    if some.is_empty() {
        return Ok(0);
    }
    // The lock first, then a second look: another replica may have adopted them while this one waited.
    let mut growth = Growth::begin(&mut tx, tenant).await?;
    let some = Store::homeless(&mut tx, tenant, BATCH).await?;
    if some.is_empty() {
        return Ok(0);
    }
    let ids: Vec<_> = some.iter().map(|one| (one.record_id, one.phase)).collect();
    let rows = Store::whole_rows(&mut tx, tenant, &ids).await?;
    let subjects = domain.store.subjects_of(tenant, &rows).await?;
    let first = growth.tree.size();
    for (index, (row, id)) in (first..).zip(rows.iter().zip(&ids)) {
        let filed = subjects.get(id).map_or(&[][..], Vec::as_slice);
        growth.push(&row.leaf(i64::try_from(index).unwrap_or(i64::MAX), Some(now), filed));
    }
    Store::adopt(&mut tx, tenant, first, &some, now).await?;
    growth.end(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(some.len() as u64)
}
