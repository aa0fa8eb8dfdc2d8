//! Checkpoints: signed on a schedule, published outside, and never over a log that is not the continuation of what was
//! published before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sallyport_audit_proof::{
    Checkpoint, KeyKind, Keys, Note, NoteError, SigningKey, VerifierKey, verify_consistency,
};
use sallyport_model::{Micros, Secret, planted};
use tokio::sync::watch;

use super::{Domain, tree::Grown};
use crate::{Error, config::Config, published::Published};

/// Between two looks at the sizes of the logs.
const LOOK: Duration = Duration::from_secs(1);

/// Signs for the logs of all tenants.
pub(crate) struct Signer {
    origin: String,
    seed: Secret<Vec<u8>>,
    published: Published,
    every_micros: Micros,
    every_records: u64,
    /// Size and time of each tenant's newest checkpoint.
    newest: Mutex<HashMap<String, (u64, Micros)>>,
}

/// Why a log gets no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is shorter than what was published.
    Shorter,
    /// What was published is not its beginning.
    Changed,
    /// What was published there is not ours, or does not read.
    Foreign,
}

impl Refusal {
    fn label(self) -> &'static str {
        match self {
            Self::Shorter => "shorter",
            Self::Changed => "changed",
            Self::Foreign => "foreign",
        }
    }
}

/// What an attempt to sign came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// A new checkpoint over that many records.
    New(u64),
    /// There was nothing new.
    Unchanged,
    /// Nothing was signed, and somebody has to look.
    Refused(Refusal),
}

impl Signer {
    pub(crate) fn new(config: &Config, seed: Secret<Vec<u8>>, published: Published) -> Self {
        Self {
            origin: config.checkpoint_origin.clone(),
            seed,
            published,
            every_micros: Micros::from(config.checkpoint_seconds) * 1_000_000,
            every_records: u64::from(config.checkpoint_records),
            newest: Mutex::default(),
        }
    }

    /// The origin of a tenant's log.
    pub(crate) fn origin(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.origin)
    }

    fn key(&self, tenant: &str) -> Result<SigningKey, NoteError> {
        let seed = self.seed.expose().as_slice().try_into().map_err(|_length| NoteError::Key)?;
        SigningKey::from_seed(&self.origin(tenant), KeyKind::Log, seed)
    }

    /// The public key of a tenant's log.
    pub(crate) fn verifier(&self, tenant: &str) -> Result<VerifierKey, Error> {
        Ok(self.key(tenant)?.verifier().clone())
    }

    /// Adds the signature of a tenant's log to a note that is no checkpoint.
    pub(crate) fn sign_note(&self, tenant: &str, note: &mut Note) -> Result<(), Error> {
        self.key(tenant)?.sign(note, 0);
        Ok(())
    }

    fn due(&self, tenant: &str, size: u64, now: Micros) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match newest.get(tenant) {
            None => size > 0,
            Some((signed, at)) => {
                size < *signed
                    || size - signed >= self.every_records
                    || (size > *signed && now - at >= self.every_micros)
            }
        }
    }

    fn note(&self, tenant: &str, size: u64, at: Micros) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.to_owned(), (size, at));
    }
}

/// Signs whatever is due until shutdown.
pub(crate) async fn run(domain: Arc<Domain>, mut shutdown: watch::Receiver<bool>) {
    let work = async {
        loop {
            if let Err(error) = sign_due(&domain).await {
                domain.metrics.checkpoint_refused(error.label());
                tracing::warn!(reason = error.label(), "checkpoints of the audit log wait");
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = work => {}
        _over = shutdown.wait_for(|over| *over) => {}
    }
}

async fn sign_due(domain: &Domain) -> Result<(), Error> {
    let now = domain.clock.now();
    let mut oldest = 0;
    for (tenant, size) in domain.store.log_sizes().await? {
        let size = u64::try_from(size).unwrap_or(0);
        if domain.signer.due(&tenant, size, now) {
            sign(domain, &tenant).await?;
        }
        let newest =
            domain.signer.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied();
        if let Some((signed, at)) = newest
            && size > signed
        {
            oldest = oldest.max(now - at);
        }
    }
    domain.metrics.checkpoint_age(oldest);
    Ok(())
}

/// Signs a tenant's log as it is now, if it goes on from what was published.
pub(crate) async fn sign(domain: &Domain, tenant: &str) -> Result<Signed, Error> {
    let signer = &domain.signer;
    let now = domain.clock.now();
    let key = signer.key(tenant)?;
    // What was published is read first: a log that grows meanwhile is only longer.
    let outside = match newest(domain, tenant).await? {
        Some(note) => Some(note),
        // Without a place outside there is only the database's own word.
        None => domain.store.checkpoints(tenant, 1).await?.pop().map(|(_, _, note)| note.into_bytes()),
    };
    let log = Grown::load(domain, tenant).await?;
    if let Some(note) = outside {
        let keys = Keys { log: key.verifier().clone(), witnesses: Vec::new() };
        let Ok(before) = keys.open(&note) else {
            return Ok(refused(domain, tenant, Refusal::Foreign, (log.size(), now)));
        };
        let before = before.checkpoint;
        let Some(path) = log.consistency(domain, before.size, log.size()).await? else {
            return Ok(refused(domain, tenant, Refusal::Shorter, (log.size(), now)));
        };
        let goes_on = verify_consistency((before.size, &before.root), (log.size(), &log.root()), &path);
        if goes_on.is_err() && !planted!("checkpoint-signed-unchecked") {
            return Ok(refused(domain, tenant, Refusal::Changed, (log.size(), now)));
        }
        if before.size == log.size() {
            signer.note(tenant, before.size, now);
            return Ok(Signed::Unchanged);
        }
    }
    if log.size() == 0 {
        return Ok(Signed::Unchanged);
    }
    let checkpoint = Checkpoint { origin: signer.origin(tenant), size: log.size(), root: log.root() };
    let note = checkpoint.sign(&key)?.to_string();
    // Outside first: what was published and is not in the database is signed again and the same.
    publish(domain, tenant, log.size(), &note).await?;
    domain.store.keep_checkpoint(tenant, log.size(), &note, now).await?;
    signer.note(tenant, log.size(), now);
    domain.metrics.checkpoint_signed();
    Ok(Signed::New(log.size()))
}

// Files are for the threads that may wait.
async fn newest(domain: &Domain, tenant: &str) -> Result<Option<Vec<u8>>, Error> {
    let (published, tenant) = (domain.signer.published.clone(), tenant.to_owned());
    Ok(tokio::task::spawn_blocking(move || published.newest(&tenant))
        .await
        .map_err(std::io::Error::other)??)
}

async fn publish(domain: &Domain, tenant: &str, size: u64, note: &str) -> Result<(), Error> {
    let (published, tenant, note) = (domain.signer.published.clone(), tenant.to_owned(), note.to_owned());
    let done = tokio::task::spawn_blocking(move || published.publish(&tenant, size, &note)).await;
    Ok(done.map_err(std::io::Error::other)??)
}

fn refused(domain: &Domain, tenant: &str, refusal: Refusal, (size, now): (u64, Micros)) -> Signed {
    domain.metrics.checkpoint_refused(refusal.label());
    tracing::error!(
        tenant.id = tenant,
        reason = refusal.label(),
        "the audit log is not the continuation of its last checkpoint and is not signed, verify it against the published checkpoints"
    );
    // Asked again when the next checkpoint would be due, not every second.
    domain.signer.note(tenant, size, now);
    Signed::Refused(refusal)
}
