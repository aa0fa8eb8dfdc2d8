//! Load over loopback: a fixed number of requests over a fixed number of kept connections, every answer checked.
//!
//! Writes requests that were made before and reads answers with as little work as possible, so that the two cores go to
//! the target. Bounded in count and, through a deadline for the whole, in time.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Whatever happens, one load is over by then.
const LONGEST: Duration = Duration::from_secs(120);

/// What is asked, over and over.
#[derive(Clone)]
pub(crate) struct Load {
    /// Of the target, on this machine.
    pub(crate) address: SocketAddr,
    /// The requests, taken in turn.
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    /// How many connections are kept.
    pub(crate) connections: usize,
    /// What every body must hold.
    pub(crate) holds: &'static str,
}

impl Load {
    /// Sends `count` requests and checks every answer.
    ///
    /// # Errors
    /// At the first answer that is not what was asked for.
    pub(crate) async fn send(&self, count: usize) -> anyhow::Result<()> {
        ensure!(self.address.ip().is_loopback(), "load goes to this machine alone");
        let next = Arc::new(AtomicUsize::new(0));
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(self.clone().connection(Arc::clone(&next), count));
        }
        let all = async {
            while let Some(ended) = connections.join_next().await {
                ended??;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(LONGEST, all).await.context("the load took too long")?
    }

    async fn connection(self, next: Arc<AtomicUsize>, count: usize) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(32 * 1_024);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let request = self.requests.get(number % self.requests.len()).context("there are requests")?;
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut buffer, self.holds).await?;
        }
    }
}

/// Reads one answer into `buffer`, which is empty again afterwards.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>, holds: &str) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let whole = end + 4 + content_length(buffer.get(..end).unwrap_or_default())?;
            while buffer.len() < whole {
                ensure!(stream.read_buf(buffer).await? > 0, "an answer broke off");
            }
            ensure!(buffer.len() == whole, "more than one answer came");
            let status = buffer.get(9..12).unwrap_or_default();
            let body = buffer.get(end + 4..).unwrap_or_default();
            if status != b"200" || find(body, holds.as_bytes()).is_none() {
                bail!("an unexpected answer: {}", String::from_utf8_lossy(buffer));
            }
            return Ok(());
        }
        ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?;
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    Ok(line.context("an answer without a length")?.trim().parse()?)
}

/// Where `needle` begins.
pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

/// A GET as a page's client sends it.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: application/fhir+json\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// One request on a connection of its own; the answer as text.
///
/// # Errors
/// When there is no answer.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let closing = [request.strip_suffix(b"\r\n").unwrap_or(request), b"connection: close\r\n\r\n"].concat();
    stream.write_all(&closing).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
