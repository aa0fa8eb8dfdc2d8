//! An export's manifest (BULK-08): versions 2, 3 and 4 of the guide in one shape, every address checked and sealed.

use aws_lc_rs::digest;
use sallyport_model::Code;
use serde::{Deserialize, Serialize};

use super::{Address, Prepared, answer::joined, kick_off::is_instant};
use crate::{
    domain::{handles::What, upstream::Answer},
    error::Refusal,
};

/// What a manifest lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FileKind {
    /// Resources.
    Output,
    /// OperationOutcomes.
    Error,
    /// Bundles of what was deleted.
    Deleted,
}

/// A file, its address sealed.
pub(crate) struct File {
    pub(crate) kind: FileKind,
    pub(crate) index: usize,
    pub(crate) handle: String,
    pub(crate) resource_type: String,
    pub(crate) count: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) address_digest: Vec<u8>,
}

/// A manifest, or a part of one.
pub(crate) struct Manifest {
    pub(crate) transaction_time: String,
    pub(crate) files: Vec<File>,
    pub(crate) next: String,
    pub(crate) omitted_types: Vec<String>,
    pub(crate) refused: usize,
}

/// What the handle of a file opens to.
#[derive(Serialize, Deserialize)]
pub(crate) struct FileAddress {
    pub(crate) url: String,
    pub(crate) kind: FileKind,
    pub(crate) resource_type: String,
    /// `requiresAccessToken` of the manifest it stood in.
    pub(crate) with_token: bool,
    /// What was asked for.
    pub(crate) types: Vec<String>,
}

/// Most entries of one manifest: small files of a large export, and then some.
const MAX_ENTRIES: usize = 200_000;

/// As servers write it. Members that nobody here knows are let be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    transaction_time: String,
    requires_access_token: bool,
    #[serde(default)]
    output: Vec<WireFile>,
    #[serde(default)]
    error: Vec<WireFile>,
    /// v4's name for `error`.
    #[serde(default)]
    outcome: Vec<WireFile>,
    #[serde(default)]
    deleted: Vec<WireFile>,
    #[serde(default)]
    link: Vec<WireLink>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFile {
    #[serde(rename = "type", default)]
    resource_type: String,
    url: String,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    file_size: Option<u64>,
}

#[derive(Deserialize)]
struct WireLink {
    relation: String,
    url: String,
}

/// Reads a manifest.
pub(super) fn read(prepared: &Prepared<'_>, answer: &Answer) -> Result<Manifest, Refusal> {
    let invalid = |what| Refusal { what: Some(what), ..Refusal::upstream(Code::BulkInvalid, answer.status) };
    let wire: Wire = serde_json::from_slice(&answer.body).map_err(|_shape| invalid("no manifest"))?;
    if !is_instant(&wire.transaction_time) {
        return Err(invalid("transactionTime is no instant"));
    }
    let entries = wire.output.len() + wire.error.len() + wire.outcome.len() + wire.deleted.len();
    if entries > MAX_ENTRIES {
        return Err(invalid("more files than can be followed"));
    }
    let reader = Reader { prepared, with_token: wire.requires_access_token, status: answer.status };
    let mut files = Vec::with_capacity(entries);
    let mut refused = 0;
    for (index, entry) in wire.output.into_iter().enumerate() {
        // Some products export more than was asked for; what was not asked for is not fetched.
        if prepared.types.contains(&entry.resource_type) {
            files.push(reader.file(FileKind::Output, index, entry)?);
        } else {
            refused += 1;
        }
    }
    for (index, entry) in wire.error.into_iter().chain(wire.outcome).enumerate() {
        files.push(reader.file(FileKind::Error, index, entry)?);
    }
    for (index, entry) in wire.deleted.into_iter().enumerate() {
        files.push(reader.file(FileKind::Deleted, index, entry)?);
    }
    let next = match wire.link.iter().find(|link| link.relation == "next") {
        None => String::new(),
        Some(link) => reader.next(&link.url)?,
    };
    let omits = prepared.profile.bulk.omits.iter().map(ToString::to_string);
    let omitted_types = omits.filter(|name| prepared.types.contains(name)).collect();
    Ok(Manifest { transaction_time: wire.transaction_time, files, next, omitted_types, refused })
}

/// What an export that is under way lists already (v3, `allowPartialManifests`); usually nothing.
pub(super) fn partial(prepared: &Prepared<'_>, answer: &Answer) -> Result<Option<Manifest>, Refusal> {
    #[derive(Deserialize)]
    struct Probe {
        output: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<Probe>(&answer.body) {
        Ok(Probe { output: Some(_) }) => read(prepared, answer).map(Some),
        _ => Ok(None),
    }
}

struct Reader<'a> {
    prepared: &'a Prepared<'a>,
    with_token: bool,
    status: u16,
}

impl Reader<'_> {
    /// A file whose address is the endpoint's. One that is not withholds the manifest: what else it says is not trusted.
    fn file(&self, kind: FileKind, index: usize, entry: WireFile) -> Result<File, Refusal> {
        let invalid = || Refusal::upstream(Code::BulkInvalid, self.status);
        let url = joined(self.prepared, &entry.url).ok_or_else(invalid)?;
        let place = &self.prepared.place;
        let is_pinned = place.bulk_pins.admits(&url) || (!self.with_token && place.file_pins.admits(&url));
        if !is_pinned && !sallyport_model::planted!("manifest-followed-anywhere") {
            return Err(Refusal::upstream(Code::BulkForeignAddress, self.status));
        }
        let digest = digest::digest(&digest::SHA256, url.as_str().as_bytes());
        let address = FileAddress {
            url: url.into(),
            kind,
            resource_type: entry.resource_type.clone(),
            with_token: self.with_token,
            types: self.prepared.types.clone(),
        };
        Ok(File {
            kind,
            index,
            handle: self.prepared.sealer.seal(What::File, &address)?,
            resource_type: entry.resource_type,
            count: entry.count,
            size: entry.file_size,
            address_digest: digest.as_ref().get(..16).unwrap_or_default().to_vec(),
        })
    }

    fn next(&self, text: &str) -> Result<String, Refusal> {
        let url = joined(self.prepared, text).ok_or(Refusal::upstream(Code::BulkInvalid, self.status))?;
        if !self.prepared.place.bulk_pins.admits(&url) {
            return Err(Refusal::upstream(Code::BulkForeignAddress, self.status));
        }
        let address = Address { url: url.into(), types: self.prepared.types.clone() };
        self.prepared.sealer.seal(What::Part, &address)
    }
}
