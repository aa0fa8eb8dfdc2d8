//! Incidents: each scope revokes its own and nothing of a neighbour, goes on after a death, and ends with a report.

use std::sync::atomic::Ordering;

use sallyport_model::{Code, LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::Kind,
    launch::v1::{
        CloseIncidentRequest, Incident, IncidentScope, ListIncidentsRequest, PlanIncidentRequest,
        ResolveRequest, RunIncidentRequest, close_incident_request::Jobs, incident_scope::What,
    },
    types::v1::{GrantFigures, User, selector::By},
};
use sallyport_rpc::code_of;
use serde_json::Value;
use tonic::Status;

use crate::{
    browser::Browser,
    world::{World, each},
};

fn scope(tenant: &str, what: What) -> IncidentScope {
    IncidentScope { tenant: tenant.to_owned(), what: Some(what) }
}

async fn run(world: &World, scope: IncidentScope) -> Result<Incident, Status> {
    let request = RunIncidentRequest {
        incident_id: Vec::new(),
        scope: Some(scope),
        operator: "olga".to_owned(),
        reason: "a stolen laptop".to_owned(),
    };
    world.incidents(ServiceName::Operator).run(request).await.map(tonic::Response::into_inner)
}

async fn close(world: &World, incident: &Incident, jobs: Vec<Jobs>) -> Incident {
    let request = CloseIncidentRequest { incident_id: incident.incident_id.clone(), jobs };
    world.incidents(ServiceName::Operator).close(request).await.unwrap().into_inner()
}

async fn is_open(world: &World, browser: &Browser, launch: LaunchId) -> bool {
    let request = ResolveRequest {
        launch_id: launch.uuid().as_bytes().to_vec(),
        session_secret: browser.jar.get(&format!("__Host-s-{launch}")).cloned().unwrap_or_default(),
    };
    world.client(ServiceName::FhirGateway).resolve(request).await.is_ok()
}

/// What the vault was told to revoke, by tenant.
fn told(world: &World) -> Vec<(String, By)> {
    let revokes = world.vault.revokes.lock().unwrap();
    revokes.iter().map(|r| (r.tenant.clone(), r.selector.clone().unwrap().by.unwrap())).collect()
}

fn registration(name: &str) -> (String, By) {
    ("general".to_owned(), By::Registration(name.to_owned()))
}

#[tokio::test]
async fn an_incident_that_somebody_closes_while_another_asks_for_it_fails_nobody() {
    each(|world| async move {
        let one = || async {
            for _ in 0..40 {
                let incident =
                    run(&world, scope("general", What::Endpoint("main".to_owned()))).await.unwrap();
                assert!(close(&world, &incident, Vec::new()).await.closed_at > 0);
            }
        };
        tokio::join!(one(), one(), one(), one());
    })
    .await;
}

