//! Pins: where a call may go. Equality of scheme, host and port, and of the path by whole segments, nothing less.
//!
//! A URL is judged in the form in which it is sent (WHATWG parsing), so there is no second parser to disagree with.

use url::{Host, Url};

/// Why a text cannot be a pin. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a registered address must be http(s) with a plain ASCII host, without user, fragment, dot segments or encoded separators"
)]
pub struct InvalidPin;

/// An origin and a path prefix under which calls may go.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin {
    scheme: String,
    host: String,
    port: u16,
    prefix: Vec<String>,
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pin({}://{}:{})", self.scheme, self.host, self.port)
    }
}

impl Pin {
    /// Parses a registered address; its path becomes the prefix.
    ///
    /// # Errors
    /// [`InvalidPin`] when it is no such address.
    pub fn parse(text: &str) -> Result<Self, InvalidPin> {
        Url::parse(text).map_err(|_not_a_url| InvalidPin).and_then(|url| Self::from_url(&url))
    }

    /// The pin of a URL: its origin and everything under its path. A query does not belong to the pin.
    ///
    /// # Errors
    /// [`InvalidPin`] when the URL could be mistaken for another.
    pub fn from_url(url: &Url) -> Result<Self, InvalidPin> {
        let (scheme, host, port, prefix) = parts(url).ok_or(InvalidPin)?;
        let prefix = prefix.into_iter().map(str::to_owned).collect();
        Ok(Self { scheme: scheme.to_owned(), host, port, prefix })
    }

    /// The pin of a URL's whole origin.
    ///
    /// # Errors
    /// [`InvalidPin`] when the URL could be mistaken for another.
    pub fn origin_of(url: &Url) -> Result<Self, InvalidPin> {
        Self::from_url(url).map(|pin| Self { prefix: Vec::new(), ..pin })
    }

    /// Whether a call to `url` stays inside this pin.
    pub fn admits(&self, url: &Url) -> bool {
        let Some((scheme, host, port, path)) = parts(url) else { return false };
        scheme == self.scheme
            && host == self.host
            && port == self.port
            && path.len() >= self.prefix.len()
            && self.prefix.iter().zip(&path).all(|(pinned, given)| pinned == given)
    }
}

/// Several pins; none admits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins(Vec<Pin>);

impl Pins {
    /// These pins.
    pub fn new(pins: Vec<Pin>) -> Self {
        Self(pins)
    }

    /// Parses registered addresses.
    ///
    /// # Errors
    /// [`InvalidPin`] when one of them is none.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, InvalidPin> {
        texts.into_iter().map(|text| Pin::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any pin admits `url`.
    pub fn admits(&self, url: &Url) -> bool {
        self.0.iter().any(|pin| pin.admits(url))
    }
}

impl From<Pin> for Pins {
    fn from(pin: Pin) -> Self {
        Self(vec![pin])
    }
}

/// Scheme, host, port and path segments of a URL that means the same to every reader; `None` for any other.
fn parts(url: &Url) -> Option<(&str, String, u16, Vec<&str>)> {
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
        || url.fragment().is_some()
    {
        return None;
    }
    let host = match url.host()? {
        Host::Domain(name) if is_plain(name) => name.to_ascii_lowercase(),
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let mut path: Vec<&str> = url.path_segments()?.collect();
    if path.last().is_some_and(|last| last.is_empty()) {
        path.pop();
    }
    let is_safe = path.iter().all(|segment| is_unambiguous(segment));
    is_safe.then_some((url.scheme(), host, url.port_or_known_default()?, path))
}

/// Names of other scripts look like ours and arrive here as `xn--`; a trailing dot names the same host differently.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.split('.').all(|label| !label.is_empty() && !label.starts_with("xn--"))
}

/// A segment that no server takes for a separator or a dot segment, however often it decodes (`%252e`, `..;x`, `%2f`).
fn is_unambiguous(segment: &str) -> bool {
    let mut text = segment.to_ascii_lowercase();
    loop {
        let name = text.split(';').next().unwrap_or_default();
        let is_hidden = name.is_empty() || name == "." || name == "..";
        if is_hidden || text.contains(['/', '\\']) || text.bytes().any(|b| b.is_ascii_control()) {
            return false;
        }
        let next = text
            .replace("%25", "%")
            .replace("%2e", ".")
            .replace("%2f", "/")
            .replace("%5c", "\\")
            .replace("%3b", ";")
            .replace("%00", "\0");
        if next == text {
            return true;
        }
        text = next;
    }
}

#[cfg(test)]
mod tests;
