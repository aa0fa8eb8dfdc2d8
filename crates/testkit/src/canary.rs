//! Canaries: values that must not turn up in a sink, looked for in every spelling a leak could take.

use aws_lc_rs::digest;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// A leak that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What leaked, by name (never the value).
    pub canary: String,
    /// How it was spelled.
    pub encoding: &'static str,
    /// Where in the sink, in bytes.
    pub offset: usize,
}

/// Values with names, prepared for scanning.
#[derive(Default)]
pub struct Canaries(Vec<(String, &'static str, Vec<u8>)>);

impl Canaries {
    /// Adds a value. Shorter than eight bytes it would be found by chance, so it is refused.
    ///
    /// # Panics
    /// When the value is too short to mean anything.
    pub fn add(&mut self, name: &str, value: &str) {
        assert!(value.len() >= 8, "the canary {name} is too short to be looked for");
        let raw = value.as_bytes();
        let sha = digest::digest(&digest::SHA256, raw);
        let mut add = |encoding, bytes: Vec<u8>| self.0.push((name.to_owned(), encoding, bytes));
        add("raw", raw.to_vec());
        add("hex", hex::encode(raw).into_bytes());
        add("hex upper", hex::encode_upper(raw).into_bytes());
        let url = url_encode(value);
        if url != value {
            add("url", url.into_bytes());
        }
        add("sha-256 hex", hex::encode(sha.as_ref()).into_bytes());
        add("sha-256 base64", STANDARD_NO_PAD.encode(sha.as_ref()).into_bytes());
        add("sha-256 base64url", URL_SAFE_NO_PAD.encode(sha.as_ref()).into_bytes());
        for shift in 0..3 {
            for (encoding, text) in [
                ("base64", shifted(raw, shift, &STANDARD_NO_PAD)),
                ("base64url", shifted(raw, shift, &URL_SAFE_NO_PAD)),
            ] {
                if text.len() >= 8 {
                    add(encoding, text);
                }
            }
        }
    }

    /// How many values are looked for.
    pub fn len(&self) -> usize {
        self.0.iter().filter(|(_, encoding, _)| *encoding == "raw").count()
    }

    /// Whether nothing is looked for: then a scan proves nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every canary found in a sink, once per spelling.
    pub fn scan(&self, sink: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (name, encoding, needle) in &self.0 {
            if let Some(offset) = find(sink, needle) {
                hits.push(Hit { canary: name.clone(), encoding, offset });
            }
        }
        hits
    }
}

/// base64 of `raw` as it appears `shift` bytes into a longer text: the characters that depend on neighbours are cut.
fn shifted(raw: &[u8], shift: usize, engine: &impl Engine) -> Vec<u8> {
    let mut padded = vec![0_u8; shift];
    padded.extend_from_slice(raw);
    let text = engine.encode(&padded).into_bytes();
    let skip = match shift {
        0 => 0,
        1 => 2,
        _ => 3,
    };
    let end = text.len() - usize::from(!padded.len().is_multiple_of(3));
    text.get(skip..end).unwrap_or_default().to_vec()
}

fn url_encode(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_found_in_every_spelling() {
        let secret = "s3cr3t/token+value==1";
        let mut canaries = Canaries::default();
        canaries.add("token", secret);
        let sha = digest::digest(&digest::SHA256, secret.as_bytes());
        for sink in [
            format!("… {secret} …"),
            hex::encode(secret),
            url_encode(secret),
            base64::engine::general_purpose::STANDARD.encode(format!("x{secret}y")),
            base64::engine::general_purpose::URL_SAFE.encode(format!("xy{secret}zz")),
            hex::encode(sha.as_ref()),
        ] {
            assert!(!canaries.scan(sink.as_bytes()).is_empty(), "{sink}");
        }
        assert!(canaries.scan(b"nothing of the kind").is_empty());
    }
}
