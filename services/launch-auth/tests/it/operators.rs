//! Who uses the console: links, sessions, and what other services are told of them.

use std::time::Duration;

use sallyport_model::{Code, Secret, ServiceName, operator::Role};
use sallyport_proto::{
    audit::v1::{Kind, Outcome, Record},
    convert,
    launch::v1::{
        EndOperatorRequest, IncidentScope, InviteRequest, ListIncidentsRequest, ListOperatorsRequest,
        ListSessionsRequest, Operator, PeekLinkRequest, PlanIncidentRequest, ResolveOperatorRequest,
        RevokeRequest, SignInRequest, SignOutRequest, incident_scope::What,
    },
    types::v1::{Selector, actor, selector::By},
};
use sallyport_rpc::{code_of, console};
use tonic::{Request, Status};

use crate::world::{World, each, eventually};

const MINUTE: Duration = Duration::from_secs(60);

const MOMENT: Duration = Duration::from_micros(1);

fn asked(role: Role, tenants: &[&str]) -> InviteRequest {
    InviteRequest {
        name: "Olga Auditor".to_owned(),
        role: convert::role_number(role),
        tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
        all_tenants: tenants.is_empty(),
        lifetime_s: 0,
        by: "root".to_owned(),
        reason: "she looks into last week".to_owned(),
    }
}

async fn invite(world: &World, asked: InviteRequest) -> Result<String, Code> {
    let made = world.operators(ServiceName::Operator).invite(asked).await;
    made.map(|made| made.into_inner().link_secret).map_err(|status| code_of(&status))
}

async fn sign_in(world: &World, link: &str) -> Result<String, Code> {
    let request = SignInRequest { link_secret: link.to_owned() };
    let answer = world.operators(ServiceName::Web).sign_in(request).await;
    answer.map(|answer| answer.into_inner().session_secret).map_err(|status| code_of(&status))
}

async fn signed_in(world: &World, role: Role, tenants: &[&str]) -> String {
    let link = invite(world, asked(role, tenants)).await.unwrap();
    sign_in(world, &link).await.unwrap()
}

