//! The gRPC service: who may call what, resolving, revoking, and the stream of revocations.

use sallyport_model::{Code, LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::Kind,
    launch::v1::{ListSessionsRequest, ReportActivityRequest, ResolveRequest, RevokeRequest},
    types::v1::{
        Selector, User, WatchRevocationsRequest, revocation_event::What, selector::By,
        watch_revocations_response::Item,
    },
};
use sallyport_rpc::code_of;

use crate::{
    browser::Browser,
    world::{World, each, eventually},
};

fn resolve_request(browser: &Browser, launch: LaunchId) -> ResolveRequest {
    ResolveRequest {
        launch_id: launch.uuid().as_bytes().to_vec(),
        session_secret: browser.jar.get(&format!("__Host-s-{launch}")).cloned().unwrap_or_default(),
    }
}

fn revoke_request(tenant: &str, by: Option<By>) -> RevokeRequest {
    RevokeRequest { tenant: tenant.to_owned(), selector: Some(Selector { by }), reason: "a test".to_owned() }
}

async fn resolves(world: &World, browser: &Browser, launch: LaunchId) -> Result<(), Code> {
    let request = resolve_request(browser, launch);
    let answer = world.client(ServiceName::FhirGateway).resolve(request).await;
    answer.map(|_| ()).map_err(|status| code_of(&status))
}

