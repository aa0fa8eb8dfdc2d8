//! A file of sealed frames. Frames are appended and synced; what counts is what was committed afterwards: whoever goes on
//! cuts the file back to that length first, so a frame that was half written or written and not committed never was
//! (invariant 9).

use std::{
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::DeflateEncoder};
use sallyport_keyring::DataKey;
use uuid::Uuid;

/// Before each frame: the length of what is sealed.
const LENGTH_BYTES: u64 = 4;

/// The largest sealed frame: one of plain bytes that do not compress, or a single line that is larger than a frame.
pub(crate) const MAX_SEALED: usize = 16 * 1024 * 1024;

/// Which file of which run; what a frame is sealed for. One moved to another place does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) run: Uuid,
    /// `output`, `error` or `deleted`, and the file's number in the run.
    pub(crate) name: String,
}

impl Place {
    fn aad(&self, frame: u64) -> Vec<u8> {
        format!("export frame\0{}\0{}\0{frame}", self.run, self.name).into_bytes()
    }
}

/// Why a frame cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The disk.
    #[error("the export's file cannot be written or read")]
    Io(#[from] io::Error),
    /// It is larger than a frame can be.
    #[error("a frame is too large")]
    TooLarge,
    /// The file is shorter than what was committed.
    #[error("the export's file is shorter than its checkpoint says")]
    Short,
}

/// A frames' file, open for appending.
pub(crate) struct FrameFile {
    file: std::fs::File,
    path: PathBuf,
    place: Place,
    /// Of what is in it, committed or not.
    length: u64,
    /// Frames in it.
    frames: u64,
    is_compressed: bool,
}

impl FrameFile {
    /// Opens the file at what was committed: everything behind it is cut off.
    pub(crate) fn resume(
        path: &Path,
        place: Place,
        committed: (u64, u64),
        is_compressed: bool,
    ) -> Result<Self, FrameError> {
        let (length, frames) = committed;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        if file.metadata()?.len() < length {
            return Err(FrameError::Short);
        }
        if !sallyport_model::planted!("export-tail-kept") {
            file.set_len(length)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, path: path.to_owned(), place, length, frames, is_compressed })
    }

    /// Appends a frame and waits until it would survive a power cut. Gives the length to commit.
    pub(crate) fn append(&mut self, key: &DataKey, plain: &[u8]) -> Result<u64, FrameError> {
        let packed = if self.is_compressed { Some(deflated(plain)?) } else { None };
        let sealed = key.seal(&self.place.aad(self.frames), packed.as_deref().unwrap_or(plain));
        let length = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= MAX_SEALED);
        let length = length.ok_or(FrameError::TooLarge)?;
        let is_new = self.length == 0;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&sealed)?;
        self.file.sync_data()?;
        if is_new && let Some(folder) = self.path.parent() {
            // The name itself has to survive too.
            std::fs::File::open(folder)?.sync_all()?;
        }
        self.length += LENGTH_BYTES + sealed.len() as u64;
        self.frames += 1;
        Ok(self.length)
    }
}

