//! A way to the server that can be cut, and that can speak TLS in front of it.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The way.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    is_open: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// To the server at `address` (a URL), open or cut.
    pub(crate) async fn start(address: &str, is_open: bool, tls: Option<Arc<ServerConfig>>) -> Self {
        let target = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_open, state) = watch::channel(is_open);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !*state.borrow() {
                    continue;
                }
                let (target, mut state, tls) = (target.clone(), state.clone(), tls.clone());
                tokio::spawn(async move {
                    let cut = async {
                        // A sender that is gone means the same.
                        let _either_way = state.wait_for(|is_open| !is_open).await;
                    };
                    tokio::select! {
                        () = cut => {}
                        () = carry(stream, &target, tls) => {}
                    }
                });
            }
        });
        Self { port, is_open, task }
    }

    pub(crate) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

async fn carry(stream: TcpStream, target: &str, tls: Option<Arc<ServerConfig>>) {
    match tls {
        None => both_ways(stream, target).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                both_ways(stream, target).await;
            }
        }
    }
}

async fn both_ways(mut stream: impl AsyncRead + AsyncWrite + Unpin, target: &str) {
    if let Ok(mut server) = TcpStream::connect(target).await {
        // However it ends, it has ended.
        let _over = copy_bidirectional(&mut stream, &mut server).await;
    }
}
