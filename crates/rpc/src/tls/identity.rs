//! The identity of this process: what it shows, what it trusts, and when that ends.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sallyport_model::{Clock, Micros, ServiceName, SystemClock};

use super::{Files, Snapshot, TRUST_DOMAIN, TlsError, Trust, snapshot::Pem};

/// How often the files are looked at: a renewed certificate is in use this soon.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What is the same for a whole installation.
#[derive(Clone)]
pub struct Options {
    /// The trust domain in the SAN URIs.
    pub trust_domain: String,
    /// By which certificates are valid or not.
    pub clock: Arc<dyn Clock>,
    /// How often [`Identity::watch`] looks for new files.
    pub look_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { trust_domain: TRUST_DOMAIN.to_owned(), clock: Arc::new(SystemClock), look_every: LOOK_EVERY }
    }
}

pub(super) struct Inner {
    pub(super) files: Files,
    pub(super) options: Options,
    trust: Trust,
    current: RwLock<Arc<Snapshot>>,
    /// Digest of the files that [`Inner::current`] was made of.
    pub(super) first_digest: [u8; 32],
}

/// The certificate in use and the authorities trusted. Cheap to clone; all clones see a reload at once.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<Inner>);

impl Identity {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`] when they are no identity of the house. An expired certificate is not an error: peers refuse it, and
    /// [`Identity::watch`] takes its successor.
    pub fn load(files: Files) -> Result<Self, TlsError> {
        Self::load_with(files, Options::default())
    }

    /// The same with another trust domain, clock or interval.
    ///
    /// # Errors
    /// As [`Identity::load`].
    pub fn load_with(files: Files, options: Options) -> Result<Self, TlsError> {
        let trust = Trust::new(&options.trust_domain);
        let pem = Pem::read(&files)?;
        let snapshot = Snapshot::build(&pem, &trust, Arc::clone(&options.clock))?;
        let first_digest = pem.digest();
        let current = RwLock::new(Arc::new(snapshot));
        Ok(Self(Arc::new(Inner { files, options, trust, current, first_digest })))
    }

    /// Which service this is.
    pub fn service(&self) -> ServiceName {
        self.current().service
    }

    /// When the certificate in use stops being accepted.
    pub fn expires_at(&self) -> Micros {
        self.current().expires_at
    }

    /// What the next connection uses.
    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks new files and uses them from now on. A certificate of another service is refused: a process does not
    /// become another one while it runs.
    pub(super) fn take(&self, pem: &Pem) -> Result<(), TlsError> {
        let inner = &self.0;
        let next = Snapshot::build(pem, &inner.trust, Arc::clone(&inner.options.clock))?;
        if next.service != self.service() {
            return Err(TlsError::Name);
        }
        *inner.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}
