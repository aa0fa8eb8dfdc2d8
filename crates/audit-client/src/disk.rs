//! The few file operations whose failure decides whether a call may be answered, as a port: tests put a disk here
//! that fails on command, because a real one cannot be asked to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Creates segments and makes their directory entries durable.
pub trait Disk: Send + Sync + 'static {
    /// Creates a new file for appending; an existing one is an error.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;

    /// Makes names created in `directory` durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// One segment while it is being written.
pub trait SpoolFile: Send {
    /// Writes all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// `fdatasync`. After a failure the kernel may have dropped the dirty pages and marked them clean, so a second
    /// call on the same file can answer `Ok` for bytes that are lost: it is never made.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `length`.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}

struct RealFile(File);

impl SpoolFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}
