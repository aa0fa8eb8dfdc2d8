//! What every keeper of a key-encryption key does, over a file and over transit.

use sallyport_keyring::{DataKeyContext, Deployment, KeyEncryptionKey, KeyError, LocalKey, random};
use sallyport_model::{Secret, TenantId};
use uuid::Uuid;

use crate::bao::Bao;

fn context(tenant: &str, purpose: &'static str, key: u128) -> Vec<u8> {
    let tenant = TenantId::parse(tenant).unwrap();
    DataKeyContext { tenant, purpose, key_id: Uuid::from_u128(key) }.aad()
}

fn is_about_the_value<T>(outcome: &Result<T, KeyError>) -> bool {
    outcome.as_ref().is_err_and(KeyError::is_about_the_value)
}

async fn contract(kek: &dyn KeyEncryptionKey) {
    let own = context("hospital-a", "grants", 1);
    let key = Secret::new(random::<32>().to_vec());
    let wrapped = kek.wrap(&own, &key).await.unwrap();
    assert_eq!(kek.unwrap(&own, &wrapped).await.unwrap().expose(), key.expose());
    assert!(!wrapped.windows(32).any(|w| w == key.expose().as_slice()));
    assert_ne!(kek.wrap(&own, &key).await.unwrap(), wrapped, "equal keys wrap differently");

    moved_or_altered(kek, &own, &wrapped).await;
    rotated(kek, &own, &wrapped, &key).await;
}

/// A wrapped key opens in its place alone.
async fn moved_or_altered(kek: &dyn KeyEncryptionKey, own: &[u8], wrapped: &[u8]) {
    for elsewhere in [
        context("hospital-b", "grants", 1),
        context("hospital-a", "audit", 1),
        context("hospital-a", "grants", 2),
        b"x".to_vec(),
    ] {
        let outcome = kek.unwrap(&elsewhere, wrapped).await;
        assert!(matches!(outcome, Err(KeyError::DoesNotOpen)), "moved: {outcome:?}");
        assert!(is_about_the_value(&kek.rewrap(&elsewhere, wrapped).await), "nor is it rewrapped there");
    }
    for position in [0, 3, wrapped.len() / 2, wrapped.len() - 3] {
        let mut altered = wrapped.to_vec();
        altered[position] ^= 1;
        let outcome = kek.unwrap(own, &altered).await;
        assert!(is_about_the_value(&outcome), "byte {position}: {outcome:?}");
    }
    for foreign in [&b""[..], b"not a wrapped key at all", &wrapped[..wrapped.len() / 2]] {
        assert!(is_about_the_value(&kek.unwrap(own, foreign).await));
        assert!(is_about_the_value(&kek.rewrap(own, foreign).await));
    }
}

/// A new version wraps; the old one still unwraps; rewrapping moves from one to the other.
async fn rotated(kek: &dyn KeyEncryptionKey, own: &[u8], wrapped: &[u8], key: &Secret<Vec<u8>>) {
    let before = kek.current_version().await.unwrap();
    assert_eq!(kek.version_of(wrapped).unwrap(), before);
    for step in 1..=3 {
        let now = kek.rotate().await.unwrap();
        assert_eq!(now, before + step);
        assert_eq!(kek.current_version().await.unwrap(), now);
        assert_eq!(kek.unwrap(own, wrapped).await.unwrap().expose(), key.expose());
        let new = kek.wrap(own, key).await.unwrap();
        assert_eq!(kek.version_of(&new).unwrap(), now);
        let again = kek.rewrap(own, wrapped).await.unwrap();
        assert_eq!(kek.version_of(&again).unwrap(), now);
        assert_eq!(kek.unwrap(own, &again).await.unwrap().expose(), key.expose());
        let outcome = kek.unwrap(&context("hospital-b", "grants", 1), &again).await;
        assert!(matches!(outcome, Err(KeyError::DoesNotOpen)), "rewrapping does not loosen the place");
    }
    assert_eq!(kek.version_of(wrapped).unwrap(), before, "the version is in the bytes");
}

#[tokio::test]
async fn a_key_file_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let kek = LocalKey::open_or_create(&folder.path().join("kek"), Deployment::Development).unwrap();
    contract(&kek).await;
}

#[tokio::test]
async fn transit_keeps_the_contract() {
    let Some(bao) = Bao::start().await else { return };
    contract(&bao.transit().await).await;
}

#[tokio::test]
async fn the_key_of_one_keeper_is_nothing_to_another() {
    let Some(bao) = Bao::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = LocalKey::open_or_create(&folder.path().join("kek"), Deployment::Development).unwrap();
    let transit = bao.transit().await;
    let own = context("hospital-a", "grants", 1);
    let key = Secret::new(random::<32>().to_vec());
    assert!(is_about_the_value(&transit.unwrap(&own, &file.wrap(&own, &key).await.unwrap()).await));
    assert!(is_about_the_value(&file.unwrap(&own, &transit.wrap(&own, &key).await.unwrap()).await));
}
