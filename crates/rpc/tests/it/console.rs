//! Calls in the name of somebody at the console.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sallyport_model::{
    Code, RecordId, Secret, ServiceName, TenantId, TestClock,
    operator::{Operator, Right, Role, Tenants},
};
use sallyport_proto::{
    gateway::v1::{ChartRequest, ViewRequest, fhir_gateway_client::FhirGatewayClient},
    launch::v1::{self as wire, operators_server::OperatorsServer},
};
use sallyport_rpc::{
    AllowList, Served, Transport, code_of,
    console::{self, Asker, ConsoleList, Sessions},
    status,
};
use tonic::{Request, Response, Status, service::Routes};

use crate::world::{Counting, House};

const START: i64 = 1_700_000_000_000_000;

const CONSOLE: ConsoleList =
    &[("/sallyport.gateway.v1.FhirGateway/Chart", &[Right::Operate, Right::Respond])];

fn somebody(role: Role, tenants: Tenants) -> Operator {
    let name = "Olga".to_owned();
    let session = RecordId::new(&TestClock::at(START)).uuid();
    Operator { session, name, role, tenants, idle_expires_at: START, absolute_expires_at: START }
}

/// A secret is the name of a role.
fn by_role() -> Sessions {
    Arc::new(|secret: Secret<String>| {
        let found = Role::parse(secret.expose()).map(|role| Arc::new(somebody(role, Tenants::All)));
        Box::pin(async move { found.ok_or(Code::ConsoleSignedOut) })
    })
}

fn client(caller: ServiceName) -> (Counting, FhirGatewayClient<Transport>) {
    let _switch = House::new();
    let counting = Counting::named("console");
    let served = counting.served().at_console(CONSOLE, by_role());
    (counting, FhirGatewayClient::new(Transport::local(served, caller)))
}

async fn chart(caller: ServiceName, secret: Option<&str>) -> Result<(), Code> {
    let (counting, mut client) = client(caller);
    let mut request = Request::new(ChartRequest::default());
    if let Some(secret) = secret {
        console::signed_in(&mut request, &Secret::new(secret.to_owned()));
    }
    let answer = client.chart(request).await.map(|_chart| ()).map_err(|status| code_of(&status));
    assert_eq!(counting.executed(), usize::from(answer.is_ok()), "a refused call is not executed");
    answer
}

#[tokio::test]
async fn web_opens_nothing_alone_and_with_somebody_what_their_role_may() {
    assert_eq!(chart(ServiceName::Web, None).await, Err(Code::CallerDenied));
    assert_eq!(chart(ServiceName::Web, Some("nobody")).await, Err(Code::ConsoleSignedOut));
    for (role, may) in [("viewer", false), ("operator", true), ("auditor", false), ("security", true)] {
        let expected = if may { Ok(()) } else { Err(Code::ConsoleNotPermitted) };
        assert_eq!(chart(ServiceName::Web, Some(role)).await, expected, "{role}");
    }
}

#[tokio::test]
async fn nobody_but_web_asks_in_the_name_of_somebody_at_the_console() {
    for caller in ServiceName::ALL.into_iter().filter(|caller| *caller != ServiceName::Web) {
        assert_eq!(chart(caller, Some("security")).await, Err(Code::CallerDenied), "{}", caller.as_str());
    }
}

#[tokio::test]
async fn what_web_may_ask_by_itself_is_nobodys_at_the_console() {
    let (_counting, mut client) = client(ServiceName::Web);
    let mut request = Request::new(ViewRequest::default());
    console::signed_in(&mut request, &Secret::new("nobody".to_owned()));
    assert!(client.view(request).await.is_ok(), "its own row counts, whoever is signed in");
}

