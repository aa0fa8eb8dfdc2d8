//! Each registration shows who it is in its own way.

use sallyport_model::ServiceName;
use sallyport_proto::vault::v1::PublicKeysRequest;
use sallyport_smart::identity::KeySet;
use serde_json::{Value, json};

use crate::{
    sign_in::Seen,
    world::{World, code, each, each_with, usual},
};

/// Redeems as a registration; gives the request that the token endpoint saw.
async fn redeem(world: &World, registration: &str) -> Seen {
    let client = format!("client-{registration}");
    world.sign_in.change_claims(move |claims| claims["aud"] = json!(client));
    world.exchange(world.transaction(registration)).await.unwrap();
    world.sign_in.seen("token").pop().unwrap()
}

async fn published(world: &World, vault: usize) -> String {
    let mut client = world.client_of(vault, ServiceName::LaunchAuth);
    client.public_keys(PublicKeysRequest {}).await.unwrap().into_inner().jwks_json
}

pub(crate) fn claims(assertion: &str) -> (Value, Value) {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<_> = assertion.split('.').map(|p| URL_SAFE_NO_PAD.decode(p).unwrap()).collect();
    (serde_json::from_slice(&parts[0]).unwrap(), serde_json::from_slice(&parts[1]).unwrap())
}

#[tokio::test]
async fn a_public_client_names_itself_and_proves_the_verifier() {
    each(|world| async move {
        let seen = redeem(&world, "public").await;
        assert_eq!(seen.authorization, None);
        assert_eq!(seen.form["client_id"], "client-public");
        assert_eq!(seen.form["grant_type"], "authorization_code");
        assert_eq!(seen.form["code_verifier"], "verifier-canary");
        assert_eq!(seen.form["redirect_uri"], "https://app.example.org/callback/r");
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_secret_sends_it_where_its_registration_says() {
    each(|world| async move {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let basic = redeem(&world, "basic").await;
        let expected = format!("Basic {}", STANDARD.encode("client-basic:client-secret-canary"));
        assert_eq!(basic.authorization, Some(expected));
        assert!(!basic.form.contains_key("client_secret") && !basic.form.contains_key("client_id"));
        let post = redeem(&world, "post").await;
        assert_eq!(post.authorization, None);
        assert_eq!(post.form["client_secret"], "client-secret-canary");
        assert_eq!(post.form["client_id"], "client-post");
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_key_signs_a_new_assertion_for_each_request() {
    each(|world| async move {
        let keys = KeySet::parse(published(&world, 0).await.as_bytes()).unwrap();
        for (registration, algorithm) in [("jwt", "ES384"), ("jwt-file", "RS384")] {
            let first = redeem(&world, registration).await.form;
            let second = redeem(&world, registration).await.form;
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            assert_eq!(first["client_assertion_type"], kind);
            assert!(keys.verifies(&first["client_assertion"]), "{registration}");
            let (header, said) = claims(&first["client_assertion"]);
            assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm), &json!("JWT")));
            let client = format!("client-{registration}");
            assert_eq!((&said["iss"], &said["sub"]), (&json!(client), &json!(client)));
            assert_eq!(said["aud"], json!(format!("{}/oauth/token", world.sign_in.url)));
            assert!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap() <= 300);
            assert_ne!(said["jti"], claims(&second["client_assertion"]).1["jti"]);
            assert!(!first.contains_key("client_secret"));
        }
    })
    .await;
}

#[tokio::test]
async fn two_vaults_agree_on_one_key_and_publish_only_its_public_side() {
    each_with(
        2,
        usual,
        |_| {},
        |world| async move {
            let (first, second) = tokio::join!(published(&world, 0), published(&world, 1));
            assert_eq!(first, second);
            let set: Value = serde_json::from_str(&first).unwrap();
            let keys = set["keys"].as_array().unwrap();
            assert_eq!(keys.len(), 4, "one of each registration with a key");
            for key in keys {
                for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                    assert!(key.get(private).is_none(), "{private}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_secret_that_vanished_sends_nothing() {
    each(|world| async move {
        std::fs::remove_file(world.folder.path().join("secret")).unwrap();
        let refused = world.exchange(world.transaction("basic")).await.unwrap_err();
        assert_eq!(code(&refused), "service.unavailable");
        assert!(world.sign_in.seen("token").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_changed_secret_needs_no_restart() {
    each(|world| async move {
        std::fs::write(world.folder.path().join("secret"), "the-next-secret").unwrap();
        assert_eq!(redeem(&world, "post").await.form["client_secret"], "the-next-secret");
    })
    .await;
}
