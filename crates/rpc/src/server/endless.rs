//! An answer that goes on until its connection is to end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use tokio::sync::watch;
use tonic::{Status, body::Body};

/// Where gRPC says how a call ended, and the number of UNAVAILABLE: ask again.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

/// A streamed answer with an end.
pub(super) struct Endless {
    /// Gone when the end was said.
    body: Option<Body>,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Endless {
    pub(super) fn new(body: Body, mut is_ending: watch::Receiver<bool>) -> Self {
        let end = Box::pin(async move {
            // A connection that is gone has ended too.
            let _either_way = is_ending.wait_for(|ending| *ending).await;
        });
        Self { body: Some(body), end }
    }
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.end.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.body = None;
        let trailers = HeaderMap::from_iter([(STATUS, UNAVAILABLE)]);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }
}