#[tokio::test]
async fn each_scope_revokes_exactly_its_own_and_nothing_of_a_neighbour() {
    each(|world: World| async move {
        let user = User { issuer: world.issuer(), subject: "user-1".to_owned(), fhir_user: String::new() };
        let stranger = User { subject: "user-2".to_owned(), ..user.clone() };
        let general = |by| vec![("general".to_owned(), by)];
        let main = || general(By::Endpoint("main".to_owned()));
        // The scope, what the vault is told, and whether sessions of the registrations both, again and standalone-only end.
        type Case = (&'static str, fn(LaunchId) -> Option<What>, Option<What>, Vec<(String, By)>, [bool; 3]);
        let one: fn(LaunchId) -> Option<What> =
            |launch| Some(What::Launch(launch.uuid().as_bytes().to_vec()));
        let none: fn(LaunchId) -> Option<What> = |_| None;
        let cases: Vec<Case> = vec![
            ("general", one, None, Vec::new(), [true, false, false]),
            ("lakeside", one, None, Vec::new(), [false; 3]),
            ("general", none, Some(What::User(user.clone())), general(By::User(user)), [true, true, true]),
            ("general", none, Some(What::User(stranger.clone())), general(By::User(stranger)), [false; 3]),
            ("general", none, Some(What::All(true)), general(By::Tenant("general".to_owned())), [true; 3]),
            ("general", none, Some(What::Endpoint("main".to_owned())), main(), [true; 3]),
            ("general", none, Some(What::Vendor("sandbox".to_owned())), main(), [true; 3]),
            ("", none, Some(What::Vendor("sandbox".to_owned())), main(), [true; 3]),
            (
                "general",
                none,
                Some(What::Registration("again".to_owned())),
                vec![registration("again")],
                [false, true, false],
            ),
            (
                "general",
                none,
                Some(What::App("chart".to_owned())),
                vec![registration("both"), registration("again")],
                [true, true, false],
            ),
            (
                "",
                none,
                Some(What::Vendor("generic".to_owned())),
                vec![("lakeside".to_owned(), By::Endpoint("lake".to_owned()))],
                [false; 3],
            ),
            (
                "lakeside",
                none,
                Some(What::All(true)),
                vec![("lakeside".to_owned(), By::Tenant("lakeside".to_owned()))],
                [false; 3],
            ),
        ];
        for (tenant, by_launch, what, expected, ends) in cases {
            let mut browser = world.browser();
            let launches = [
                world.open(&mut browser).await,
                world.open_standalone(&mut browser, "again").await,
                world.open_standalone(&mut browser, "standalone-only").await,
            ];
            world.vault.revokes.lock().unwrap().clear();
            let what = by_launch(launches[0]).or(what).unwrap();
            let incident = run(&world, scope(tenant, what.clone())).await.unwrap();
            for (launch, ended) in launches.into_iter().zip(ends) {
                assert_eq!(is_open(&world, &browser, launch).await, !ended, "{what:?} {launch}");
            }
            if !expected.is_empty() {
                assert_eq!(told(&world), expected, "grants without a session too: {what:?}");
            }
            let ended: i32 = incident.targets.iter().map(|part| part.sessions).sum();
            assert_eq!(ended, i32::try_from(ends.iter().filter(|e| **e).count()).unwrap(), "{what:?}");
            assert!(incident.targets.iter().all(|part| part.is_done));
            close(&world, &incident, Vec::new()).await;
            // The next case begins with sessions of its own alone.
            world.clock.advance(std::time::Duration::from_secs(1));
            run(&world, scope("general", What::All(true))).await.unwrap();
            let all = run(&world, scope("general", What::All(true))).await.unwrap();
            close(&world, &all, Vec::new()).await;
            world.clock.advance(std::time::Duration::from_secs(1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_scope_that_names_nothing_known_is_refused_and_a_plan_changes_nothing() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        for bad in [
            IncidentScope { tenant: "general".to_owned(), what: None },
            scope("", What::All(true)),
            scope("nobody", What::All(true)),
            scope("general", What::All(false)),
            scope("general", What::Launch(vec![1; 3])),
            scope("general", What::User(User::default())),
            scope("general", What::Endpoint("lake".to_owned())),
            scope("general", What::Endpoint(String::new())),
            scope("general", What::Vendor("generic".to_owned())),
            scope("general", What::Registration("lake".to_owned())),
            scope("general", What::App("nothing".to_owned())),
        ] {
            let refused = run(&world, bad.clone()).await.unwrap_err();
            assert_eq!(code_of(&refused), Code::RequestInvalid, "{bad:?}");
        }
        let scope = Some(scope("general", What::All(true)));
        let mut operator = world.incidents(ServiceName::Operator);
        let plan = operator.plan(PlanIncidentRequest { scope }).await.unwrap().into_inner();
        let part = &plan.targets[0];
        assert_eq!((part.sessions, part.grants.as_ref().unwrap().alive), (1, 1));
        assert!(is_open(&world, &browser, launch).await);
        assert!(told(&world).is_empty());
        let listed = operator.list(ListIncidentsRequest {}).await.unwrap().into_inner();
        assert!(listed.incidents.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_process_left_is_gone_on_with_by_another() {
    each(|world: World| async move {
        let mut browser = world.browser();
        let launch = world.open(&mut browser).await;
        // As if it had died between the sessions and the grants.
        world.vault.is_down.store(true, Ordering::SeqCst);
        let chart = || scope("general", What::App("chart".to_owned()));
        run(&world, chart()).await.unwrap_err();
        assert!(!is_open(&world, &browser, launch).await, "sessions do not wait for the vault");
        let mut operator = world.incidents(ServiceName::Operator);
        let open = operator.list(ListIncidentsRequest {}).await.unwrap().into_inner().incidents;
        assert_eq!((open.len(), open[0].closed_at), (1, 0));
        let another = world.replica().await;
        world.vault.is_down.store(false, Ordering::SeqCst);
        let done = run(&another, chart()).await.unwrap();
        assert_eq!(done.incident_id, open[0].incident_id, "the same scope goes on with the same incident");
        assert_eq!((done.operator.as_str(), done.opened_at), ("olga", open[0].opened_at));
        assert!(done.targets.iter().all(|part| part.is_done));
        assert_eq!(done.targets.iter().map(|part| part.sessions).sum::<i32>(), 1, "counted once");
        let before = told(&world).len();
        let again = run(&another, chart()).await.unwrap();
        assert_eq!(again, done);
        assert_eq!(told(&world).len(), before, "what is done is not done again");
        let closed = close(&another, &done, vec![Jobs { position: 1, stopped: 2 }]).await;
        assert!(closed.closed_at > 0 && !closed.report.is_empty());
        assert_eq!(close(&world, &done, Vec::new()).await.report, closed.report, "closed, it stays as it is");
        let next = run(&world, chart()).await.unwrap();
        assert_ne!(next.incident_id, done.incident_id, "a closed incident is not opened again");
    })
    .await;
}

#[tokio::test]
async fn the_report_says_what_the_ehr_still_honours_until_when_whom_to_call_and_who_consents() {
    each(|world: World| async move {
        let mut browser = world.browser();
        world.open(&mut browser).await;
        *world.vault.figures.lock().unwrap() = GrantFigures {
            revoked: 5,
            revoked_of_services: 1,
            confirmed: 1,
            pending: 2,
            failed: 1,
            not_offered: 1,
            last_expires_at: 1_700_000_600_000_000,
            ..GrantFigures::default()
        };
        let incident = run(&world, scope("general", What::Endpoint("main".to_owned()))).await.unwrap();
        let closed = close(&world, &incident, vec![Jobs { position: 0, stopped: 3 }]).await;
        let report: Value = serde_json::from_str(&closed.report).unwrap();
        assert_eq!(report["revoked"]["sessions"], 1);
        assert_eq!(report["revoked"]["grants"], 5);
        assert_eq!(report["revoked"]["job_runs_stopped"], 3);
        let left = report["not_revoked_at_the_ehr"].as_array().unwrap();
        assert_eq!(left.iter().map(|l| l["grants"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(left.iter().all(|l| l["access_tokens_end_by_themselves_at"] == "2023-11-14T22:23:20Z"));
        let call = &report["call"][0];
        assert_eq!((&call["endpoint"], &call["contact"]), (&"main".into(), &"+1 555 0100".into()));
        let clients = call["client_ids"].as_array().unwrap();
        assert_eq!(clients.len(), 3, "{clients:?}");
        assert!(report["consent"][0].as_str().unwrap().starts_with("4 sign-ins of people were revoked"));
        assert!(report["consent"][1].as_str().unwrap().starts_with("1 grants of registrations"));
        assert!(!closed.report.contains("patient-canary"), "nobody's data");
        let steps: Vec<_> = world.records(Kind::Operator).await.into_iter().map(|r| r.interaction).collect();
        assert_eq!(steps, ["incident-open", "incident-part", "incident-close"]);
        let first = world.records(Kind::Operator).await.remove(0);
        assert!(first.detail.ends_with(": a stolen laptop"), "{}", first.detail);
    })
    .await;
}

#[tokio::test]
async fn incidents_are_for_operators_alone() {
    use ServiceName::{Audit, FhirGateway, JobWorker, LaunchAuth, TokenVault, Web};
    each(|world: World| async move {
        for caller in [LaunchAuth, TokenVault, FhirGateway, JobWorker, Audit, Web] {
            let refused = world.incidents(caller).list(ListIncidentsRequest {}).await.unwrap_err();
            assert_eq!(code_of(&refused), Code::CallerDenied, "{caller:?}");
        }
    })
    .await;
}
