//! The key-encryption key in OpenBao's or Vault's transit engine: it never leaves the server.
//!
//! A wrapped key is the server's own text (`vault:v3:…`). What is wrapped is not the bare key but the key behind the
//! hash of its place, and an unwrapped key whose place is another is refused here. Transit has associated data for
//! the same purpose, but its `rewrap` does not take any, and rewrapping on the server is what keeps data keys out of
//! this process while the key-encryption key is rotated.

mod keeper;
mod session;
mod settings;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sallyport_model::Secret;
use tokio::sync::watch;
use vaultrs::{client::VaultClient, error::ClientError, transit};

use crate::{Deployment, KeyEncryptionKey, KeyError};

pub use settings::{Login, TransitSettings};

use keeper::{Link, Shared};
use session::Fault;

/// What a wrapped key starts with, before its version.
const PREFIX: &str = "vault:v";

/// First byte of what is wrapped: SHA-256 of the place and the key follow.
const LAYOUT: u8 = 1;

/// Bytes of the hash of the place.
const HASH_LENGTH: usize = 32;

/// A login this young is not made again because of a refusal: the policy is to blame, not the token.
const FRESH: Duration = Duration::from_secs(1);

/// The key-encryption key in a key service.
pub struct Transit {
    shared: Arc<Shared>,
    keeper: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Transit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[transit]")
    }
}

impl Drop for Transit {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Transit {
    /// Returns at once and connects in the background; must be called inside a Tokio runtime. A server that is not
    /// there is no error: calls answer [`KeyError::Unavailable`] until it is.
    ///
    /// # Errors
    /// [`KeyError::Configuration`] when the settings cannot work, whatever the server does.
    pub fn connect(settings: TransitSettings, deployment: Deployment) -> Result<Self, KeyError> {
        settings.validate(deployment)?;
        session::install_provider();
        // Made once here to find out about a file of certificates that is missing.
        session::client(&settings, &Secret::new(String::new())).map_err(|_unusable| {
            KeyError::Configuration("the file of its certificate authority cannot be used")
        })?;
        let shared = Arc::new(Shared::new(settings));
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared)));
        Ok(Self { shared, keeper })
    }

    /// Whether the key service answered lately and this service is logged in.
    pub fn is_connected(&self) -> bool {
        matches!(*self.shared.link.borrow(), Link::Up { .. })
    }

    /// One call: with a new login once when the old one is refused, then fail.
    async fn call<T, F, A>(&self, operation: F) -> Result<T, Fault>
    where
        T: Send,
        F: Fn(Arc<VaultClient>) -> A + Send + Sync,
        A: Future<Output = Result<T, ClientError>> + Send,
    {
        let mut link = self.shared.link.subscribe();
        let (client, number, since) = self.logged_in(&mut link, None).await?;
        match operation(client).await.map_err(Fault::from) {
            Err(Fault::Denied) if since.elapsed() >= FRESH => {
                self.shared.renounce(number);
                let (client, ..) = self.logged_in(&mut link, Some(number)).await?;
                operation(client).await.map_err(Fault::from)
            }
            Err(Fault::Away(error)) => {
                self.shared.look.notify_one();
                Err(Fault::Away(error))
            }
            other => other,
        }
    }

    /// A client that is logged in, with another login than `refused`. Waits only while there is none yet.
    async fn logged_in(
        &self,
        link: &mut watch::Receiver<Link>,
        refused: Option<u64>,
    ) -> Result<(Arc<VaultClient>, u64, tokio::time::Instant), Fault> {
        let settled = link.wait_for(|link| match link {
            Link::Connecting => false,
            Link::Down => true,
            Link::Up { number, .. } => Some(*number) != refused,
        });
        let settled = tokio::time::timeout(self.shared.settings.timeout, settled).await;
        match settled.map_err(|_elapsed| Fault::away("no login in time"))?.as_deref() {
            Ok(Link::Up { client, number, since }) => Ok((Arc::clone(client), *number, *since)),
            _ => Err(Fault::away("not connected")),
        }
    }

    /// Mount and key name, to be moved into a call.
    fn names(&self) -> (String, String) {
        (self.shared.settings.mount.clone(), self.shared.settings.key.clone())
    }
}