#[test]
fn at_the_console_the_session_says_who_and_for_whom() {
    let (general, lakeside) = (TenantId::parse("general").unwrap(), TenantId::parse("lakeside").unwrap());
    let of_general = Tenants::Some(vec![general.clone()]);
    let confined = Asker::Console(Arc::new(somebody(Role::Security, of_general)));
    assert_eq!(confined.named("root"), "Olga (console)");
    assert_eq!(confined.may_ask_about(&general), Ok(()));
    assert_eq!(confined.may_ask_about(&lakeside), Err(Code::ConsoleTenantDenied));
    assert_eq!(confined.may_ask_about_all(), Err(Code::ConsoleTenantDenied));
    let everywhere = Asker::Console(Arc::new(somebody(Role::Viewer, Tenants::All)));
    assert_eq!((everywhere.may_ask_about(&lakeside), everywhere.may_ask_about_all()), (Ok(()), Ok(())));
    assert!(everywhere.is_masked() && !Asker::House.is_masked());
    assert_eq!(Asker::House.named("root"), "root");
    assert_eq!(Asker::House.may_ask_about(&lakeside), Ok(()));
}

/// launch-auth, which counts and can be told what to say.
#[derive(Clone)]
struct Owner {
    asked: Arc<AtomicUsize>,
    says: Arc<Mutex<Result<(), Code>>>,
}

const ALLOW: AllowList = &[("/sallyport.launch.v1.Operators/Resolve", &[ServiceName::Audit])];

#[tonic::async_trait]
impl wire::operators_server::Operators for Owner {
    async fn resolve(
        &self,
        request: Request<wire::ResolveOperatorRequest>,
    ) -> Result<Response<wire::Operator>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(!request.get_ref().is_active, "a service that asks keeps nobody signed in");
        (*self.says.lock().unwrap()).map_err(status)?;
        Ok(Response::new(wire::Operator {
            session_id: vec![7; 16],
            name: "Olga".to_owned(),
            role: wire::Role::Operator.into(),
            all_tenants: true,
            ..wire::Operator::default()
        }))
    }

    async fn invite(
        &self,
        _: Request<wire::InviteRequest>,
    ) -> Result<Response<wire::InviteResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn peek_link(
        &self,
        _: Request<wire::PeekLinkRequest>,
    ) -> Result<Response<wire::PeekLinkResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn sign_in(
        &self,
        _: Request<wire::SignInRequest>,
    ) -> Result<Response<wire::SignInResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn sign_out(
        &self,
        _: Request<wire::SignOutRequest>,
    ) -> Result<Response<wire::SignOutResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_operators(
        &self,
        _: Request<wire::ListOperatorsRequest>,
    ) -> Result<Response<wire::ListOperatorsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn end_operator(
        &self,
        _: Request<wire::EndOperatorRequest>,
    ) -> Result<Response<wire::EndOperatorResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test]
async fn an_answer_about_a_session_is_used_for_two_seconds_and_a_refusal_not_at_all() {
    let (clock, asked) = (Arc::new(TestClock::at(START)), Arc::new(AtomicUsize::new(0)));
    let says = Arc::new(Mutex::new(Ok(())));
    let owner = Owner { asked: Arc::clone(&asked), says: Arc::clone(&says) };
    let served = Served::new(Routes::new(OperatorsServer::new(owner)), ALLOW);
    let sessions = console::sessions(Transport::local(served, ServiceName::Audit), clock.clone());
    let who = || sessions(Secret::new("s".repeat(43)));
    assert_eq!(who().await.unwrap().role, Role::Operator);
    clock.advance(Duration::from_micros(1_999_999));
    assert!(who().await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    *says.lock().unwrap() = Err(Code::ConsoleEnded);
    clock.advance(Duration::from_micros(1));
    assert_eq!(
        who().await.unwrap_err(),
        Code::ConsoleEnded,
        "whoever was signed out is out two seconds later"
    );
    *says.lock().unwrap() = Err(Code::DependencyDown);
    assert_eq!(who().await.unwrap_err(), Code::DependencyDown, "without launch-auth nobody is let in");
    *says.lock().unwrap() = Ok(());
    assert!(who().await.is_ok());
}
