//! Whether the log's own keys open. With another key-encryption key everything that arrives would look forged, so
//! nothing is consumed before this is known.

use std::{sync::Arc, time::Duration};

use sallyport_model::TenantId;
use tokio::sync::watch;

use crate::{Error, domain::Domain};

/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(2);

/// Turns true once the keys have opened.
#[derive(Clone)]
pub(crate) struct Proof(watch::Receiver<bool>);

/// Makes the proof where the start could not.
pub(crate) struct Prover {
    domain: Arc<Domain>,
    proven: watch::Sender<bool>,
}

impl Prover {
    /// Tries at once.
    ///
    /// # Errors
    /// When the keys do not open, and waiting would not change that.
    pub(crate) async fn start(domain: Arc<Domain>) -> Result<(Self, Proof), Error> {
        let (proven, proof) = watch::channel(false);
        let prover = Self { domain, proven };
        match prover.attempt().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    reason = error.label(),
                    "audit records wait until the log's keys can be opened"
                );
            }
            outcome => outcome?,
        }
        Ok((prover, Proof(proof)))
    }

    async fn attempt(&self) -> Result<(), Error> {
        self.domain.tenant_key(&TenantId::system()).await?;
        self.proven.send_replace(true);
        Ok(())
    }

    /// Tries until it is proven.
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        while !*self.proven.borrow() {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _over = shutdown.wait_for(|over| *over) => return,
            }
            if let Err(error) = self.attempt().await
                && !error.is_transient()
            {
                tracing::error!(
                    reason = error.label(),
                    "the audit log's keys do not open, check the key service"
                );
            }
        }
    }
}

impl Proof {
    pub(crate) fn is_made(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it; `false` when it will never come.
    pub(crate) async fn made(&mut self) -> bool {
        // The prover keeps the sender until then; one that is gone after the proof has left the value.
        self.0.wait_for(|made| *made).await.is_ok() || self.is_made()
    }
}
