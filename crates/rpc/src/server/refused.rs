//! Says why a connection was refused, a few times a minute at most: whoever knocks must not fill the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustls::{CertificateError, Error};
use tokio::time::Instant;

/// At most one line in this time; the others are counted into the next one.
const ONE_LINE_PER: Duration = Duration::from_secs(5);

struct Said {
    at: Option<Instant>,
    unsaid: u64,
}

/// The refusals of one listener.
pub(super) struct Refusals(Mutex<Said>);

impl Refusals {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Said { at: None, unsaid: 0 }))
    }

    pub(super) fn say(&self, reason: &'static str) {
        let now = Instant::now();
        let unsaid = {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if said.at.is_some_and(|at| now.saturating_duration_since(at) < ONE_LINE_PER) {
                said.unsaid += 1;
                return;
            }
            said.at = Some(now);
            std::mem::take(&mut said.unsaid)
        };
        tracing::warn!(reason, count = unsaid + 1, "a connection was refused");
    }
}

/// A word for what went wrong in a handshake.
pub(super) fn reason(error: &std::io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::NoCertificatesPresented) => "no_certificate",
        Some(Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate_expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate_not_yet_valid"
            }
            CertificateError::UnknownIssuer => "authority_unknown",
            CertificateError::ApplicationVerificationFailure => "service_unknown",
            _ => "certificate_invalid",
        },
        Some(Error::InvalidMessage(_)) => "not_tls",
        // The peer's own alert: it did not like what we showed.
        Some(Error::AlertReceived(_)) => "refused_by_peer",
        _ => "handshake_failed",
    }
}
