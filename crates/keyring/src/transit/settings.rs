//! Where the key service is, which key is ours, and how we log in.

use std::{path::PathBuf, time::Duration};

use url::Url;

use crate::{Deployment, KeyError};

/// Where the key service is and which key is ours.
#[derive(Debug, Clone)]
pub struct TransitSettings {
    /// e.g. `https://bao.internal:8200`.
    pub address: String,
    /// The namespace; `None` for the root.
    pub namespace: Option<String>,
    /// Certificates of the authority that the server's certificate is from, PEM; `None` for the system's.
    pub ca_file: Option<PathBuf>,
    /// Where the transit engine is mounted.
    pub mount: String,
    /// The key's name there. It is made by an operator, type `aes256-gcm96`.
    pub key: String,
    /// How this service logs in.
    pub login: Login,
    /// Longest wait for one answer.
    pub timeout: Duration,
}

impl TransitSettings {
    /// Mount `transit`, key `sallyport`, two seconds per call.
    pub fn new(address: impl Into<String>, login: Login) -> Self {
        Self {
            address: address.into(),
            namespace: None,
            ca_file: None,
            mount: "transit".to_owned(),
            key: "sallyport".to_owned(),
            login,
            timeout: Duration::from_secs(2),
        }
    }
}

/// How a service logs in. Files are read at each login, so that whoever renews them needs no restart.
#[derive(Debug, Clone)]
pub enum Login {
    /// By AppRole.
    AppRole {
        /// Where the method is mounted, usually `approle`.
        mount: String,
        /// The role's id, no secret.
        role_id: String,
        /// The file with the secret id.
        secret_id_file: PathBuf,
    },
    /// By the pod's service account.
    Kubernetes {
        /// Where the method is mounted, usually `kubernetes`.
        mount: String,
        /// The role there.
        role: String,
        /// The pod's token, usually `/var/run/secrets/kubernetes.io/serviceaccount/token`.
        token_file: PathBuf,
    },
    /// By a token that somebody else keeps in a file.
    TokenFile(PathBuf),
}

impl TransitSettings {
    pub(super) fn validate(&self, deployment: Deployment) -> Result<(), KeyError> {
        let wrong = |reason| Err(KeyError::Configuration(reason));
        let Ok(address) = Url::parse(&self.address) else { return wrong("its address is not a URL") };
        let is_plain = match (address.scheme(), address.host_str()) {
            ("https", Some(_)) => false,
            ("http", Some(_)) => true,
            _ => return wrong("its address is not an http or https URL"),
        };
        if address.path() != "/" || address.query().is_some() || !address.username().is_empty() {
            return wrong("its address is more than scheme, host and port");
        }
        if is_plain && deployment == Deployment::Production {
            return wrong("its address must be https in production");
        }
        if is_plain && self.ca_file.is_some() {
            return wrong("a certificate authority needs an https address");
        }
        if self.timeout.is_zero() {
            return wrong("the timeout of its calls is zero");
        }
        let methods_mount = match &self.login {
            Login::AppRole { mount, .. } | Login::Kubernetes { mount, .. } => mount.as_str(),
            Login::TokenFile(_) => "token",
        };
        let namespace = self.namespace.as_deref().unwrap_or("root");
        for name in [self.mount.as_str(), methods_mount, namespace] {
            if !is_path(name) {
                return wrong("a mount or the namespace is not a path");
            }
        }
        if self.key.contains('/') || !is_path(&self.key) {
            return wrong("the name of the key is not a name");
        }
        Ok(())
    }
}

/// Nothing that could lead to another path of the server, or break a header.
fn is_path(name: &str) -> bool {
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && !segment.bytes().all(|b| b == b'.')
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    name.trim_end_matches('/').split('/').all(is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut TransitSettings);

    #[test]
    fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
        let good = TransitSettings::new("https://bao:8200", Login::TokenFile("t".into()));
        assert!(good.validate(Deployment::Production).is_ok());
        let changes: [Change; 10] = [
            |s| s.address = "bao:8200".to_owned(),
            |s| s.address = "ftp://bao".to_owned(),
            |s| s.address = "https://bao/v1".to_owned(),
            |s| s.address = "http://bao".to_owned(),
            |s| s.mount = "../sys".to_owned(),
            |s| s.mount = String::new(),
            |s| s.key = "a/b".to_owned(),
            |s| s.key = "a?b".to_owned(),
            |s| s.namespace = Some("a\nb".to_owned()),
            |s| s.timeout = Duration::ZERO,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut settings = good.clone();
            change(&mut settings);
            assert!(settings.validate(Deployment::Production).is_err(), "change {number}");
        }
    }

    #[test]
    fn plain_http_is_for_development_alone() {
        let plain = TransitSettings::new("http://127.0.0.1:8200", Login::TokenFile("t".into()));
        assert!(plain.validate(Deployment::Development).is_ok());
        assert!(plain.validate(Deployment::Production).is_err());
    }
}
