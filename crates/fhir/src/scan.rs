//! One pass over JSON text: depth, duplicate keys and lone surrogates refused, strings handed to a visitor.
//!
//! Runs over text that `serde_json` has already found well-formed; it keeps its own stack, so depth costs memory in
//! proportion and never the call stack. Two parsers that disagree about one text are how a check is bypassed, hence the
//! refusals: an escaped key or a key given twice would mean one thing here and another in the reader's parser.

/// Why an answer cannot be used. Holds nothing of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Not JSON, or cut off.
    #[error("the text is not JSON")]
    NotJson,
    /// Nested deeper than the cap.
    #[error("the JSON is nested too deeply")]
    TooDeep,
    /// Longer than the cap.
    #[error("the body is too large")]
    TooLarge,
    /// More entries than the cap.
    #[error("the bundle has too many entries")]
    TooManyEntries,
    /// An object with more keys than any FHIR element has.
    #[error("an object has too many keys")]
    TooManyKeys,
    /// A key given twice in one object.
    #[error("a key is given twice in one object")]
    DuplicateKey,
    /// A key spelt with escapes, which no FHIR element name needs.
    #[error("a key is written with escapes")]
    EscapedKey,
    /// Half of a surrogate pair: text that not every parser reads the same way.
    #[error("a string holds half of a surrogate pair")]
    LoneSurrogate,
    /// JSON, but not the FHIR shape that was asked for.
    #[error("the JSON is not a {0}")]
    WrongShape(&'static str),
}

/// One step from the root to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(u32),
}

/// Is told about what a scan meets.
pub(crate) trait Visitor<'a> {
    /// A string value at `path`; `raw` is what stands between the quotes, escapes included.
    fn string(&mut self, path: &[Step<'a>], raw: &'a str);
    /// The end of the object at `path`.
    fn end_object(&mut self, path: &[Step<'a>]);
}

/// No FHIR R4 element has more; the check for duplicates is quadratic up to here.
const MAX_KEYS: usize = 128;

struct Frame {
    is_object: bool,
    keys_from: usize,
}

/// Walks over well-formed JSON text.
pub(crate) fn scan<'a>(text: &'a str, max_depth: usize, visitor: &mut impl Visitor<'a>) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut path: Vec<Step<'a>> = Vec::with_capacity(16);
    let mut frames: Vec<Frame> = Vec::with_capacity(16);
    let mut keys: Vec<&'a str> = Vec::with_capacity(64);
    let mut expects_key = false;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                if frames.len() >= max_depth {
                    return Err(Fault::TooDeep);
                }
                let is_object = *byte == b'{';
                frames.push(Frame { is_object, keys_from: keys.len() });
                path.push(if is_object { Step::Key("") } else { Step::Index(0) });
                expects_key = is_object;
            }
            b'}' | b']' => {
                path.pop();
                let frame = frames.pop().ok_or(Fault::NotJson)?;
                keys.truncate(frame.keys_from);
                if frame.is_object {
                    visitor.end_object(&path);
                }
                expects_key = false;
            }
            b',' => {
                expects_key = frames.last().is_some_and(|f| f.is_object);
                if let Some(Step::Index(n)) = path.last_mut() {
                    *n = n.saturating_add(1);
                }
            }
            b'"' => {
                let (raw, end, has_escape) = string_at(text, at)?;
                at = end;
                if expects_key {
                    if has_escape {
                        return Err(Fault::EscapedKey);
                    }
                    let from = frames.last().map_or(0, |f| f.keys_from);
                    let known = keys.get(from..).unwrap_or_default();
                    if known.len() >= MAX_KEYS {
                        return Err(Fault::TooManyKeys);
                    }
                    if known.contains(&raw) {
                        return Err(Fault::DuplicateKey);
                    }
                    keys.push(raw);
                    if let Some(last) = path.last_mut() {
                        *last = Step::Key(raw);
                    }
                    expects_key = false;
                } else {
                    visitor.string(&path, raw);
                }
            }
            _ => {}
        }
    }
    if frames.is_empty() { Ok(()) } else { Err(Fault::NotJson) }
}