async fn resolve(world: &World, secret: &str, is_active: bool) -> Result<Operator, Code> {
    let request = ResolveOperatorRequest { session_secret: secret.to_owned(), is_active };
    let answer = world.operators(ServiceName::Web).resolve(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
}

fn signed<T>(message: T, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    console::signed_in(&mut request, &Secret::new(secret.to_owned()));
    request
}

async fn steps(world: &World) -> Vec<Record> {
    let records = world.records(Kind::Operator).await;
    records.into_iter().filter(|record| record.interaction.starts_with("console-")).collect()
}

fn who(record: &Record) -> String {
    match record.actor.as_ref().and_then(|actor| actor.kind.clone()) {
        Some(actor::Kind::User(user)) => user.subject,
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_link_signs_in_once_and_looking_at_it_uses_nothing_up() {
    each(|world| async move {
        let link = invite(&world, asked(Role::Auditor, &["general"])).await.unwrap();
        for _ in 0..3 {
            let peek = PeekLinkRequest { link_secret: link.clone() };
            let person = world.operators(ServiceName::Web).peek_link(peek).await.unwrap().into_inner();
            assert_eq!(
                (person.name.as_str(), convert::role(person.role)),
                ("Olga Auditor", Ok(Role::Auditor))
            );
        }
        let secret = sign_in(&world, &link).await.unwrap();
        let operator = resolve(&world, &secret, false).await.unwrap();
        assert_eq!((operator.name.as_str(), operator.by.as_str()), ("Olga Auditor", "link"));
        assert_eq!((operator.tenants, operator.all_tenants), (vec!["general".to_owned()], false));
        assert_eq!(sign_in(&world, &link).await, Err(Code::ConsoleLinkUsed));
        let told: Vec<_> =
            steps(&world).await.iter().map(|r| (r.interaction.clone(), who(r), r.outcome())).collect();
        let step = |what: &str, who: &str, outcome| (what.to_owned(), who.to_owned(), outcome);
        let named = "Olga Auditor (console)";
        assert_eq!(
            told,
            [
                step("console-invite", "root", Outcome::Success),
                step("console-sign-in", named, Outcome::Success),
                step("console-sign-in", "", Outcome::Refused),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn of_two_clicks_on_a_link_one_signs_in() {
    each(|world| async move {
        let link = invite(&world, asked(Role::Viewer, &[])).await.unwrap();
        let outcomes = futures_util::future::join_all((0..8).map(|_| sign_in(&world, &link))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    })
    .await;
}

#[tokio::test]
async fn a_link_for_nobody_for_nothing_or_from_nobody_is_not_made() {
    each(|world| async move {
        let good = || asked(Role::Viewer, &["general"]);
        for wrong in [
            InviteRequest { name: " ".to_owned(), ..good() },
            InviteRequest { name: "n".repeat(101), ..good() },
            InviteRequest { name: "two\nlines".to_owned(), ..good() },
            InviteRequest { role: 0, ..good() },
            InviteRequest { tenants: Vec::new(), ..good() },
            InviteRequest { all_tenants: true, ..good() },
            InviteRequest { tenants: vec!["nowhere".to_owned()], ..good() },
            InviteRequest { lifetime_s: -1, ..good() },
            InviteRequest { lifetime_s: 86_401, ..good() },
            InviteRequest { by: String::new(), ..good() },
            InviteRequest { reason: String::new(), ..good() },
        ] {
            assert_eq!(invite(&world, wrong.clone()).await, Err(Code::RequestInvalid), "{wrong:?}");
        }
        let old = invite(&world, good()).await.unwrap();
        world.clock.advance(MINUTE * 10);
        assert_eq!(
            sign_in(&world, &old).await,
            Err(Code::ConsoleLinkUsed),
            "ten minutes, then it is nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_is_at_the_console_without_a_record_of_it() {
    each(|world| async move {
        let link = invite(&world, asked(Role::Viewer, &[])).await.unwrap();
        world.disk.fail_sync(true);
        world.disk.fail_create(true);
        assert_eq!(sign_in(&world, &link).await, Err(Code::AuditUnavailable));
        assert_eq!(invite(&world, asked(Role::Viewer, &[])).await, Err(Code::AuditUnavailable));
        world.disk.fail_sync(false);
        world.disk.fail_create(false);
        eventually("a sign-in by the link, which was still good", || async {
            sign_in(&world, &link).await.is_ok()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_by_itself_by_its_owner_and_by_others() {
    each(|world| async move {
        let idle = signed_in(&world, Role::Viewer, &[]).await;
        world.clock.advance(MINUTE * 29);
        assert!(resolve(&world, &idle, true).await.is_ok(), "used: its time begins anew");
        world.clock.advance(MINUTE * 29);
        assert!(resolve(&world, &idle, false).await.is_ok(), "a service that asks keeps it not alive");
        world.clock.advance(MINUTE);
        assert_eq!(resolve(&world, &idle, true).await, Err(Code::ConsoleEnded));

        let busy = signed_in(&world, Role::Viewer, &[]).await;
        for _ in 0..24 {
            world.clock.advance(MINUTE * 20 - MOMENT);
            assert!(resolve(&world, &busy, true).await.is_ok());
        }
        world.clock.advance(MOMENT * 24);
        assert_eq!(resolve(&world, &busy, true).await, Err(Code::ConsoleEnded), "eight hours in any case");

        let out = signed_in(&world, Role::Viewer, &[]).await;
        let request = SignOutRequest { session_secret: out.clone() };
        world.operators(ServiceName::Web).sign_out(request).await.unwrap();
        assert_eq!(resolve(&world, &out, false).await, Err(Code::ConsoleEnded));

        let mut house = world.operators(ServiceName::Operator);
        let (one, other) =
            (signed_in(&world, Role::Viewer, &[]).await, signed_in(&world, Role::Viewer, &[]).await);
        let id = resolve(&world, &one, false).await.unwrap().session_id;
        let end = |session_id: Vec<u8>, name: &str| EndOperatorRequest {
            session_id,
            name: name.to_owned(),
            by: "root".to_owned(),
            reason: "a lost laptop".to_owned(),
        };
        assert_eq!(house.end_operator(end(id, "")).await.unwrap().into_inner().ended, 1);
        assert_eq!(resolve(&world, &one, false).await, Err(Code::ConsoleEnded));
        assert!(resolve(&world, &other, false).await.is_ok());
        let link = invite(&world, asked(Role::Viewer, &[])).await.unwrap();
        assert_eq!(house.end_operator(end(Vec::new(), "Olga Auditor")).await.unwrap().into_inner().ended, 1);
        assert_eq!(resolve(&world, &other, false).await, Err(Code::ConsoleEnded));
        assert_eq!(
            sign_in(&world, &link).await,
            Err(Code::ConsoleLinkUsed),
            "nor by a link that was made before"
        );
        let open = house.list_operators(ListOperatorsRequest {}).await.unwrap().into_inner().operators;
        assert!(open.is_empty(), "{open:?}");
        assert_eq!(resolve(&world, &"x".repeat(43), false).await, Err(Code::ConsoleSignedOut));
    })
    .await;
}

#[tokio::test]
async fn who_is_there_for_one_tenant_is_told_nothing_of_another() {
    each(|world| async move {
        let secret = signed_in(&world, Role::Security, &["general"]).await;
        let denied = |answer: Result<(), Status>| {
            assert_eq!(answer.map_err(|status| code_of(&status)), Err(Code::ConsoleTenantDenied));
        };
        let (mut launch, mut incidents) = (world.client(ServiceName::Web), world.incidents(ServiceName::Web));
        let list = |tenant: &str| ListSessionsRequest { tenant: tenant.to_owned() };
        assert!(launch.list_sessions(signed(list("general"), &secret)).await.is_ok());
        denied(launch.list_sessions(signed(list("lakeside"), &secret)).await.map(|_| ()));
        let revoke = RevokeRequest {
            tenant: "lakeside".to_owned(),
            selector: Some(Selector { by: Some(By::Tenant("lakeside".to_owned())) }),
            reason: "a test".to_owned(),
        };
        denied(launch.revoke(signed(revoke, &secret)).await.map(|_| ()));
        for scope in [
            IncidentScope { tenant: "lakeside".to_owned(), what: Some(What::All(true)) },
            // A vendor's endpoints are at every tenant.
            IncidentScope { tenant: String::new(), what: Some(What::Vendor("sandbox".to_owned())) },
        ] {
            let plan = PlanIncidentRequest { scope: Some(scope) };
            denied(incidents.plan(signed(plan, &secret)).await.map(|_| ()));
        }
        let mut operators = world.operators(ServiceName::Web);
        denied(operators.list_operators(signed(ListOperatorsRequest {}, &secret)).await.map(|_| ()));
        assert!(world.vault.revokes.lock().unwrap().is_empty(), "nothing was revoked");
        let listed = incidents.list(signed(ListIncidentsRequest {}, &secret)).await.unwrap().into_inner();
        assert!(listed.incidents.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_somebody_revokes_at_the_console_is_recorded_under_their_own_name() {
    each(|world| async move {
        let secret = signed_in(&world, Role::Security, &[]).await;
        let revoke = RevokeRequest {
            tenant: "general".to_owned(),
            selector: Some(Selector { by: Some(By::Tenant("general".to_owned())) }),
            reason: "a stolen laptop".to_owned(),
        };
        world.client(ServiceName::Web).revoke(signed(revoke, &secret)).await.unwrap();
        let records = world.records(Kind::Operator).await;
        let last = records.last().unwrap();
        assert_eq!((last.interaction.as_str(), last.detail.as_str()), ("revoke", "a stolen laptop"));
        assert_eq!(who(last), "Olga Auditor (console)");
    })
    .await;
}
