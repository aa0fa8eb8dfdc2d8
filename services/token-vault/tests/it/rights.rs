//! Who may call what, whose grants exist for whom, and that a ciphertext opens only in its own row.

use sallyport_model::ServiceName;
use sallyport_proto::{
    types::v1::WatchRevocationsRequest,
    vault::v1::{AccessTokenRequest, IntrospectRequest, PublicKeysRequest, RevokeRequest},
};
use tonic::Status;

use crate::{
    sign_in::Script,
    world::{START, World, code, each},
};

const EVERYBODY: [ServiceName; 7] = [
    ServiceName::LaunchAuth,
    ServiceName::TokenVault,
    ServiceName::FhirGateway,
    ServiceName::JobWorker,
    ServiceName::Audit,
    ServiceName::Web,
    ServiceName::Operator,
];

fn is_let_in<T>(outcome: Result<T, Status>) -> bool {
    outcome.err().is_none_or(|status| code(&status) != "rpc.caller_denied")
}

#[tokio::test]
async fn every_method_is_open_to_its_callers_alone() {
    each(|world| async move {
        use ServiceName::{FhirGateway, JobWorker, LaunchAuth, Operator, Web};
        let grant = world.grant().await;
        for caller in EVERYBODY {
            let mut client = world.client(caller);
            let access = AccessTokenRequest {
                tenant: "general".to_owned(),
                grant_id: grant.clone(),
                rejected_sha256: Vec::new(),
            };
            let introspect = IntrospectRequest { tenant: "general".to_owned(), grant_id: grant.clone() };
            let watch = WatchRevocationsRequest { after: 0 };
            let let_in = [
                is_let_in(client.exchange(world.transaction("public")).await),
                is_let_in(client.access_token(access).await),
                is_let_in(client.revoke(RevokeRequest::default()).await),
                is_let_in(client.public_keys(PublicKeysRequest {}).await),
                is_let_in(client.introspect(introspect).await),
                is_let_in(client.watch_revocations(watch).await),
            ];
            let expected = [
                caller == LaunchAuth,
                caller == FhirGateway,
                matches!(caller, LaunchAuth | Operator),
                caller == LaunchAuth,
                caller == Operator,
                matches!(caller, FhirGateway | JobWorker | Web),
            ];
            assert_eq!(let_in, expected, "{}", caller.as_str());
        }
    })
    .await;
}

#[tokio::test]
async fn another_tenants_grant_does_not_exist() {
    each(|world| async move {
        let grant = world.grant().await;
        let request = AccessTokenRequest {
            tenant: "lakeside".to_owned(),
            grant_id: grant.clone(),
            rejected_sha256: vec![],
        };
        let refused = world.client(ServiceName::FhirGateway).access_token(request).await.unwrap_err();
        assert_eq!(code(&refused), "grant.unknown");
        let request = IntrospectRequest { tenant: "lakeside".to_owned(), grant_id: grant };
        let refused = world.client(ServiceName::Operator).introspect(request).await.unwrap_err();
        assert_eq!(code(&refused), "grant.unknown");
    })
    .await;
}

#[tokio::test]
async fn a_ciphertext_moved_to_another_row_or_field_does_not_open() {
    each(|world| async move {
        let grants = [world.grant().await, world.grant().await];
        let one_row = "UPDATE grants SET access_sealed = \
             (SELECT g.access_sealed FROM grants g ORDER BY g.grant_id LIMIT 1)";
        for (move_it, still_open) in [(one_row, 1), ("UPDATE grants SET access_sealed = refresh_sealed", 0)] {
            world.execute(move_it).await;
            let mut opened = 0;
            for grant in &grants {
                match world.access(grant).await {
                    Ok(_in_its_own_row) => opened += 1,
                    Err(status) => assert_eq!(code(&status), "internal"),
                }
            }
            assert_eq!(opened, still_open);
        }
        assert_eq!(world.sign_in.seen_grants("refresh_token").len(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_operator_can_ask_the_ehr_about_a_token() {
    each(|world: World| async move {
        let grant = world.grant().await;
        let request = IntrospectRequest { tenant: "general".to_owned(), grant_id: grant };
        let mut client = world.client(ServiceName::Operator);
        let answer = client.introspect(request.clone()).await.unwrap().into_inner();
        assert_eq!((answer.active, answer.scope.as_str()), (true, "openid"));
        assert_eq!(answer.expires_at, START + 100_000_000);
        let asked = world.sign_in.seen("introspect").pop().unwrap();
        assert_eq!(asked.form["token"], "access-canary-0001");
        world.sign_in.script("introspect", [Script::Answer(200, "text/html", "<h1>".to_owned())]);
        assert_eq!(code(&client.introspect(request).await.unwrap_err()), "ehr.invalid_response");
        let silent = sallyport_proto::vault::v1::ExchangeRequest {
            introspection_endpoint: String::new(),
            ..world.transaction("public")
        };
        let grant = world.exchange(silent).await.unwrap().grant_id;
        let request = IntrospectRequest { tenant: "general".to_owned(), grant_id: grant };
        assert_eq!(code(&client.introspect(request).await.unwrap_err()), "grant.introspection_not_offered");
    })
    .await;
}
