//! The key-encryption key as a file of 32 bytes with mode 0600: the embedded default, refused in production.

use std::{
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use async_trait::async_trait;
use sallyport_model::Secret;

use crate::{DataKey, KeyEncryptionKey, KeyError, envelope::KEY_LENGTH, random};

/// Where this installation runs. In production a key beside the data it protects is no protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deployment {
    /// A laptop, a test, a demonstration.
    #[default]
    Development,
    /// Real patients: a key service is required.
    Production,
}

/// The key-encryption key from a file.
pub struct LocalKey(DataKey);

impl std::fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[local key]")
    }
}

impl LocalKey {
    /// Opens the key file, or creates it. Two processes that start at once agree on one key: the file is written whole
    /// under another name and linked into place, which fails when somebody was faster.
    ///
    /// # Errors
    /// [`KeyError`] in production, when others can read the file, when it is damaged, or on an input/output error.
    pub fn open_or_create(path: &Path, deployment: Deployment) -> Result<Self, KeyError> {
        if deployment == Deployment::Production {
            return Err(KeyError::LocalKeyInProduction);
        }
        match std::fs::File::open(path) {
            Ok(file) => read(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(path).map_err(KeyError::KeyFile)?;
                read(std::fs::File::open(path).map_err(KeyError::KeyFile)?)
            }
            Err(error) => Err(KeyError::KeyFile(error)),
        }
    }
}

fn read(mut file: std::fs::File) -> Result<LocalKey, KeyError> {
    let meta = file.metadata().map_err(KeyError::KeyFile)?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::KeyFileExposed);
    }
    if meta.len() != KEY_LENGTH as u64 {
        return Err(KeyError::KeyFileDamaged);
    }
    let mut material = vec![0_u8; KEY_LENGTH];
    file.read_exact(&mut material).map_err(KeyError::KeyFile)?;
    DataKey::from_secret(Secret::new(material)).map(LocalKey)
}

fn create(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(directory)?;
    let unique = u64::from_be_bytes(random::<8>());
    let temporary = directory.join(format!(".key-{unique:016x}"));
    let result = write_whole(&temporary).and_then(|()| match std::fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    std::fs::remove_file(&temporary)?;
    result?;
    // The name must survive a power cut too: losing the key loses everything sealed under it.
    std::fs::File::open(directory)?.sync_all()
}

fn write_whole(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let material = Secret::new(random::<KEY_LENGTH>().to_vec());
    file.write_all(material.expose())?;
    file.sync_all()
}

#[async_trait]
impl KeyEncryptionKey for LocalKey {
    async fn wrap(&self, aad: &[u8], key: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        Ok(self.0.seal(&place(aad), key.expose()))
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, KeyError> {
        self.0.open(&place(aad), wrapped)
    }
}

fn place(aad: &[u8]) -> Vec<u8> {
    [b"sallyport wrapped key\0".as_slice(), aad].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_file_is_private_and_its_key_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub").join("kek");
        let first = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
        let second = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
        assert_eq!(first.0.expose(), second.0.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let key = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
                        key.0.expose().expose().clone()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_local_key_is_refused_in_production_and_not_even_created() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        let refused = LocalKey::open_or_create(&path, Deployment::Production);
        assert!(matches!(refused, Err(KeyError::LocalKeyInProduction)));
        assert!(!path.exists());
    }

    #[test]
    fn an_exposed_or_damaged_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek");
        LocalKey::open_or_create(&path, Deployment::Development).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            LocalKey::open_or_create(&path, Deployment::Development),
            Err(KeyError::KeyFileExposed)
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(
            LocalKey::open_or_create(&path, Deployment::Development),
            Err(KeyError::KeyFileDamaged)
        ));
    }
}