#[tokio::test]
async fn each_method_answers_its_callers_alone() {
    use ServiceName::{Audit, FhirGateway, JobWorker, LaunchAuth, Operator, TokenVault, Web};
    each(|world: World| async move {
        for caller in [LaunchAuth, TokenVault, FhirGateway, JobWorker, Audit, Web, Operator] {
            let mut client = world.client(caller);
            let tenant = "general".to_owned();
            let outcomes = [
                ("Resolve", client.resolve(ResolveRequest::default()).await.map(|_| ()), vec![FhirGateway]),
                (
                    "ReportActivity",
                    client.report_activity(ReportActivityRequest::default()).await.map(|_| ()),
                    vec![FhirGateway],
                ),
                ("Revoke", client.revoke(RevokeRequest::default()).await.map(|_| ()), vec![Operator]),
                (
                    "ListSessions",
                    client.list_sessions(ListSessionsRequest { tenant }).await.map(|_| ()),
                    vec![Operator],
                ),
                (
                    "WatchRevocations",
                    client.watch_revocations(WatchRevocationsRequest::default()).await.map(|_| ()),
                    vec![FhirGateway, JobWorker, Web],
                ),
            ];
            for (method, outcome, allowed) in outcomes {
                let is_denied = outcome.is_err_and(|status| code_of(&status) == Code::CallerDenied);
                assert_eq!(is_denied, !allowed.contains(&caller), "{method} by {}", caller.as_str());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_resolves_with_its_own_secret_only() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let (a, b) = (world.open(&mut browser).await, world.open(&mut browser).await);
        assert_eq!(resolves(&world, &browser, a).await, Ok(()));
        let mut gateway = world.client(ServiceName::FhirGateway);
        let crossed =
            ResolveRequest { launch_id: a.uuid().as_bytes().to_vec(), ..resolve_request(&browser, b) };
        for bad in [
            crossed,
            ResolveRequest { session_secret: String::new(), ..resolve_request(&browser, a) },
            ResolveRequest { launch_id: vec![7; 16], ..resolve_request(&browser, a) },
        ] {
            let status = gateway.resolve(bad).await.unwrap_err();
            assert_eq!(code_of(&status), Code::SessionMissing);
        }
        let malformed = ResolveRequest { launch_id: vec![7; 3], ..resolve_request(&browser, a) };
        assert_eq!(code_of(&gateway.resolve(malformed).await.unwrap_err()), Code::RequestInvalid);
    })
    .await;
}

#[tokio::test]
async fn a_revocation_covers_what_it_names_and_nothing_of_another_tenant() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let mut operator = world.client(ServiceName::Operator);
        let user = User { issuer: world.issuer(), subject: "user-1".to_owned(), fhir_user: String::new() };
        let selectors: [fn(LaunchId, &User) -> By; 5] = [
            |launch, _| By::Launch(launch.uuid().as_bytes().to_vec()),
            |launch, _| By::Grant(launch.uuid().as_bytes().iter().rev().copied().collect()),
            |_, user| By::User(user.clone()),
            |_, _| By::Endpoint("main".to_owned()),
            |_, _| By::Tenant("general".to_owned()),
        ];
        for selector in selectors {
            let launch = world.open(&mut browser).await;
            let by = selector(launch, &user);
            // Named under another tenant it covers nothing.
            let _foreign = operator.revoke(revoke_request("lakeside", Some(by.clone()))).await;
            assert_eq!(resolves(&world, &browser, launch).await, Ok(()), "{by:?}");
            let revoked =
                operator.revoke(revoke_request("general", Some(by.clone()))).await.unwrap().into_inner();
            assert_eq!((revoked.launches, revoked.grants), (1, 1), "{by:?}");
            let record = world.records(Kind::Operator).await.pop().unwrap();
            assert_eq!((record.tenant.as_str(), record.detail.as_str()), ("general", "a test"));
            assert_eq!(resolves(&world, &browser, launch).await, Err(Code::SessionRevoked), "{by:?}");
            // The vault was told the same, for grants without a session.
            let told = world.vault.revokes.lock().unwrap().last().cloned().unwrap();
            assert_eq!((told.tenant.as_str(), told.selector.unwrap().by), ("general", Some(by)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_selector_that_names_nothing_revokes_nothing() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let mut operator = world.client(ServiceName::Operator);
        let reasonless = RevokeRequest {
            reason: String::new(),
            ..revoke_request("general", Some(By::Tenant("general".to_owned())))
        };
        for bad in [
            revoke_request("general", None),
            revoke_request("general", Some(By::Launch(vec![]))),
            revoke_request("general", Some(By::User(User::default()))),
            revoke_request("general", Some(By::Endpoint(String::new()))),
            revoke_request("nobody", Some(By::Tenant("nobody".to_owned()))),
            RevokeRequest::default(),
            reasonless,
        ] {
            let status = operator.revoke(bad.clone()).await.unwrap_err();
            assert_eq!(code_of(&status), Code::RequestInvalid, "{bad:?}");
        }
        assert_eq!(resolves(&world, &browser, launch).await, Ok(()));
        assert!(world.vault.revokes.lock().unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn operators_see_the_open_sessions_of_one_tenant() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let mut operator = world.client(ServiceName::Operator);
        let mut list = async |tenant: &str| {
            let request = ListSessionsRequest { tenant: tenant.to_owned() };
            operator.list_sessions(request).await.map(|answer| answer.into_inner().sessions)
        };
        let sessions = list("general").await.unwrap();
        assert_eq!(sessions.len(), 1);
        assert_eq!(
            (sessions[0].launch_id.as_slice(), sessions[0].state.as_str()),
            (&launch.uuid().as_bytes()[..], "open")
        );
        assert!(list("lakeside").await.unwrap().is_empty());
        assert!(list("nobody").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn revocations_are_told_in_a_sequence_without_gaps() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let mut gateway = world.client(ServiceName::FhirGateway);
        let mut stream =
            gateway.watch_revocations(WatchRevocationsRequest { after: 0 }).await.unwrap().into_inner();
        let mut expected = Vec::new();
        for _ in 0..3 {
            expected.push(world.open(&mut browser).await.uuid().as_bytes().to_vec());
            // Ids of one millisecond have no order.
            world.clock.advance(std::time::Duration::from_millis(2));
        }
        let by = By::Tenant("general".to_owned());
        world.client(ServiceName::Operator).revoke(revoke_request("general", Some(by))).await.unwrap();
        let mut told = Vec::new();
        while told.len() < 3 {
            let message = tokio::time::timeout(std::time::Duration::from_secs(10), stream.message()).await;
            if let Some(Item::Event(event)) = message.unwrap().unwrap().unwrap().item {
                let Some(What::Launch(launch)) = event.what else { panic!("a launch") };
                told.push((event.sequence, launch));
            }
        }
        assert_eq!(
            told,
            expected
                .into_iter()
                .enumerate()
                .map(|(n, l)| (i64::try_from(n).unwrap() + 1, l))
                .collect::<Vec<_>>()
        );
        // A reader that comes later starts where it says.
        let mut rest =
            gateway.watch_revocations(WatchRevocationsRequest { after: 2 }).await.unwrap().into_inner();
        let Some(Item::Event(event)) = rest.message().await.unwrap().unwrap().item else {
            panic!("the third")
        };
        assert_eq!(event.sequence, 3);
    })
    .await;
}

#[tokio::test]
async fn rows_of_ended_sessions_go_after_their_retention() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        let by = By::Launch(launch.uuid().as_bytes().to_vec());
        world.client(ServiceName::Operator).revoke(revoke_request("general", Some(by))).await.unwrap();
        assert_eq!(resolves(&world, &browser, launch).await, Err(Code::SessionRevoked));
        world.clock.advance(std::time::Duration::from_secs(8 * 24 * 3_600));
        eventually("the removal", || async {
            resolves(&world, &browser, launch).await == Err(Code::SessionMissing)
        })
        .await;
    })
    .await;
}
