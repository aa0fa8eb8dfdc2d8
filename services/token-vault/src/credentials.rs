//! How a registration shows who it is, at the moment it does. Secrets are read from their files by nobody else, each
//! time anew, so that a changed file needs no restart.

use std::path::Path;

use sallyport_model::Secret;
use sallyport_registry::ClientAuth;
use sallyport_smart::{
    assertion::Assertion,
    token::{Client, Credential, Form, Grant},
};
use sallyport_vendors::{Profile, oauth::AssertionAudience};

use crate::{
    error::Error,
    vault::{Place, Vault},
};

/// A client secret is a line of text; more is a mistake in the path.
const MAX_SECRET_BYTES: usize = 4_096;

/// What is asked of the sign-in service.
pub(crate) enum Ask<'a> {
    /// A token request.
    Token(Grant<'a>),
    /// A revocation or introspection of a token, with its hint.
    About(&'a Secret<String>, &'static str),
}

enum Proof {
    Public,
    Basic(Secret<String>),
    Post(Secret<String>),
    Assertion(Secret<String>),
}

/// Builds a form with the registration's proof. Each call makes a new assertion with a new id (JWT-03).
pub(crate) async fn form(
    vault: &Vault,
    place: &Place<'_>,
    token_endpoint: &str,
    issuer: &str,
    ask: &Ask<'_>,
) -> Result<Form, Error> {
    let registration = &place.entry.registration;
    let proof = match &registration.auth {
        ClientAuth::Public => Proof::Public,
        ClientAuth::SecretBasic(source) => Proof::Basic(read_secret(&source.0).await?),
        ClientAuth::SecretPost(source) => Proof::Post(read_secret(&source.0).await?),
        ClientAuth::PrivateKeyJwt { .. } => {
            let key = vault.signing.key(vault, place).await?;
            let audience = match *place.profile.oauth.assertion_audience {
                AssertionAudience::Issuer if !issuer.is_empty() => issuer,
                _ => token_endpoint,
            };
            let id = hex(&sallyport_keyring::random::<16>());
            let assertion = Assertion {
                client_id: &registration.client_id,
                audience,
                issued_at: vault.clock.now_seconds(),
                id: &id,
            };
            Proof::Assertion(key.sign(&assertion).map_err(|_fault| Error::CredentialFile)?)
        }
    };
    let credential = match &proof {
        Proof::Public => Credential::Public,
        Proof::Basic(secret) => {
            Credential::Basic { secret, form_encodes: *place.profile.oauth.basic_form_encodes }
        }
        Proof::Post(secret) => Credential::Post(secret),
        Proof::Assertion(assertion) => Credential::Assertion(assertion),
    };
    let client =
        Client { id: &registration.client_id, credential, id_in_body: id_in_body(place.profile, ask) };
    Ok(match ask {
        Ask::Token(grant) => client.token_form(grant),
        Ask::About(token, hint) => client.token_hint_form(token, hint),
    })
}

/// Some token endpoints want the client's id beside its proof, and not at every step.
fn id_in_body(profile: &Profile, ask: &Ask<'_>) -> bool {
    match ask {
        Ask::Token(Grant::RefreshToken(_)) => *profile.oauth.client_id_at_refresh,
        Ask::Token(Grant::AuthorizationCode { .. } | Grant::ClientCredentials { .. }) | Ask::About(..) => {
            *profile.oauth.client_id_at_exchange
        }
    }
}

/// Reads a client secret: the file's first line.
pub(crate) async fn read_secret(path: &Path) -> Result<Secret<String>, Error> {
    let text = Secret::new(tokio::fs::read_to_string(path).await.map_err(|_io| Error::CredentialFile)?);
    let line = text.expose().lines().next().unwrap_or_default().trim();
    if line.is_empty() || text.expose().len() > MAX_SECRET_BYTES {
        return Err(Error::CredentialFile);
    }
    Ok(Secret::new(line.to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
