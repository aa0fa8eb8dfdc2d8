//! Where checkpoints are published: a place outside the trust of the database. What is there is compared before
//! anything is signed, so that a database that was put back, cut off or written anew gets no signature.
//!
//! A folder holds `TENANT/SIZE.checkpoint`, the size in twenty digits, each file written whole and never again.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// What a checkpoint's file name ends with.
const SUFFIX: &str = ".checkpoint";
/// Digits of the size in a file name, so that names sort by size.
const DIGITS: usize = 20;

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub struct CheckpointFolder(PathBuf);

impl CheckpointFolder {
    /// The folder; it is made when the first checkpoint is kept.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The newest checkpoint of a tenant, as a note.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn newest(&self, tenant: &str) -> io::Result<Option<Vec<u8>>> {
        let entries = match fs::read_dir(self.0.join(tenant)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut newest = None;
        for entry in entries {
            let name = entry?.file_name().into_string().unwrap_or_default();
            let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == DIGITS);
            if digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
                newest = newest.max(Some(name));
            }
        }
        newest.map(|name| fs::read(self.0.join(tenant).join(name))).transpose()
    }

    /// Keeps a note over `size` records: durable when this returns.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn keep(&self, tenant: &str, size: u64, note: &str) -> io::Result<()> {
        let folder = self.0.join(tenant);
        fs::create_dir_all(&folder)?;
        write_whole(&folder, &format!("{size:0DIGITS$}{SUFFIX}"), note.as_bytes())
    }
}

/// Where they go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    /// The folder; without one, the database's own list is all there is to compare with.
    pub(crate) folder: Option<CheckpointFolder>,
    /// Each is written to standard output too, for a collector to keep.
    pub(crate) to_stdout: bool,
}

impl Published {
    /// The newest checkpoint of a tenant, as a note.
    pub(crate) fn newest(&self, tenant: &str) -> io::Result<Option<Vec<u8>>> {
        self.folder.as_ref().map_or(Ok(None), |folder| folder.newest(tenant))
    }

    /// Publishes a note over `size` records.
    pub(crate) fn publish(&self, tenant: &str, size: u64, note: &str) -> io::Result<()> {
        if let Some(folder) = &self.folder {
            folder.keep(tenant, size, note)?;
        }
        if self.to_stdout {
            let mut out = io::stdout().lock();
            out.write_all(note.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }
}

/// A reader sees the whole file or none; after a power cut too.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_the_largest_and_other_files_are_none_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let published = CheckpointFolder::new(folder.path().join("new"));
        assert_eq!(published.newest("one").unwrap(), None);
        for size in [9, 1_000, 100] {
            published.keep("one", size, &size.to_string()).unwrap();
        }
        for other in ["99999999999999999999.checkpoint.tmp", "zzzzzzzzzzzzzzzzzzzz.checkpoint", "notes"] {
            fs::write(folder.path().join("new/one").join(other), "x").unwrap();
        }
        assert_eq!(published.newest("one").unwrap().unwrap(), b"1000");
        assert_eq!(published.newest("two").unwrap(), None);
    }
}
