//! What is sent, kept as long as it may have to be sent again.

use axum::body::Bytes;
use http::{Request, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tonic::body::Body;

/// A body up to this size is read before it is sent, so that a replica which is just ending costs nobody a call.
const KEPT: u64 = 256 * 1024;

enum Kind {
    Whole(Bytes),
    Stream(Body),
    /// A stream that was sent.
    Gone,
}

/// A request on its way.
pub(crate) struct Payload {
    parts: Parts,
    kind: Kind,
}

/// The sender's own body broke off: nothing was sent.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl Payload {
    /// Keeps the body when its size is known and small.
    pub(crate) async fn new(request: Request<Body>) -> Result<Self, BrokenOff> {
        let is_small = request.body().size_hint().upper().is_some_and(|size| size <= KEPT);
        if is_small { Self::whole(request).await } else { Ok(Self::stream(request)) }
    }

    /// Keeps the body, which is one message.
    pub(crate) async fn whole(request: Request<Body>) -> Result<Self, BrokenOff> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_sender| BrokenOff)?.to_bytes();
        Ok(Self { parts, kind: Kind::Whole(body) })
    }

    fn stream(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self { parts, kind: Kind::Stream(body) }
    }

    /// The request, as often as it can be sent.
    pub(super) fn next(&mut self) -> Option<Request<Body>> {
        let body = match std::mem::replace(&mut self.kind, Kind::Gone) {
            Kind::Whole(bytes) => {
                self.kind = Kind::Whole(bytes.clone());
                Body::new(Full::new(bytes))
            }
            Kind::Stream(body) => body,
            Kind::Gone => return None,
        };
        Some(Request::from_parts(self.parts.clone(), body))
    }

    /// Whether it may be acted on twice without harm (RFC 9110 §9.2.1). A method of ours may not: whoever knows that it
    /// may asks [`once_more`](super::once_more).
    pub(super) fn may_be_repeated(&self) -> bool {
        self.parts.method.is_safe()
    }

    /// It came back unsent.
    pub(super) fn back(&mut self, request: Request<Body>) {
        if matches!(self.kind, Kind::Gone) {
            self.kind = Kind::Stream(request.into_body());
        }
    }
}
