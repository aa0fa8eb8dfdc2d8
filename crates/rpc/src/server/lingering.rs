//! A stream that goes on reading for a moment after it said goodbye.
//!
//! A call that the client sent before it heard the goodbye arrives at a socket that is closed already; the system answers
//! with a reset, and a reset throws away what the client has not read, the goodbye among it. The client could then not
//! tell that its call was not looked at.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How long a client has to read the goodbye and close its side.
const LINGER: Duration = Duration::from_secs(1);

/// What can linger.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl Socket for tokio_rustls::server::TlsStream<TcpStream> {}

/// A stream, until it is dropped.
pub(super) struct Lingering<S: Socket> {
    stream: Option<S>,
    has_said_goodbye: bool,
}

impl<S: Socket> Lingering<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream: Some(stream), has_said_goodbye: false }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S: Socket> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner()?.poll_read(cx, buf)
    }
}

impl<S: Socket> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = self.inner()?.poll_shutdown(cx);
        self.has_said_goodbye |= matches!(done, Poll::Ready(Ok(())));
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

impl<S: Socket> Drop for Lingering<S> {
    fn drop(&mut self) {
        // Cut without a goodbye, or the process is ending: there is nothing to wait for.
        let (Some(mut stream), true) = (self.stream.take(), self.has_said_goodbye) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let mut late = [0; 4096];
            let reading = async { while stream.read(&mut late).await.is_ok_and(|read| read > 0) {} };
            // Whoever still talks after that was told.
            let _told = tokio::time::timeout(LINGER, reading).await;
        });
    }
}
