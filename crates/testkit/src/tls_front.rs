//! TLS in front of a server that speaks without, for clients under test: its certificate is for `localhost`, vouched for
//! by an authority of its own.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A running front on a free port of this machine; ends when dropped.
pub struct TlsFront {
    address: SocketAddr,
    folder: tempfile::TempDir,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Starts one in front of `upstream` (`host:port`).
    ///
    /// # Panics
    /// When no certificate or port can be had.
    pub async fn start(upstream: impl Into<String>) -> Self {
        let upstream = upstream.into();
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("authority.pem"), certified.cert.pem()).expect("a file");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a usable certificate");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                connections.spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(&upstream).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, folder, task }
    }

    /// `localhost:port`, the name in the certificate.
    pub fn place(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// The authority's certificate as a PEM file.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}
