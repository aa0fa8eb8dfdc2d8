//! New files without a restart. Connections that exist go on; the next one uses what was read last.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Identity, snapshot::Pem};

impl Identity {
    /// Looks for new files until shutdown. What cannot be used changes nothing and is said once.
    pub async fn watch(self, mut shutdown: watch::Receiver<bool>) {
        let mut seen = self.0.first_digest;
        let mut was_unreadable = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.0.options.look_every) => {}
                _either_way = shutdown.changed() => return,
            }
            let files = self.0.files.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || Pem::read(&files)).await else { return };
            match read {
                Ok(pem) => {
                    was_unreadable = false;
                    let digest = pem.digest();
                    if digest != seen {
                        seen = digest;
                        self.renew(&pem);
                    }
                }
                Err(_reason) if was_unreadable => {}
                Err(_reason) => {
                    was_unreadable = true;
                    tracing::warn!(
                        service = self.service().as_str(),
                        reason = "unreadable",
                        "the certificate files cannot be read; the identity in use stays"
                    );
                }
            }
        }
    }

    fn renew(&self, pem: &Pem) {
        let service = self.service().as_str();
        match self.take(pem) {
            Ok(()) => {
                let left = self.expires_at().saturating_sub(Arc::clone(&self.0.options.clock).now());
                tracing::info!(service, expires_in_seconds = left / 1_000_000, "a new certificate is in use");
            }
            Err(error) => tracing::error!(
                service,
                reason = %error,
                "the new certificate files are not usable; the identity in use stays"
            ),
        }
    }
}