/// The string that starts after a quote at `from - 1`: its raw text, the index after the closing quote, and whether it
/// holds escapes.
fn string_at(text: &str, from: usize) -> Result<(&str, usize, bool), Fault> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut has_escape = false;
    loop {
        let rest = bytes.get(at..).ok_or(Fault::NotJson)?;
        at += memchr::memchr2(b'"', b'\\', rest).ok_or(Fault::NotJson)?;
        if bytes.get(at) == Some(&b'"') {
            let raw = text.get(from..at).ok_or(Fault::NotJson)?;
            return Ok((raw, at + 1, has_escape));
        }
        has_escape = true;
        at = after_escape(bytes, at)?;
    }
}

/// The index after the escape that starts at `at`; a surrogate pair counts as one escape.
fn after_escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    if bytes.get(at + 1) != Some(&b'u') {
        return Ok(at + 2);
    }
    match code_unit(bytes, at)? {
        0xDC00..=0xDFFF => Err(Fault::LoneSurrogate),
        0xD800..=0xDBFF => {
            let pair = bytes.get(at + 6) == Some(&b'\\') && bytes.get(at + 7) == Some(&b'u');
            match pair.then(|| code_unit(bytes, at + 6)) {
                Some(Ok(0xDC00..=0xDFFF)) => Ok(at + 12),
                _ => Err(Fault::LoneSurrogate),
            }
        }
        _ => Ok(at + 6),
    }
}

fn code_unit(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at + 2..at + 6).ok_or(Fault::NotJson)?;
    let digits = std::str::from_utf8(digits).map_err(|_not_hex| Fault::NotJson)?;
    u32::from_str_radix(digits, 16).map_err(|_not_hex| Fault::NotJson)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Seen(Vec<(String, String)>);

    impl<'a> Visitor<'a> for Seen {
        fn string(&mut self, path: &[Step<'a>], raw: &'a str) {
            let path: Vec<String> = path
                .iter()
                .map(|s| match s {
                    Step::Key(k) => (*k).to_owned(),
                    Step::Index(n) => n.to_string(),
                })
                .collect();
            self.0.push((path.join("."), raw.to_owned()));
        }
        fn end_object(&mut self, _: &[Step<'a>]) {}
    }

    fn seen(text: &str) -> Result<Vec<(String, String)>, Fault> {
        let mut seen = Seen::default();
        scan(text, 64, &mut seen)?;
        Ok(seen.0)
    }

    #[test]
    fn strings_are_reported_with_their_path() {
        let found = seen(r#"{"a":"1","b":[{"c":"2"},"3",{"c":"4","d":{}}],"e":null}"#).unwrap();
        let paths: Vec<_> = found.iter().map(|(p, v)| format!("{p}={v}")).collect();
        assert_eq!(paths, ["a=1", "b.0.c=2", "b.1=3", "b.2.c=4"]);
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for (text, fault) in [
            (r#"{"a":1,"b":2,"a":3}"#, Fault::DuplicateKey),
            (r#"{"x":{"a":1,"a":3}}"#, Fault::DuplicateKey),
            (r#"{"\u0061":1}"#, Fault::EscapedKey),
            (r#"{"a":"\ud800"}"#, Fault::LoneSurrogate),
            (r#"{"a":"\ud800\u0041"}"#, Fault::LoneSurrogate),
            (r#"{"a":"\udc00"}"#, Fault::LoneSurrogate),
        ] {
            assert_eq!(seen(text).unwrap_err(), fault, "{text}");
        }
        assert!(seen(r#"{"a":"\ud83d\ude00 \\\" \u00e9"}"#).is_ok());
        assert!(seen(r#"[{"a":1},{"a":1}]"#).is_ok());
    }

    #[test]
    fn depth_of_a_hundred_thousand_is_refused_without_overflow() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(seen(&text).unwrap_err(), Fault::TooDeep);
        let mut deep = Seen::default();
        assert!(scan(&text, 200_000, &mut deep).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = seen(&text);
        }

        #[test]
        fn json_like_text_does_not_panic(text in r#"[\[\]{}",:\\u0-9a-f]{0,60}"#) {
            let _ = seen(&text);
        }
    }
}