fn deflated(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    /// Why a file does not read back.
    #[derive(Debug)]
    enum Unread {
        Short,
        Length,
        DoesNotOpen,
    }

    /// Reads the committed frames of a file back, in order.
    struct FrameReader {
        file: std::fs::File,
        place: Place,
        left: u64,
        frame: u64,
        is_compressed: bool,
    }

    impl FrameReader {
        /// Opens a file whose first `committed` bytes count.
        fn open(path: &Path, place: Place, committed: u64, is_compressed: bool) -> Result<Self, Unread> {
            let file = std::fs::File::open(path).unwrap();
            if file.metadata().unwrap().len() < committed {
                return Err(Unread::Short);
            }
            Ok(Self { file, place, left: committed, frame: 0, is_compressed })
        }

        /// The next frame's plain bytes; `None` at the end.
        fn next(&mut self, key: &DataKey) -> Result<Option<Vec<u8>>, Unread> {
            if self.left == 0 {
                return Ok(None);
            }
            let mut length = [0; 4];
            self.file.read_exact(&mut length).unwrap();
            let length = u32::from_be_bytes(length) as usize;
            let whole = LENGTH_BYTES + length as u64;
            if length > MAX_SEALED || whole > self.left {
                return Err(Unread::Length);
            }
            let mut sealed = vec![0; length];
            self.file.read_exact(&mut sealed).unwrap();
            let opened = key
                .open(&self.place.aad(self.frame), &sealed)
                .map_err(|_moved_or_altered| Unread::DoesNotOpen)?;
            self.left -= whole;
            self.frame += 1;
            if !self.is_compressed {
                return Ok(Some(opened.expose().clone()));
            }
            let mut plain = Vec::new();
            let most = 2 * MAX_SEALED as u64;
            DeflateDecoder::new(opened.expose().as_slice()).take(most).read_to_end(&mut plain).unwrap();
            Ok(Some(plain))
        }
    }

    fn place(name: &str) -> Place {
        Place { run: Uuid::from_u128(7), name: name.to_owned() }
    }

    fn read(
        path: &Path,
        place: Place,
        committed: u64,
        packed: bool,
        key: &DataKey,
    ) -> Result<Vec<Vec<u8>>, Unread> {
        let mut reader = FrameReader::open(path, place, committed, packed)?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.next(key)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_back_as_they_were_and_are_sealed_on_disk() {
        let (folder, key) = (tempfile::tempdir().unwrap(), DataKey::generate());
        for packed in [false, true] {
            let path = folder.path().join(format!("a/{packed}"));
            let mut file = FrameFile::resume(&path, place("output-1"), (0, 0), packed).unwrap();
            file.append(&key, b"canary one\n").unwrap();
            file.append(&key, b"").unwrap();
            let length = file.append(&key, &b"canary two\n".repeat(10_000)).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, length);
            assert_eq!(length < 10_000, packed, "compressed or not");
            assert!(!bytes.windows(6).any(|part| part == b"canary"));
            let frames = read(&path, place("output-1"), length, packed, &key).unwrap();
            assert_eq!(frames, [b"canary one\n".to_vec(), Vec::new(), b"canary two\n".repeat(10_000)]);
        }
    }

    #[test]
    fn what_was_not_committed_is_cut_off_before_anything_is_appended() {
        let (folder, key) = (tempfile::tempdir().unwrap(), DataKey::generate());
        let path = folder.path().join("f");
        let mut file = FrameFile::resume(&path, place("o"), (0, 0), false).unwrap();
        let committed = file.append(&key, b"kept").unwrap();
        file.append(&key, b"written and not committed").unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"half a fra").unwrap();
        drop(file);
        let mut file = FrameFile::resume(&path, place("o"), (committed, 1), false).unwrap();
        let length = file.append(&key, b"again").unwrap();
        let frames = read(&path, place("o"), length, false, &key).unwrap();
        assert_eq!(frames, [b"kept".to_vec(), b"again".to_vec()]);
    }

    #[test]
    fn a_frame_in_another_place_does_not_open() {
        let (folder, key) = (tempfile::tempdir().unwrap(), DataKey::generate());
        let path = folder.path().join("f");
        let mut file = FrameFile::resume(&path, place("o"), (0, 0), false).unwrap();
        let one = file.append(&key, b"one").unwrap();
        let two = file.append(&key, b"two").unwrap();
        let of = |place: Place, key: &DataKey| read(&path, place, two, false, key);
        assert!(matches!(of(place("p"), &key), Err(Unread::DoesNotOpen)));
        assert!(matches!(of(place("o"), &DataKey::generate()), Err(Unread::DoesNotOpen)));
        let other = Place { run: Uuid::from_u128(8), ..place("o") };
        assert!(matches!(of(other, &key), Err(Unread::DoesNotOpen)));
        // The second frame in the first one's place.
        let bytes = std::fs::read(&path).unwrap();
        let (first, second) = bytes.split_at(usize::try_from(one).unwrap());
        std::fs::write(&path, [second, first].concat()).unwrap();
        assert!(matches!(of(place("o"), &key), Err(Unread::DoesNotOpen)));
    }

    #[test]
    fn a_file_that_lost_committed_bytes_is_told_from_a_fresh_one() {
        let (folder, key) = (tempfile::tempdir().unwrap(), DataKey::generate());
        let path = folder.path().join("f");
        let committed =
            FrameFile::resume(&path, place("o"), (0, 0), false).unwrap().append(&key, b"x").unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(committed - 1).unwrap();
        let again = FrameFile::resume(&path, place("o"), (committed, 1), false);
        assert!(matches!(again, Err(FrameError::Short)));
        assert!(matches!(FrameReader::open(&path, place("o"), committed, false), Err(Unread::Short)));
    }
}
