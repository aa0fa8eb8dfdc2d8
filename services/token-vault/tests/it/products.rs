//! What an endpoint's profile, or its file in the profile's stead, changes about tokens.

use std::time::Duration;

use sallyport_model::ServiceName;
use sallyport_proto::{types::v1::selector::By, vault::v1::IntrospectRequest};
use serde_json::json;

use crate::world::{Facts, World, code, each_with, eventually};

/// `main` as old releases of several products are.
fn odd() -> [Facts; 2] {
    [
        &[
            ("tokens.issuer_suffixes", "[\"/token\"]"),
            ("scopes.mixed_case", "true"),
            ("oauth.introspection", "\"by-access-token\""),
            ("oauth.client_id_at_refresh", "true"),
        ],
        &[("scopes.separator", "\"dot\""), ("oauth.introspection", "\"none\"")],
    ]
}

async fn each<F, Fut>(test: F)
where
    F: Fn(World) -> Fut,
    Fut: Future<Output = ()>,
{
    each_with(1, odd, |_| {}, test).await;
}

#[tokio::test]
async fn an_old_name_of_the_issuer_is_taken_and_another_is_not() {
    each(|world| async move {
        let issuer = format!("{}/oauth", world.sign_in.url);
        for (suffix, expected) in [("/token", Ok(())), ("", Ok(())), ("/other", Err("identity.invalid"))] {
            let name = format!("{issuer}{suffix}");
            world.sign_in.change_claims(move |claims| claims["iss"] = json!(name));
            let answer = world.exchange(world.transaction("public")).await;
            if let Ok(answer) = &answer {
                assert_eq!(answer.user.as_ref().unwrap().issuer, issuer, "one person has one name");
            }
            assert_eq!(answer.map(|_| ()).map_err(|status| code(&status)), expected, "{suffix}");
        }
    })
    .await;
}

#[tokio::test]
async fn granted_scopes_are_understood_in_the_products_spelling() {
    each(|world| async move {
        world
            .sign_in
            .change_response(|r| r["scope"] = json!("openid patient/Observation.Read patient/Patient.read"));
        let answer = world.exchange(world.transaction("public")).await.unwrap();
        assert_eq!(answer.granted_scope, "openid patient/Observation.read patient/Patient.read");
        world.sign_in.change_response(|r| r["scope"] = json!("patient.Patient.rs"));
        let answer = world.exchange(world.transaction("elsewhere")).await.unwrap();
        assert_eq!(answer.granted_scope, "patient/Patient.rs");
    })
    .await;
}

#[tokio::test]
async fn a_client_id_goes_into_the_body_at_the_step_that_wants_it_alone() {
    each(|world| async move {
        let grant = world.grant_of("basic").await;
        world.until_refresh();
        world.access(&grant).await.unwrap();
        let exchange = world.sign_in.seen_grants("authorization_code").pop().unwrap();
        let refresh = world.sign_in.seen_grants("refresh_token").pop().unwrap();
        assert!(exchange.authorization.is_some() && refresh.authorization.is_some());
        assert_eq!(exchange.form.get("client_id"), None);
        assert_eq!(refresh.form.get("client_id").map(String::as_str), Some("client-basic"));
    })
    .await;
}

#[tokio::test]
async fn an_introspection_carries_the_proof_that_the_product_wants() {
    each(|world| async move {
        let grant = world.grant_of("basic").await;
        let request = |grant_id| IntrospectRequest { tenant: "general".to_owned(), grant_id };
        let mut client = world.client(ServiceName::Operator);
        client.introspect(request(grant)).await.unwrap();
        let asked = world.sign_in.seen("introspect").pop().unwrap();
        let token = asked.form.get("token").unwrap();
        assert_eq!(asked.authorization.as_deref(), Some(format!("Bearer {token}").as_str()));
        let grant = world.exchange(world.transaction("elsewhere")).await.unwrap().grant_id;
        let refused = client.introspect(request(grant)).await.unwrap_err();
        assert_eq!(code(&refused), "grant.introspection_not_offered");
        assert_eq!(world.sign_in.seen("introspect").len(), 1);
    })
    .await;
}

/// The last day of the tests' overrides is the end of 2099.
#[tokio::test]
async fn an_endpoint_whose_override_has_expired_gives_no_token_and_can_still_be_signed_out_of() {
    each(|world| async move {
        let grant = world.grant().await;
        world.clock.advance(Duration::from_secs(80 * 366 * 86_400));
        let (calls, expired) = (world.sign_in.seen("token").len(), "endpoint.override_expired");
        assert_eq!(code(&world.access(&grant).await.unwrap_err()), expired);
        assert_eq!(code(&world.exchange(world.transaction("public")).await.unwrap_err()), expired);
        assert_eq!(world.sign_in.seen("token").len(), calls, "nothing was sent");
        world.revoke(By::Grant(grant)).await.unwrap();
        eventually("the revocation", || async { !world.sign_in.seen("revoke").is_empty() }).await;
    })
    .await;
}
