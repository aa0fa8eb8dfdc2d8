//! No id_token with a fault opens anything, and what came with it is revoked.

use std::{sync::atomic::Ordering, time::Duration};

use sallyport_proto::audit::v1::Outcome;
use serde_json::{Value, json};

use crate::world::{START, World, code, each, eventually};

const NOW: i64 = START / 1_000_000;

async fn refusal(world: &World) -> Result<(), &'static str> {
    world.exchange(world.transaction("public")).await.map(|_answer| ()).map_err(|status| code(&status))
}

#[tokio::test]
async fn every_single_fault_of_the_id_token_is_refused_and_its_grant_revoked() {
    each(|world| async move {
        let faults: [(&str, Value, &str); 12] = [
            ("iss", json!("https://evil.example"), "issuer"),
            ("sub", json!(7), "claim"),
            ("aud", json!("client-other"), "audience"),
            ("aud", json!(["client-public", "client-other"]), "audience"),
            ("azp", json!("client-other"), "azp"),
            ("exp", json!(NOW - 60), "expired"),
            ("exp", json!("2099"), "claim"),
            ("iat", json!(NOW + 61), "not_yet_valid"),
            ("iat", Value::Null, "claim"),
            ("nonce", json!("another"), "nonce"),
            ("nonce", Value::Null, "nonce"),
            ("at_hash", json!("AAAA"), "at_hash"),
        ];
        for (n, (claim, value, detail)) in faults.into_iter().enumerate() {
            world.sign_in.change_claims(move |claims| claims[claim] = value.clone());
            assert_eq!(refusal(&world).await, Err("identity.invalid"), "{claim}");
            let record = world.records().await.pop().unwrap();
            assert_eq!((record.outcome(), record.detail.as_str()), (Outcome::Refused, detail), "{claim}");
            eventually("the revocation", || async { world.sign_in.seen("revoke").len() == 2 * (n + 1) })
                .await;
        }
        assert_eq!(world.text("SELECT CAST(count(*) AS TEXT) FROM grants WHERE state = 'active'").await, "0");
    })
    .await;
}

#[tokio::test]
async fn the_nonce_must_be_the_one_that_was_sent() {
    each(|world| async move {
        world.sign_in.change_claims(|claims| claims["nonce"] = json!("of-another-launch"));
        assert_eq!(refusal(&world).await, Err("identity.invalid"));
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_fetched_at_most_once_a_minute() {
    each(|world| async move {
        assert_eq!(refusal(&world).await, Ok(()));
        assert_eq!(world.sign_in.key_fetches.load(Ordering::SeqCst), 1);
        assert_eq!(refusal(&world).await, Ok(()));
        assert_eq!(world.sign_in.key_fetches.load(Ordering::SeqCst), 1, "kept");
        world.sign_in.change_key("key-2");
        assert_eq!(refusal(&world).await, Err("identity.invalid"), "within the minute");
        assert_eq!(world.sign_in.key_fetches.load(Ordering::SeqCst), 1);
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(refusal(&world).await, Ok(()));
        assert_eq!(world.sign_in.key_fetches.load(Ordering::SeqCst), 2);
    })
    .await;
}

#[tokio::test]
async fn without_an_id_token_nobody_is_signed_in() {
    each(|world| async move {
        world.sign_in.change_response(|response| response["id_token"] = Value::Null);
        let answer = world.exchange(world.transaction("public")).await.unwrap();
        assert_eq!((answer.user, answer.user_display.as_str()), (None, ""));
    })
    .await;
}

#[tokio::test]
async fn an_id_token_that_cannot_be_verified_names_nobody() {
    each(|world| async move {
        // This EHR does not do OpenID Connect, yet sends one.
        let answer = world.exchange(world.transaction("elsewhere")).await.unwrap();
        assert_eq!(answer.user, None);
    })
    .await;
}
