//! The key file: keys of 32 bytes, one after the other, the first version first. It is always replaced whole, so that
//! a process that dies leaves the old file or the new one, never half of one.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use sallyport_model::Secret;

use crate::{DataKey, KeyError, envelope::KEY_LENGTH, random};

/// A file of more versions than this is no key file.
const MAX_VERSIONS: usize = 100_000;

/// Every version in the file; the file is made when there is none.
pub(super) fn read_or_create(path: &Path) -> Result<Vec<Arc<DataKey>>, KeyError> {
    match read(path) {
        Err(KeyError::KeyFile(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            create(path).map_err(KeyError::KeyFile)?;
            read(path)
        }
        other => other,
    }
}

/// Every version in the file.
pub(super) fn read(path: &Path) -> Result<Vec<Arc<DataKey>>, KeyError> {
    let bytes = bytes(path)?;
    let keys = bytes.expose().chunks_exact(KEY_LENGTH);
    keys.map(|key| DataKey::from_secret(Secret::new(key.to_vec())).map(Arc::new)).collect()
}

/// Adds a version. Two processes that do so at once add two.
pub(super) fn append(path: &Path) -> Result<(), KeyError> {
    // Of the folder, because the file itself is another one afterwards.
    let folder = File::open(folder(path)).map_err(KeyError::KeyFile)?;
    folder.lock().map_err(KeyError::KeyFile)?;
    let old = bytes(path)?;
    let new = Secret::new([old.expose().as_slice(), &random::<KEY_LENGTH>()].concat());
    let temporary = temporary(path);
    let replaced = write_whole(&temporary, &new).and_then(|()| std::fs::rename(&temporary, path));
    if replaced.is_err() {
        // Only if it was made at all.
        let _not_there = std::fs::remove_file(&temporary);
    }
    replaced.and_then(|()| folder.sync_all()).map_err(KeyError::KeyFile)
}

fn bytes(path: &Path) -> Result<Secret<Vec<u8>>, KeyError> {
    let mut file = File::open(path).map_err(KeyError::KeyFile)?;
    let meta = file.metadata().map_err(KeyError::KeyFile)?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::KeyFileExposed);
    }
    let length = usize::try_from(meta.len()).map_err(|_huge| KeyError::KeyFileDamaged)?;
    if length == 0 || length % KEY_LENGTH != 0 || length > MAX_VERSIONS * KEY_LENGTH {
        return Err(KeyError::KeyFileDamaged);
    }
    let mut bytes = vec![0_u8; length];
    file.read_exact(&mut bytes).map_err(KeyError::KeyFile)?;
    Ok(Secret::new(bytes))
}

/// The file is written whole under another name and linked into place, which fails when somebody was faster.
fn create(path: &Path) -> std::io::Result<()> {
    let folder = folder(path);
    std::fs::create_dir_all(folder)?;
    let temporary = temporary(path);
    let first = Secret::new(random::<KEY_LENGTH>().to_vec());
    let result = write_whole(&temporary, &first).and_then(|()| match std::fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    std::fs::remove_file(&temporary)?;
    result?;
    // The name must survive a power cut too: losing the key loses everything sealed under it.
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn temporary(path: &Path) -> PathBuf {
    folder(path).join(format!(".key-{:016x}", u64::from_be_bytes(random::<8>())))
}

fn write_whole(path: &Path, bytes: &Secret<Vec<u8>>) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes.expose())?;
    file.sync_all()
}
