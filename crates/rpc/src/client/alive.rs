//! A stream that tells when it is gone.
//!
//! A call that begins in the moment in which its connection ends can be forgotten by the HTTP/2 library: neither answer
//! nor error. Whoever waits for it learns from the stream that nothing more can come.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::watch;

/// What was read before the end is handed out within this time.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A stream in use.
pub(super) struct Alive<S> {
    stream: S,
    _told_when_dropped: watch::Sender<()>,
}

/// Learns of the end.
#[derive(Clone)]
pub(super) struct Gone(watch::Receiver<()>);

impl<S> Alive<S> {
    pub(super) fn new(stream: S) -> (Self, Gone) {
        let (sender, receiver) = watch::channel(());
        (Self { stream, _told_when_dropped: sender }, Gone(receiver))
    }
}

impl Gone {
    /// Waits until the stream is gone and nothing of it can still be on its way to a caller.
    pub(super) async fn for_good(mut self) {
        while self.0.changed().await.is_ok() {}
        tokio::time::sleep(LAST_WORDS).await;
    }
}

impl<S: Read + Unpin> Read for Alive<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl<S: Write + Unpin> Write for Alive<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
}
