//! Logging in, staying logged in, and being thrown out.

use std::time::Duration;

use sallyport_keyring::{Deployment, KeyEncryptionKey as _, KeyError, Login, Transit};
use serde_json::json;

use crate::bao::{Bao, eventually, use_once};

#[tokio::test]
async fn an_app_role_whose_tokens_live_two_seconds_serves_without_a_gap() {
    let Some(bao) = Bao::start().await else { return };
    let login = bao.app_role("2s").await;
    let transit = Transit::connect(bao.settings(login), Deployment::Development).unwrap();
    eventually("the first login", || async { transit.is_connected() }).await;
    let started = tokio::time::Instant::now();
    let mut calls = 0;
    while started.elapsed() < Duration::from_secs(7) {
        use_once(&transit).await.unwrap();
        calls += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(calls > 3, "{calls}");
}

#[tokio::test]
async fn a_login_that_was_revoked_is_made_again_once_and_without_a_secret_id_no_more() {
    let Some(bao) = Bao::start().await else { return };
    let login = bao.app_role("1h").await;
    let Login::AppRole { mount, .. } = &login else { unreachable!() };
    let prefix = format!("sys/leases/revoke-prefix/auth/{mount}");
    let transit = Transit::connect(bao.settings(login.clone()), Deployment::Development).unwrap();
    use_once(&transit).await.unwrap();

    // A login younger than a second is not made again because of a refusal.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    bao.ok("PUT", &prefix, Some(json!({}))).await;
    use_once(&transit).await.unwrap();

    bao.write("secret-id", "00000000-0000-0000-0000-000000000000");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    bao.ok("PUT", &prefix, Some(json!({}))).await;
    let refused = use_once(&transit).await;
    assert!(matches!(refused, Err(KeyError::Refused | KeyError::Unavailable(_))), "{refused:?}");
    eventually("that it is said", || async { !transit.is_connected() }).await;
    assert!(use_once(&transit).await.is_err());
}

#[tokio::test]
async fn a_policy_that_does_not_allow_it_is_a_refusal_and_not_an_outage() {
    let Some(bao) = Bao::start().await else { return };
    let transit = bao.transit().await;
    use_once(&transit).await.unwrap();
    bao.write_policy(false).await;
    for _ in 0..3 {
        let refused = use_once(&transit).await;
        assert!(matches!(refused, Err(KeyError::Refused)), "{refused:?}");
    }
    bao.write_policy(true).await;
    use_once(&transit).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_there_is_never_made_by_a_service() {
    let Some(bao) = Bao::start().await else { return };
    let login = Login::TokenFile(bao.token_file("1h").await);
    let mut settings = bao.settings(login);
    settings.key = bao.name("missing");
    let transit = Transit::connect(settings, Deployment::Development).unwrap();
    let refused = use_once(&transit).await;
    assert!(matches!(refused, Err(KeyError::Refused)), "{refused:?}");
    assert!(matches!(transit.current_version().await, Err(KeyError::Refused)));
}

#[tokio::test]
async fn a_token_that_lives_for_ever_is_taken_as_it_is() {
    let Some(bao) = Bao::start().await else { return };
    let token = std::env::var("SALLYPORT_TEST_OPENBAO_TOKEN").unwrap();
    let login = Login::TokenFile(bao.write("root", &token));
    let transit = Transit::connect(bao.settings(login), Deployment::Development).unwrap();
    use_once(&transit).await.unwrap();
}

#[tokio::test]
async fn another_token_in_the_file_is_taken_when_the_old_one_ends() {
    let Some(bao) = Bao::start().await else { return };
    let path = bao.token_file("1h").await;
    let old = std::fs::read_to_string(&path).unwrap();
    let login = Login::TokenFile(path);
    let transit = Transit::connect(bao.settings(login), Deployment::Development).unwrap();
    use_once(&transit).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    bao.token_file("1h").await;
    bao.ok("POST", "auth/token/revoke", Some(json!({"token": old.trim()}))).await;
    use_once(&transit).await.unwrap();
}
