use std::os::unix::fs::PermissionsExt;

use super::*;

fn material(key: &LocalKey) -> Vec<u8> {
    key.newest().unwrap().1.expose().expose().clone()
}

#[test]
fn the_key_file_is_private_and_its_key_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub").join("kek");
    let first = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
    let second = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
    assert_eq!(material(&first), material(&second));
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
                    material(&key)
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

#[tokio::test]
async fn a_file_from_before_there_were_versions_is_version_one_and_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kek");
    let material = [7_u8; 32];
    std::fs::write(&path, material).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let old =
        DataKey::from_secret(Secret::new(material.to_vec())).unwrap().seal(&place(b"place"), b"data key");

    let kek = LocalKey::open_or_create(&path, Deployment::Development).unwrap();
    assert_eq!(kek.version_of(&old).unwrap(), 1);
    assert_eq!(kek.rotate().await.unwrap(), 2);
    assert_eq!(kek.unwrap(b"place", &old).await.unwrap().expose(), b"data key");
    assert_eq!(std::fs::read(&path).unwrap()[..32], material, "the first version stays where it was");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test]
async fn rotations_at_once_lose_no_version_and_reach_every_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kek");
    let open = || LocalKey::open_or_create(&path, Deployment::Development).unwrap();
    let bystander = open();
    let keys: Vec<LocalKey> = (0..8).map(|_| open()).collect();
    std::thread::scope(|scope| {
        for key in &keys {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(key.rotate()).unwrap();
            });
        }
    });
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 9 * 32);
    let wrapped = keys[0].wrap(b"place", &Secret::new(vec![1; 32])).await.unwrap();
    assert!(bystander.version_of(&wrapped).unwrap() > 1);
    assert_eq!(bystander.unwrap(b"place", &wrapped).await.unwrap().expose(), &[1; 32]);
}

#[tokio::test]
async fn a_version_that_the_file_does_not_have_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let kek = LocalKey::open_or_create(&dir.path().join("kek"), Deployment::Development).unwrap();
    kek.rotate().await.unwrap();
    let mut wrapped = kek.wrap(b"place", &Secret::new(vec![1; 32])).await.unwrap();
    for version in [0_u8, 1, 3, 200] {
        wrapped[4] = version;
        assert!(kek.unwrap(b"place", &wrapped).await.is_err(), "version {version}");
    }
}
