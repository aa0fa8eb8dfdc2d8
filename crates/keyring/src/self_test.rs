//! Whether the key-encryption key opens what it wraps: asked at the start, until it was seen once.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sallyport_model::Secret;
use tokio::sync::watch;

use crate::{KeyEncryptionKey, KeyError, random};

/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(2);

const AAD: &[u8] = b"sallyport self test";

const WAITING: u8 = 0;
const PASSED: u8 = 1;
const FAILED: u8 = 2;

/// What the self-test found so far. Cheap to ask.
#[derive(Debug, Clone)]
pub struct SelfTest(Arc<AtomicU8>);

/// Why a service that needs the key is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// It did not answer yet.
    #[error("the key service has not answered yet")]
    NoAnswer,
    /// It answered wrongly.
    #[error("the key-encryption key does not open what it wraps, check the key service")]
    Wrong,
}

impl SelfTest {
    /// The test, and the work that makes it: to be spawned; ends when the key was proven, or at shutdown.
    pub fn start(
        kek: Arc<dyn KeyEncryptionKey>,
        mut shutdown: watch::Receiver<bool>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let found = Arc::new(AtomicU8::new(WAITING));
        let test = Self(Arc::clone(&found));
        let work = async move {
            loop {
                let outcome = tokio::select! {
                    outcome = prove(kek.as_ref()) => outcome,
                    _over = shutdown.wait_for(|over| *over) => return,
                };
                match outcome {
                    Ok(()) => return found.store(PASSED, Ordering::Release),
                    Err(KeyError::Unavailable(_)) => {}
                    Err(_wrong) => {
                        if found.swap(FAILED, Ordering::AcqRel) != FAILED {
                            tracing::error!(reason = "key", "the key-encryption key failed its self-test");
                        }
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    _over = shutdown.wait_for(|over| *over) => return,
                }
            }
        };
        (test, work)
    }

    /// Whether the key has opened what it wrapped.
    ///
    /// # Errors
    /// What it did instead.
    pub fn passed(&self) -> Result<(), NotProven> {
        match self.0.load(Ordering::Acquire) {
            PASSED => Ok(()),
            FAILED => Err(NotProven::Wrong),
            _ => Err(NotProven::NoAnswer),
        }
    }
}

async fn prove(kek: &dyn KeyEncryptionKey) -> Result<(), KeyError> {
    let key = Secret::new(random::<32>().to_vec());
    let wrapped = kek.wrap(AAD, &key).await?;
    let opened = kek.unwrap(AAD, &wrapped).await?;
    if opened.expose() == key.expose() { Ok(()) } else { Err(KeyError::DoesNotOpen) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// A keeper that can be away, or give back something else.
    struct Keeper {
        is_away: AtomicBool,
        is_wrong: AtomicBool,
    }

    #[async_trait::async_trait]
    impl KeyEncryptionKey for Keeper {
        async fn wrap(&self, _aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
            if self.is_away.load(Ordering::SeqCst) {
                return Err(KeyError::Unavailable("away".into()));
            }
            Ok(key.expose().clone())
        }

        async fn unwrap(&self, _aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
            let is_wrong = self.is_wrong.load(Ordering::SeqCst);
            Ok(Secret::new(if is_wrong { Vec::new() } else { wrapped.to_vec() }))
        }

        fn version_of(&self, _wrapped: &[u8]) -> Result<u64, KeyError> {
            Ok(1)
        }

        async fn current_version(&self) -> Result<u64, KeyError> {
            Ok(1)
        }

        async fn rewrap(&self, _aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
            Ok(wrapped.to_vec())
        }

        async fn rotate(&self) -> Result<u64, KeyError> {
            Err(KeyError::Refused)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_proven_when_it_opens_what_it_wrapped_and_not_before() {
        let keeper = Arc::new(Keeper { is_away: AtomicBool::new(true), is_wrong: AtomicBool::new(true) });
        let (_stop, shutdown) = watch::channel(false);
        let (test, work) = SelfTest::start(Arc::clone(&keeper) as _, shutdown);
        let work = tokio::spawn(work);
        tokio::time::sleep(AGAIN * 3).await;
        assert_eq!(test.passed(), Err(NotProven::NoAnswer));
        keeper.is_away.store(false, Ordering::SeqCst);
        tokio::time::sleep(AGAIN * 2).await;
        assert_eq!(test.passed(), Err(NotProven::Wrong));
        keeper.is_wrong.store(false, Ordering::SeqCst);
        work.await.unwrap();
        assert_eq!(test.passed(), Ok(()));
    }
}
