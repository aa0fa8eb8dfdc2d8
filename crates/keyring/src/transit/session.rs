//! One login: the client with its token, how long the token lives, and what a refusal means.

use std::{path::Path, sync::Arc, time::Duration};

use sallyport_model::Secret;
use vaultrs::{
    api::{AuthInfo, transit::responses::ReadKeyData},
    client::{VaultClient, VaultClientSettingsBuilder},
    error::ClientError,
};

use super::settings::{Login, TransitSettings};
use crate::KeyError;

/// Longest file with a token or a secret id.
const MAX_FILE_BYTES: u64 = 16_384;

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The token is not good, or its policy does not allow this: the server says the same for both.
    Denied,
    /// The server took the request and could not do it with what it was given.
    Rejected,
    /// No answer, or one that says "later".
    Away(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    pub(super) fn away(reason: &'static str) -> Self {
        Self::Away(reason.into())
    }

    /// For calls that depend on the key alone.
    pub(super) fn about_the_key(self) -> KeyError {
        match self {
            Self::Denied | Self::Rejected => KeyError::Refused,
            Self::Away(error) => KeyError::Unavailable(error),
        }
    }

    /// For calls that bring a wrapped key.
    pub(super) fn about_the_value(self) -> KeyError {
        match self {
            Self::Rejected => KeyError::DoesNotOpen,
            other => other.about_the_key(),
        }
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::APIError { code: 403, .. } => Self::Denied,
            ClientError::APIError { code: 400, .. } => Self::Rejected,
            // The engine is not mounted there, or the key is not: both are an operator's to mend.
            ClientError::APIError { code: 404, .. } => Self::Denied,
            _ => Self::Away(Box::new(error)),
        }
    }
}

/// A login.
pub(super) struct Session {
    pub(super) client: Arc<VaultClient>,
    /// When to renew it or log in again; `None` when it lives as long as it is not revoked.
    pub(super) renew_after: Option<Duration>,
    is_renewable: bool,
}

/// The one library that this workspace does cryptography with, unless the process has chosen before.
pub(super) fn install_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _another_was_faster = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

/// A client with this token. Nothing is taken from environment variables.
pub(super) fn client(
    settings: &TransitSettings,
    token: &Secret<String>,
) -> Result<VaultClient, Box<dyn std::error::Error + Send + Sync>> {
    let ca_certs = settings.ca_file.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let built = VaultClientSettingsBuilder::default()
        .address(&settings.address)
        .token(token.expose())
        .namespace(settings.namespace.clone())
        .ca_certs(ca_certs)
        .identity(None)
        .verify(true)
        .timeout(Some(settings.timeout))
        .build()?;
    Ok(VaultClient::new(built)?)
}

/// Logs in.
pub(super) async fn login(settings: &TransitSettings) -> Result<Session, Fault> {
    let anonymous = client(settings, &Secret::new(String::new())).map_err(Fault::Away)?;
    let auth = match &settings.login {
        Login::AppRole { mount, role_id, secret_id_file } => {
            let secret_id = first_line(secret_id_file).await?;
            vaultrs::auth::approle::login(&anonymous, mount, role_id, secret_id.expose()).await
        }
        Login::Kubernetes { mount, role, token_file } => {
            let token = first_line(token_file).await?;
            vaultrs::auth::kubernetes::login(&anonymous, mount, role, token.expose()).await
        }
        Login::TokenFile(path) => {
            let token = first_line(path).await?;
            let client = client(settings, &token).map_err(Fault::Away)?;
            let renewed = vaultrs::token::renew_self(&client, None).await;
            return match renewed.map_err(Fault::from) {
                Ok(auth) => Ok(session(client, &auth)),
                // A token that lives for ever, such as a root token, cannot be renewed.
                Err(Fault::Rejected) => {
                    Ok(Session { client: Arc::new(client), renew_after: None, is_renewable: false })
                }
                Err(other) => Err(other),
            };
        }
    };
    let auth = auth.map_err(|error| match Fault::from(error) {
        // A role or secret id that is wrong is rejected rather than denied.
        Fault::Rejected => Fault::Denied,
        other => other,
    })?;
    let client = client(settings, &Secret::new(auth.client_token.clone())).map_err(Fault::Away)?;
    Ok(session(client, &auth))
}

/// Renews a login that is due, or makes a new one.
pub(super) async fn renew(settings: &TransitSettings, old: &Session) -> Result<Session, Fault> {
    if !old.is_renewable {
        return login(settings).await;
    }
    match vaultrs::token::renew_self(&*old.client, None).await.map_err(Fault::from) {
        // Near the end of its longest life a token is renewed for less each time: then a new one is better.
        Ok(auth) if auth.lease_duration > 0 && is_worthwhile(&auth, old) => Ok(Session {
            client: Arc::clone(&old.client),
            renew_after: renew_after(&auth),
            is_renewable: auth.renewable,
        }),
        // Past its longest life the server calls it an error of its own; one that is away does not let us in either.
        Ok(_) | Err(_) => login(settings).await,
    }
}

fn is_worthwhile(auth: &AuthInfo, old: &Session) -> bool {
    match (renew_after(auth), old.renew_after) {
        (Some(new), Some(old)) => new * 2 >= old,
        _ => true,
    }
}

/// Whether the server is there, unsealed, and can be asked (its own status codes; vaultrs cannot read OpenBao's body).
pub(super) async fn probe(client: &VaultClient) -> Result<(), Fault> {
    let url = format!("{}v1/sys/health", client.settings.address);
    let answer = client.http.http.get(url).send().await.map_err(|error| Fault::Away(Box::new(error)))?;
    match answer.status().as_u16() {
        // Active; standby; performance standby. All three answer or forward.
        200 | 429 | 473 => Ok(()),
        _ => Err(Fault::away("sealed or not initialised")),
    }
}

/// The newest version among a key's.
pub(super) fn newest(keys: &ReadKeyData) -> Option<u64> {
    match keys {
        ReadKeyData::Symmetric(versions) => versions.keys().filter_map(|v| v.parse().ok()).max(),
        ReadKeyData::Asymmetric(_) => None,
    }
}

fn session(client: VaultClient, auth: &AuthInfo) -> Session {
    Session { client: Arc::new(client), renew_after: renew_after(auth), is_renewable: auth.renewable }
}

/// After two thirds of its life.
fn renew_after(auth: &AuthInfo) -> Option<Duration> {
    let life = Duration::from_secs(auth.lease_duration);
    (!life.is_zero()).then(|| life * 2 / 3)
}

/// A file's first line, good for a header.
async fn first_line(path: &Path) -> Result<Secret<String>, Fault> {
    let unusable = || Fault::away("a file for the login is missing, empty or not text");
    let meta = tokio::fs::metadata(path).await.map_err(|_io| unusable())?;
    if meta.len() > MAX_FILE_BYTES {
        return Err(unusable());
    }
    let text = Secret::new(tokio::fs::read_to_string(path).await.map_err(|_io| unusable())?);
    let line = text.expose().lines().next().unwrap_or_default().trim();
    if line.is_empty() || !line.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unusable());
    }
    Ok(Secret::new(line.to_owned()))
}
