//! Where the server is.

use std::path::PathBuf;

use ::redis::{Client, TlsCertificates};
use sallyport_model::Secret;

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://user:password@host:port/`, or `rediss://` for TLS.
    pub url: Secret<String>,
    /// A PEM file of the authorities that may vouch for the server, in the place of the public ones.
    pub authority: Option<PathBuf>,
    /// Stands before each key.
    pub prefix: String,
}

/// Why settings cannot be used. The URL itself is never shown, it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not a Redis URL, or authorities that are none.
    #[error(
        "the store's URL is not of the form redis://user:password@host:port/ (or rediss://), or its certificate authorities are none"
    )]
    Url,
    /// The file of authorities cannot be read.
    #[error("the store's file of certificate authorities cannot be read: {0}")]
    Authority(std::io::Error),
}

impl Settings {
    /// The defaults, for the server at `url`.
    pub fn new(url: Secret<String>) -> Self {
        Self { url, authority: None, prefix: "sallyport:".to_owned() }
    }

    pub(super) fn client(&self) -> Result<Client, SettingsError> {
        let url = self.url.expose().as_str();
        let authority = self.authority.as_ref().map(std::fs::read).transpose();
        let client = match authority.map_err(SettingsError::Authority)? {
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                Client::build_with_tls(url, certificates)
            }
            None => Client::open(url),
        };
        // The library's own message may quote the URL.
        client.map_err(|_may_hold_the_password| SettingsError::Url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_server_is_an_error_that_does_not_show_the_password() {
        for url in ["", "https://user:canary@store/", "redis://user:canary@store:port/"] {
            let error = Settings::new(Secret::new(url.to_owned())).client().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_file_of_authorities_that_is_not_there_is_an_error() {
        let missing = Some(PathBuf::from("/nonexistent/authority.pem"));
        let settings =
            Settings { authority: missing, ..Settings::new(Secret::new("rediss://store/".to_owned())) };
        assert!(matches!(settings.client(), Err(SettingsError::Authority(_))));
    }
}
