//! The sections of the servers that this product stands on. Everything empty is the embedded run.

use std::path::PathBuf;

use sallyport_model::Secret;
use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// Where rows are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// PostgreSQL; empty for SQLite files in the data folder.
    #[serde(deserialize_with = "secret")]
    pub url: Secret<String>,
    /// File with that URL.
    pub url_file: PathBuf,
    /// One schema per service: `<prefix>_launch_auth` and so on.
    pub schema_prefix: String,
    /// Apply missing migrations when a service starts.
    pub migrate_at_start: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            url_file: PathBuf::new(),
            schema_prefix: "sallyport".to_owned(),
            migrate_at_start: true,
        }
    }
}

/// The broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSection {
    /// RabbitMQ; empty for a queue in this process.
    #[serde(deserialize_with = "secret")]
    pub url: Secret<String>,
    /// File with that URL.
    pub url_file: PathBuf,
    /// In front of every queue's name.
    pub prefix: String,
    /// Authority of `amqps://`; empty for the public ones.
    pub ca_file: PathBuf,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            url_file: PathBuf::new(),
            prefix: "sallyport.".to_owned(),
            ca_file: PathBuf::new(),
        }
    }
}

/// The cache and limiter.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvSection {
    /// Redis; empty for this process's memory.
    #[serde(deserialize_with = "secret")]
    pub url: Secret<String>,
    /// File with that URL.
    pub url_file: PathBuf,
    /// In front of every key.
    pub prefix: String,
    /// Authority of `rediss://`; empty for the public ones.
    pub ca_file: PathBuf,
}

impl Default for KvSection {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            url_file: PathBuf::new(),
            prefix: "sallyport:".to_owned(),
            ca_file: PathBuf::new(),
        }
    }
}

/// The keeper of the key-encryption key.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyringSection {
    /// Vault or OpenBao; empty for a key file in the data folder.
    pub address: String,
    /// Namespace; empty for none.
    pub namespace: String,
    /// Where the transit engine is mounted.
    pub mount: String,
    /// The transit key's name.
    pub key: String,
    /// How this service signs in.
    pub auth: KeyringAuth,
    /// Where that method is mounted; empty for its usual place.
    pub auth_mount: String,
    /// AppRole: the role's id.
    pub role_id: String,
    /// AppRole: file with the role's id, in place of `role_id`.
    pub role_id_file: PathBuf,
    /// AppRole: file with the secret id.
    pub secret_id_file: PathBuf,
    /// Kubernetes: the role.
    pub role: String,
    /// Kubernetes: the service account's token. `token`: file with a token.
    pub token_file: PathBuf,
    /// Authority of the server's certificate; empty for the public ones.
    pub ca_file: PathBuf,
}

/// How a service signs in at the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum KeyringAuth {
    /// Role id and secret id.
    #[default]
    Approle,
    /// A service account's token.
    Kubernetes,
    /// A token that somebody else renews.
    Token,
}

impl Default for KeyringSection {
    fn default() -> Self {
        Self {
            address: String::new(),
            namespace: String::new(),
            mount: "transit".to_owned(),
            key: "sallyport".to_owned(),
            auth: KeyringAuth::Approle,
            auth_mount: String::new(),
            role_id: String::new(),
            role_id_file: PathBuf::new(),
            secret_id_file: PathBuf::new(),
            role: String::new(),
            token_file: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token"),
            ca_file: PathBuf::new(),
        }
    }
}

impl KeyringSection {
    /// The AppRole's id, given or in its file.
    ///
    /// # Errors
    /// [`ConfigError`] when it is both or neither, or the file cannot be read.
    pub fn role_id(&self) -> Result<String, ConfigError> {
        if self.role_id_file.as_os_str().is_empty() {
            return Ok(self.role_id.clone());
        }
        if !self.role_id.is_empty() {
            return Err(ConfigError("keyring.role_id and keyring.role_id_file are both given".to_owned()));
        }
        Ok(read("keyring.role_id_file", &self.role_id_file)?.expose().clone())
    }
}

impl Database {
    /// The server, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] when it is given twice, or its file cannot be read.
    pub fn server(&self) -> Result<Option<Secret<String>>, ConfigError> {
        one_of("database", &self.url, &self.url_file)
    }
}

impl QueueSection {
    /// The server, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] when it is given twice, or its file cannot be read.
    pub fn server(&self) -> Result<Option<Secret<String>>, ConfigError> {
        one_of("queue", &self.url, &self.url_file)
    }
}

impl KvSection {
    /// The server, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] when it is given twice, or its file cannot be read.
    pub fn server(&self) -> Result<Option<Secret<String>>, ConfigError> {
        one_of("kv", &self.url, &self.url_file)
    }
}

/// A URL given as a value or as a file.
fn one_of(
    section: &str,
    url: &Secret<String>,
    file: &PathBuf,
) -> Result<Option<Secret<String>>, ConfigError> {
    match (url.expose().is_empty(), file.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Ok(Some(url.clone())),
        (true, false) => read(&format!("{section}.url_file"), file).map(Some),
        (false, false) => Err(ConfigError(format!("{section}.url and {section}.url_file are both given"))),
    }
}

/// A secret's file, without the newline that editors leave.
fn read(key: &str, path: &PathBuf) -> Result<Secret<String>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("{key}: {} cannot be read: {error}", path.display())))?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(ConfigError(format!("{key}: {} is empty", path.display())));
    }
    Ok(Secret::new(value.to_owned()))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_as_a_value_or_from_its_file_but_not_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://user:pass@db/x\n").unwrap();
        let from_file = Database { url_file: path.clone(), ..Database::default() };
        assert_eq!(from_file.server().unwrap().unwrap().expose(), "postgres://user:pass@db/x");
        let both = Database { url: Secret::new("postgres://x".to_owned()), ..from_file };
        assert!(both.server().unwrap_err().to_string().contains("both"));
        assert!(Database::default().server().unwrap().is_none());
        std::fs::write(&path, "\n").unwrap();
        let empty = QueueSection { url_file: path, ..QueueSection::default() };
        assert!(empty.server().unwrap_err().to_string().contains("queue.url_file"));
    }

    #[test]
    fn a_url_with_its_password_never_prints() {
        let section =
            Database { url: Secret::new("postgres://u:canary@db".to_owned()), ..Database::default() };
        assert!(!format!("{section:?}").contains("canary"));
    }
}
