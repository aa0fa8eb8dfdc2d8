//! How a process is asked to end: Ctrl-C or SIGTERM, and a second time to end at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from the moment it is made, so that a request during a long start is not lost.
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
    is_asked: bool,
}

impl Ending {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            is_asked: false,
        })
    }

    /// Returns when the end was asked for, at once when it was before. Safe to cancel.
    pub async fn asked(&mut self) {
        if !self.is_asked {
            self.asked_again().await;
            self.is_asked = true;
        }
    }

    /// Returns at the next request to end.
    pub async fn asked_again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
