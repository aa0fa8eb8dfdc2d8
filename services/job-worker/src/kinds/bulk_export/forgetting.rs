//! Exports whose lifetime is over, or that are to be erased: the files first, then the row that holds their key.

use std::path::Path;

use sallyport_db::Error as DbError;
use sallyport_model::Micros;

use crate::store::{EndedExport, Store};

/// Removes exports whose lifetime is over. Gives how many.
pub(crate) async fn expire(store: &Store, folder: &Path, now: Micros) -> Result<u64, DbError> {
    remove(store, folder, store.exports_expired(now).await?).await
}

/// Removes a tenant's exports, or those of one endpoint of it: a file holds the data of many, so who is to be erased takes the
/// others' along. One that is under way goes on, and is erased when it has ended.
pub(crate) async fn erase(
    store: &Store,
    folder: &Path,
    tenant: &str,
    endpoint: Option<&str>,
) -> Result<u64, DbError> {
    let mut ended = store.exports_ended(tenant).await?;
    ended.retain(|export| endpoint.is_none_or(|endpoint| endpoint == export.endpoint));
    remove(store, folder, ended).await
}

async fn remove(store: &Store, folder: &Path, exports: Vec<EndedExport>) -> Result<u64, DbError> {
    let mut count = 0;
    for export in exports {
        let path = folder.join(&export.tenant).join(export.run_id.to_string());
        let removed = tokio::fs::remove_dir_all(&path).await;
        // Kept by another machine, or gone already; without its row it is noise either way.
        if removed.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
            tracing::warn!("the files of an export could not be removed; they are tried again");
            continue;
        }
        store.forget_export(export.run_id).await?;
        count += 1;
    }
    Ok(count)
}
