//! Files that appear whole or not at all, keys for their owner alone.

use std::{
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use super::PkiError;

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum For {
    /// Keys.
    Owner,
    /// Certificates.
    Everybody,
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> PkiError + '_ {
    |source| PkiError::File { path: path.to_owned(), source }
}

/// Makes the folder, which holds keys.
pub(super) fn folder(path: &Path) -> Result<(), PkiError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))
}

/// The text of a file, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<String>, PkiError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Writes beside the place and moves it there, so that a process which watches never reads half a file.
pub(super) fn write(path: &Path, text: &str, readers: For) -> Result<(), PkiError> {
    let beside = path.with_extension("new");
    let mode = match readers {
        For::Owner => 0o600,
        For::Everybody => 0o644,
    };
    let write = || {
        // What a killed run left is not a file of anybody.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(failed(path))
}
