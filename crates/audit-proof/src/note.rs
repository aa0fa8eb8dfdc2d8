//! Signed notes (C2SP signed-note) with Ed25519: the log's own signatures (type 0x01) and the timestamped ones of its
//! witnesses (type 0x04, C2SP tlog-cosignature).

use std::fmt;

use aws_lc_rs::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A longer note is refused unread; the format asks for room for sixteen signatures of five kilobytes.
const MAX_NOTE_BYTES: usize = 128 * 1024;
/// More signatures than this are refused.
const MAX_SIGNATURES: usize = 64;
/// Longer names are refused.
const MAX_NAME_BYTES: usize = 512;

/// What starts a signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Bytes of an Ed25519 public key.
const KEY: usize = 32;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A log's: it signs the note's text.
    Log,
    /// A witness's: it signs the time at which it looked, and the text.
    Witness,
}

impl KeyKind {
    /// The signature type's identifier byte.
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why a note or a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note.
    #[error("not a signed note")]
    Malformed,
    /// It is larger, or has more signatures, than any that is meant well.
    #[error("the signed note is too large")]
    TooLarge,
    /// It is no verifier key, or its id does not fit the key.
    #[error("not a verifier key of the form NAME+ID+KEY, or its id does not fit")]
    Key,
    /// The key has not signed it.
    #[error("the note is not signed by that key")]
    NotSigned,
    /// A signature under the key's name and id does not verify.
    #[error("a signature does not verify: the note was altered, or the key is another")]
    Forged,
}

/// A public key with its name, as verifiers are given it: `NAME+ID+KEY` on one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: u32,
    key: [u8; KEY],
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name that a note cannot carry.
    pub fn new(name: &str, kind: KeyKind, key: [u8; KEY]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key);
        }
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(name.as_bytes());
        context.update(&[b'\n', kind.byte()]);
        context.update(&key);
        let id = context.finish().as_ref().first_chunk().map_or(0, |id| u32::from_be_bytes(*id));
        Ok(Self { name: name.to_owned(), kind, id, key })
    }

    /// Reads `NAME+ID+KEY`.
    ///
    /// # Errors
    /// [`NoteError::Key`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(key).map_err(|_alphabet| NoteError::Key)?;
        let (kind, key) = match bytes.split_first() {
            Some((0x01, key)) => (KeyKind::Log, key),
            Some((0x04, key)) => (KeyKind::Witness, key),
            _ => return Err(NoteError::Key),
        };
        let key = Self::new(name, kind, key.try_into().map_err(|_length| NoteError::Key)?)?;
        if format!("{:08x}", key.id) == id { Ok(key) } else { Err(NoteError::Key) }
    }

    /// Its name; a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The same key under another name: a log's key signs for each of its origins.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name that a note cannot carry.
    pub fn named(&self, name: &str) -> Result<Self, NoteError> {
        Self::new(name, self.kind, self.key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind.byte()][..], &self.key].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(bytes))
    }
}

/// A private key. It shows itself to nobody.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl SigningKey {
    /// Bytes of a seed (RFC 8032 §5.1.5).
    pub const SEED: usize = 32;

    /// The key of a seed, under a name.
    ///
    /// # Errors
    /// [`NoteError::Key`] for a name that a note cannot carry.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; Self::SEED]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_refused| NoteError::Key)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_length| NoteError::Key)?;
        Ok(Self { pair, public: VerifierKey::new(name, kind, key)? })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// Adds this key's signature. `at` is the time in seconds since the epoch, of a witness alone.
    pub fn sign(&self, note: &mut Note, at: u64) {
        let (time, message) = match self.public.kind {
            KeyKind::Log => (None, note.text.clone().into_bytes()),
            KeyKind::Witness => (Some(at), timed(at, &note.text)),
        };
        let mut bytes = time.map(u64::to_be_bytes).into_iter().flatten().collect::<Vec<u8>>();
        bytes.extend_from_slice(self.pair.sign(&message).as_ref());
        let (name, id) = (self.public.name.clone(), self.public.id);
        note.signatures.retain(|other| other.name != name || other.id != id);
        note.signatures.push(Signature { name, id, bytes });
    }
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: u32,
    /// What the signature type makes of it.
    pub bytes: Vec<u8>,
}

/// A text and who signed it. Nothing in it may be believed before [`Note::signed_by`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A text that nobody has signed yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it does not end its last line or holds control characters.
    pub fn unsigned(text: String) -> Result<Self, NoteError> {
        let is_text = text.ends_with('\n') && !text.chars().any(|c| c < ' ' && c != '\n');
        if is_text { Ok(Self { text, signatures: Vec::new() }) } else { Err(NoteError::Malformed) }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge);
        }
        let all = std::str::from_utf8(bytes).map_err(|_not_text| NoteError::Malformed)?;
        let (text, lines) = all.rsplit_once("\n\n").ok_or(NoteError::Malformed)?;
        let mut note = Self::unsigned(format!("{text}\n"))?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        for line in lines.split('\n') {
            if note.signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooLarge);
            }
            note.signatures.push(signature(line).ok_or(NoteError::Malformed)?);
        }
        Ok(note)
    }

    /// The text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its signatures, unverified.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Takes over the signatures of another note over the same text that are not here yet; `false` when the text is
    /// another.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.text != self.text {
            return false;
        }
        for one in &other.signatures {
            let is_here = self.signatures.iter().any(|s| s.name == one.name && s.id == one.id);
            if !is_here && self.signatures.len() < MAX_SIGNATURES {
                self.signatures.push(one.clone());
            }
        }
        true
    }

    /// Checks every signature under that key's name and id; a witness's time in seconds since the epoch, 0 of a log.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] without one, [`NoteError::Forged`] when one of them does not verify.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<u64, NoteError> {
        let mut newest = None;
        for signature in self.signatures.iter().filter(|s| s.name == key.name && s.id == key.id) {
            let at = verify(key, &self.text, &signature.bytes).ok_or(NoteError::Forged)?;
            newest = newest.max(Some(at));
        }
        newest.ok_or(NoteError::NotSigned)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [&signature.id.to_be_bytes()[..], &signature.bytes].concat();
            writeln!(f, "{DASH}{} {}", signature.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

fn signature(line: &str) -> Option<Signature> {
    let (name, text) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = STANDARD.decode(text).ok().filter(|_| is_name(name))?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    (!bytes.is_empty()).then(|| Signature {
        name: name.to_owned(),
        id: u32::from_be_bytes(*id),
        bytes: bytes.to_vec(),
    })
}

fn verify(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<u64> {
    let public = UnparsedPublicKey::new(&ED25519, &key.key);
    match key.kind {
        KeyKind::Log => public.verify(text.as_bytes(), signature).ok().map(|()| 0),
        KeyKind::Witness => {
            let (time, signature) = signature.split_first_chunk::<8>()?;
            let at = u64::from_be_bytes(*time);
            public.verify(&timed(at, text), signature).ok().map(|()| at)
        }
    }
}

/// What a witness signs.
fn timed(at: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {at}\n{text}").into_bytes()
}

fn is_name(name: &str) -> bool {
    let is_fine = |c: char| !c.is_whitespace() && c != '+' && !c.is_control();
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(is_fine)
}
