//! What an export consists of: every part of its manifest, each file under a name that stays the same when the EHR gives
//! new addresses.

use std::collections::HashSet;

use sallyport_model::Code;
use sallyport_proto::gateway::v1::{
    Manifest, call_request::Interaction, call_response::Outcome, file::Kind as FileKind,
};

use super::{Fault, For};
use crate::{
    batch::Batch,
    halt::Halt,
    store::{self, FileKey, NewFile},
};

/// Most parts of one manifest that are followed.
const PARTS_MOST: usize = 10_000;

/// The word for a kind of file, in rows and names of files.
fn word(kind: FileKind) -> Option<&'static str> {
    match kind {
        FileKind::Output => Some("output"),
        FileKind::Error => Some("error"),
        FileKind::Deleted => Some("deleted"),
        FileKind::Unspecified => None,
    }
}

/// A manifest with all that follow it.
pub(super) async fn parts(batch: &Batch, cohort: &For, first: Manifest) -> Result<Vec<Manifest>, Fault> {
    let mut parts = vec![first];
    while let Some(next) = parts.last().map(|part| part.next.clone()).filter(|next| !next.is_empty()) {
        if parts.len() >= PARTS_MOST {
            return Err(Fault::Item(Code::BulkInvalid));
        }
        match batch.gateway().call(cohort.whose(), Interaction::Manifest(next)).await? {
            Outcome::Manifest(part) => parts.push(part),
            _ => return Err(Fault::Item(Code::BulkInvalid)),
        }
    }
    Ok(parts)
}

/// Keeps what the parts list. Files that are known get their new handles.
pub(super) async fn keep(batch: &mut Batch, parts: &[Manifest], state: &str) -> Result<(), Fault> {
    let run = batch.run_id();
    let mut effects = batch.begin().await?;
    let mut met: HashSet<&[u8]> = HashSet::new();
    for (part, manifest) in (0_i64..).zip(parts) {
        for file in &manifest.files {
            let Some(kind) = word(file.kind()) else { continue };
            let new = NewFile {
                key: FileKey { part, kind: kind.to_owned(), position: i64::from(file.index) },
                handle: &file.handle,
                digest: &file.address_digest,
                resource_type: &file.resource_type,
                expected: file.count,
                // Some products list a file twice: its rows would be there twice.
                is_repeated: !met.insert(&file.address_digest),
            };
            store::file_listed(effects.tx(), run, &new).await.map_err(Halt::from)?;
        }
    }
    let time = parts.first().map(|part| part.transaction_time.as_str());
    store::export_is(effects.tx(), run, state, time).await.map_err(Halt::from)?;
    Ok(batch.save(effects, state.as_bytes()).await?)
}

/// Asks for the manifest again, for addresses that have not expired. `false` when the EHR has none any more.
pub(super) async fn again(batch: &mut Batch, cohort: &For, status: &str) -> Result<bool, Fault> {
    match batch.gateway().call(cohort.whose(), Interaction::Poll(status.to_owned())).await? {
        Outcome::Manifest(found) => {
            let parts = parts(batch, cohort, found).await?;
            keep(batch, &parts, "fetching").await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
