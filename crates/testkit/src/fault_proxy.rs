//! A TCP proxy that misbehaves on command, between a client under test and any server.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What the network does. A change reaches connections that are open too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing unusual.
    Pass,
    /// Each piece arrives so much later, in both directions.
    Latency(Duration),
    /// Connections stand and new ones are accepted, nothing gets through. What waits goes on after [`Fault::Pass`], as
    /// after a network partition.
    Blackhole,
    /// Open connections are reset, and so is every new one.
    Reset,
}

/// A running proxy on a free port of this machine; ends when dropped.
pub struct FaultProxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts one in front of `upstream` (`host:port`), passing everything.
    ///
    /// # Panics
    /// When no port can be taken.
    pub async fn start(upstream: impl Into<String>) -> Self {
        let upstream = upstream.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let (fault, seen) = watch::channel(Fault::Pass);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            // Dropped with this task, the connections end.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(carry(client, upstream.clone(), seen.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, fault, accepted, task }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the network does this.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// `url` with the proxy's address in the place of the server's.
    ///
    /// # Panics
    /// When there is no address in it.
    pub fn instead_of(&self, url: &str) -> String {
        let address = address_in(url);
        url.replacen(address, &self.address.to_string(), 1)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The `host:port` of a URL.
///
/// # Panics
/// When there is none.
pub fn address_in(url: &str) -> &str {
    let rest = url.split_once("://").expect("a URL with a scheme").1;
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    authority.rsplit_once('@').map_or(authority, |(_, address)| address)
}

async fn carry(client: TcpStream, upstream: String, mut fault: watch::Receiver<Fault>) {
    // A connection to a black hole is accepted, and the server behind it never hears of it until it heals.
    let open = fault.wait_for(|fault| *fault != Fault::Blackhole).await.map(|fault| *fault);
    let Ok(fault_now) = open else { return };
    if fault_now == Fault::Reset {
        return reset(&client);
    }
    let (mut client, Ok(mut server)) = (client, TcpStream::connect(&upstream).await) else { return };
    let _slower_otherwise = (client.set_nodelay(true), server.set_nodelay(true));
    let mut resetting = fault.clone();
    let is_reset = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let up = pump(client_reads, server_writes, fault.clone());
        let down = pump(server_reads, client_writes, fault);
        tokio::select! {
            _both_ended = async { tokio::join!(up, down) } => false,
            _reset = resetting.wait_for(|fault| *fault == Fault::Reset) => true,
        }
    };
    if is_reset {
        reset(&client);
        reset(&server);
    }
}

/// Carries one direction until its end.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut fault: watch::Receiver<Fault>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let passing = fault.wait_for(|fault| *fault != Fault::Blackhole).await.map(|fault| *fault);
        let Ok(now) = passing else { return };
        match now {
            Fault::Latency(latency) => tokio::time::sleep(latency).await,
            // Nothing that was sent after the reset was ordered gets through before the connection has heard of it.
            Fault::Reset => return,
            Fault::Pass | Fault::Blackhole => {}
        }
        let Some(piece) = buffer.get(..read) else { return };
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
    let _gone_already = to.shutdown().await;
}

/// The connection ends with a reset instead of an orderly goodbye when it is dropped.
fn reset(stream: &TcpStream) {
    let _closed_already = stream.set_zero_linger();
}