#[async_trait]
impl KeyEncryptionKey for Transit {
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        let mut bound = vec![LAYOUT];
        bound.extend_from_slice(&hash(aad));
        bound.extend_from_slice(key.expose());
        let bound = Secret::new(bound);
        let plaintext = Secret::new(STANDARD.encode(bound.expose()));
        let wrapped = self
            .call(|client| {
                let ((mount, name), plaintext) = (self.names(), plaintext.clone());
                async move { transit::data::encrypt(&*client, &mount, &name, plaintext.expose(), None).await }
            })
            .await
            .map_err(Fault::about_the_key)?;
        Ok(wrapped.ciphertext.into_bytes())
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        let text = text(wrapped)?;
        let opened = self
            .call(|client| {
                let ((mount, name), text) = (self.names(), text.to_owned());
                async move { transit::data::decrypt(&*client, &mount, &name, &text, None).await }
            })
            .await
            .map_err(Fault::about_the_value)?;
        let opened = Secret::new(opened.plaintext);
        let bytes = Secret::new(STANDARD.decode(opened.expose()).map_err(|_alphabet| KeyError::Malformed)?);
        let (layout, rest) = bytes.expose().split_first().ok_or(KeyError::Malformed)?;
        let (place, key) = rest.split_at_checked(HASH_LENGTH).ok_or(KeyError::Malformed)?;
        if *layout != LAYOUT {
            return Err(KeyError::Malformed);
        }
        constant_time::verify_slices_are_equal(place, &hash(aad)).map_err(|_other| KeyError::DoesNotOpen)?;
        Ok(Secret::new(key.to_vec()))
    }

    fn version_of(&self, wrapped: &[u8]) -> Result<u64, KeyError> {
        let (version, _) =
            text(wrapped)?.strip_prefix(PREFIX).and_then(|t| t.split_once(':')).ok_or(KeyError::Malformed)?;
        version.parse().map_err(|_not_a_number| KeyError::Malformed)
    }

    async fn current_version(&self) -> Result<u64, KeyError> {
        let key = self
            .call(|client| {
                let (mount, name) = self.names();
                async move { transit::key::read(&*client, &mount, &name).await }
            })
            .await
            .map_err(Fault::about_the_key)?;
        session::newest(&key.keys).ok_or(KeyError::Refused)
    }

    async fn rewrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, KeyError> {
        let text = text(wrapped)?;
        let rewrapped = self
            .call(|client| {
                let ((mount, name), text) = (self.names(), text.to_owned());
                async move { transit::data::rewrap(&*client, &mount, &name, &text, None).await }
            })
            .await
            .map_err(Fault::about_the_value)?;
        let rewrapped = rewrapped.ciphertext.into_bytes();
        // What replaces a stored key must be one that opens, and in its place.
        self.unwrap(aad, &rewrapped).await?;
        Ok(rewrapped)
    }

    async fn rotate(&self) -> Result<u64, KeyError> {
        self.call(|client| {
            let (mount, name) = self.names();
            async move { transit::key::rotate(&*client, &mount, &name).await }
        })
        .await
        .map_err(Fault::about_the_key)?;
        self.current_version().await
    }
}

fn text(wrapped: &[u8]) -> Result<&str, KeyError> {
    let text = std::str::from_utf8(wrapped).map_err(|_binary| KeyError::Malformed)?;
    if text.starts_with(PREFIX) { Ok(text) } else { Err(KeyError::Malformed) }
}

fn hash(aad: &[u8]) -> [u8; HASH_LENGTH] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"sallyport wrapped key\0");
    context.update(aad);
    let mut out = [0_u8; HASH_LENGTH];
    out.copy_from_slice(context.finish().as_ref());
    out
}
