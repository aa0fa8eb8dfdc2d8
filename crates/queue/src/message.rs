//! What travels: an id for de-duplication, an opaque body, and headers that carry no data (trace context, kind).

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

/// The longest body, in bytes: a batch of sealed records stays far below, and brokers slow down above it.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Header names and values, both plain ASCII.
pub type Headers = BTreeMap<String, String>;

/// One message. Published again, it keeps its id.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Stable over redeliveries and repeated publishing.
    pub id: Uuid,
    /// Sealed by the publisher.
    pub body: Bytes,
    /// Trace context and the like; never data.
    pub headers: Headers,
}

impl Message {
    /// A message without headers.
    pub fn new(id: Uuid, body: impl Into<Bytes>) -> Self {
        Self { id, body: body.into(), headers: Headers::new() }
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_never_prints_its_body_or_headers() {
        let mut message = Message::new(uuid::Uuid::nil(), "canary-body");
        message.headers.insert("x".to_owned(), "canary-header".to_owned());
        let shown = format!("{message:?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("11"), "the size is shown: {shown}");
    }
}
