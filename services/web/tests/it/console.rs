//! The operators' console: who gets in, what they see of patients, what a form may do, and what stands in place of what failed.

use sallyport_model::{Code, Secret, operator::Role};
use sallyport_proto::{
    audit::v1::{
        ActivityResponse, Kind, ListReviewsResponse, Mask, Outcome, Phase, ProveRecordResponse, QueryRequest,
        QueryResponse, Record, Review, SaveReviewRequest, UnmaskRequest, UnmaskResponse,
        activity_response::Cell,
    },
    jobs::v1::{ControlRequest, KillRequest, ListRunsResponse, Progress, Run, StartRequest},
    launch::v1::{
        CloseIncidentRequest, Incident, IncidentScope, IncidentTarget, ListIncidentsResponse,
        PeekLinkResponse, ResolveOperatorRequest, RunIncidentRequest, SignInRequest, SignInResponse,
        incident_scope::What,
    },
    types::v1::{Actor, Selector, User, actor, selector::By},
};
use sallyport_smart::form;

use crate::{
    desk::{Desk, SECRET, operator},
    fake::NOW,
};

const PATIENT: &str = "pat-canary-7";
const RECORD: &str = "01010101-0101-0101-0101-010101010101";
const HOSTILE: &str = "<script>alert(1)</script>=HYPERLINK(\u{202e}";

const PAGES: [&str; 9] = [
    "/console",
    "/console/audit",
    "/console/audit/records/01010101-0101-0101-0101-010101010101",
    "/console/audit/reviews",
    "/console/audit/disclosures",
    "/console/jobs",
    "/console/tenants",
    "/console/incidents",
    "/console/sessions",
];

fn token(action: &str) -> String {
    form::token(&Secret::new(SECRET.to_owned()), "console", action)
}

fn record() -> Record {
    let user =
        User { issuer: "https://ehr.example".into(), subject: HOSTILE.into(), fhir_user: String::new() };
    Record {
        record_id: vec![1; 16],
        phase: Phase::Outcome.into(),
        kind: Kind::FhirCall.into(),
        recorded_at: NOW,
        tenant: "general".into(),
        endpoint: HOSTILE.into(),
        actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
        interaction: "search-type".into(),
        resource_types: vec!["Condition".into()],
        outcome: Outcome::Success.into(),
        detail: HOSTILE.into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        duration_us: 12_300,
        ..Record::default()
    }
}

async fn with_records(role: Role) -> Desk {
    let desk = Desk::of(role).await;
    let mask = Mask { patients: vec!["a1b2c3d4".to_owned()], has_resource_id: true, ..Mask::default() };
    let answer = QueryResponse { records: vec![record()], as_of: NOW, masks: vec![mask] };
    desk.says("audit.v1.Audit/Query", &answer);
    let proof = ProveRecordResponse {
        index: 41,
        path: vec![vec![0; 32]; 6],
        checkpoint: "sallyport/general\n64\nroot\n\n— sig\n".into(),
        ..ProveRecordResponse::default()
    };
    desk.says("audit.v1.Audit/ProveRecord", &proof);
    let unmasked = UnmaskResponse { patients: vec![PATIENT.to_owned()], ..UnmaskResponse::default() };
    desk.says("audit.v1.Audit/Unmask", &unmasked);
    desk
}

#[tokio::test]
async fn without_a_session_every_page_says_how_one_signs_in_and_asks_nothing() {
    let desk = Desk::of(Role::Security).await;
    for page in PAGES {
        for cookie in
            ["", "__Host-console=short", &format!("__Host-console={SECRET}; __Host-console={SECRET}")]
        {
            let answer = desk.get_with(page, cookie).await;
            assert_eq!(answer.status, 401, "{page}");
            assert!(answer.text.contains("sallyport console --name"), "{page}");
        }
    }
    assert!(desk.asked::<ResolveOperatorRequest>("launch.v1.Operators/Resolve").is_empty());
    desk.refuses("launch.v1.Operators/Resolve", Code::ConsoleEnded);
    let over = desk.get("/console").await;
    assert!(over.status == 401 && over.text.contains("console.ended"));
    desk.refuses("launch.v1.Operators/Resolve", Code::DependencyDown);
    assert_eq!(desk.get("/console").await.status, 503, "who is signed in cannot be told: nobody is");
}

#[tokio::test]
async fn a_link_is_looked_at_first_and_then_signs_in_with_a_cookie_of_this_origin_alone() {
    let desk = Desk::of(Role::Auditor).await;
    let person = PeekLinkResponse { name: HOSTILE.to_owned(), role: 3 };
    desk.says("launch.v1.Operators/PeekLink", &person);
    let signed_in =
        SignInResponse { session_secret: SECRET.to_owned(), operator: Some(operator(Role::Auditor)) };
    desk.says("launch.v1.Operators/SignIn", &signed_in);
    let page = desk.get_with("/console/sign-in?link=abc", "").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("auditor") && !page.text.contains("<script>alert"));
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(desk.asked::<SignInRequest>("launch.v1.Operators/SignIn").is_empty(), "looking uses nothing up");
    let elsewhere = desk.post("/console/sign-in", "link=abc", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(elsewhere.status, 403);
    let answer = desk.post("/console/sign-in", "link=abc", &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/console"));
    let cookie = format!("__Host-console={SECRET}; Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(answer.header("set-cookie"), cookie);
    desk.refuses("launch.v1.Operators/SignIn", Code::ConsoleLinkUsed);
    let again = desk.post("/console/sign-in", "link=abc", &[]).await;
    assert!(again.status == 403 && again.text.contains("console.link_used"));
}

#[tokio::test]
async fn every_page_is_whole_over_empty_lists_and_names_who_is_signed_in() {
    for role in Role::ALL {
        let desk = with_records(role).await;
        for page in PAGES {
            let answer = desk.get(page).await;
            assert_eq!(answer.status, 200, "{page} as {role:?}: {}", answer.text);
            assert!(answer.text.contains("Olga &lt;b&gt;Auditor&lt;/b&gt;"), "{page}");
            assert!(answer.text.contains("Sandbox") && answer.text.contains("General Hospital"), "{page}");
            assert!(!answer.text.contains("<script>alert"), "{page}");
        }
        let resolved = desk.asked::<ResolveOperatorRequest>("launch.v1.Operators/Resolve");
        assert!(resolved.len() == PAGES.len() && resolved.iter().all(|(asked, _)| asked.is_active));
    }
}

#[tokio::test]
async fn the_log_shows_masks_and_asks_in_the_name_of_who_is_there() {
    let desk = with_records(Role::Auditor).await;
    let path = "/console/audit?kind=FHIR_CALL&outcome=SUCCESS&last=7d&endpoint=main&patient=pat-1&reason=complaint+7";
    let page = desk.get(path).await;
    assert!(
        page.text.contains("•a1b2c3d4")
            && page.text.contains("https://traces.example") == page.text.contains("Open the trace")
    );
    let asked = desk.asked::<QueryRequest>("audit.v1.Audit/Query");
    let [(query, signed)] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(*signed, "in somebody's name");
    assert_eq!(
        (query.tenant.as_str(), query.kind(), query.outcome()),
        ("general", Kind::FhirCall, Outcome::Success)
    );
    assert_eq!((query.endpoint.as_str(), query.patient.as_str()), ("main", "pat-1"));
    assert_eq!((query.from, query.reason.as_str()), (NOW - 7 * 86_400_000_000, "complaint 7"));
    assert!(query.newest_first && query.operator.is_empty());
    let wrong = desk.get("/console/audit?launch=nonsense").await;
    assert!(wrong.status == 200 && wrong.text.contains("request.invalid"), "said in its place");
}

#[tokio::test]
async fn whose_data_it_was_is_told_for_a_reason_and_not_before() {
    let desk = with_records(Role::Auditor).await;
    let path = format!("/console/audit/records/{RECORD}");
    let before = desk.get(&path).await;
    assert!(!before.text.contains(PATIENT) && before.text.contains("It is recorded that you look"));
    assert!(
        before.text.contains("Place 41 of") && before.text.contains("href=\"https://traces.example/0af7")
    );
    let unmask = format!("{path}/unmask");
    let without = desk.post(&unmask, &format!("token={}&reason=+", token("unmask")), &[]).await;
    assert!(without.status == 400 && without.text.contains("Say why") && !without.text.contains(PATIENT));
    assert!(desk.asked::<UnmaskRequest>("audit.v1.Audit/Unmask").is_empty());
    let shown = desk.post(&unmask, &format!("token={}&reason=complaint+7", token("unmask")), &[]).await;
    assert!(shown.text.contains(PATIENT) && shown.text.contains("Recorded: you have seen"));
    assert!(!shown.between("<title>", "</title>").contains(PATIENT), "titles stand in histories");
    let asked = desk.asked::<UnmaskRequest>("audit.v1.Audit/Unmask");
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0.reason.as_str(), asked[0].1), ("complaint 7", true));
    let operator = with_records(Role::Operator).await.get(&path).await;
    assert!(operator.text.contains("does not allow to see whose data") && !operator.text.contains("/unmask"));
}

#[tokio::test]
async fn a_form_of_another_session_another_action_or_another_site_does_nothing() {
    let desk = with_records(Role::Security).await;
    let other = form::token(&Secret::new("D".repeat(43)), "console", "unmask");
    let (own, end) = (token("unmask"), token("end"));
    let path = format!("/console/audit/records/{RECORD}/unmask");
    for (token, headers) in [
        ("", &[][..]),
        (other.as_str(), &[][..]),
        (end.as_str(), &[][..]),
        (own.as_str(), &[("sec-fetch-site", "cross-site")][..]),
        (own.as_str(), &[("sec-fetch-site", "same-site")][..]),
        (own.as_str(), &[("origin", "https://evil.example")][..]),
    ] {
        let answer = desk.post(&path, &format!("token={token}&reason=complaint+7"), headers).await;
        assert!(answer.status == 403 && !answer.text.contains(PATIENT), "{headers:?}");
    }
    assert!(desk.asked::<UnmaskRequest>("audit.v1.Audit/Unmask").is_empty());
}

#[tokio::test]
async fn a_file_of_records_has_masks_and_no_formula() {
    let desk = with_records(Role::Auditor).await;
    let file = desk.get("/console/audit.csv?last=24h").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert!(file.header("content-disposition").starts_with("attachment"));
    assert!(file.text.contains("a1b2c3d4") && !file.text.contains(PATIENT));
    for cell in file.text.lines().skip(1).flat_map(|line| line.split(',')) {
        assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']), "{cell}");
    }
}

#[tokio::test]
async fn a_panel_that_fails_takes_no_other_with_it() {
    let desk = Desk::of(Role::Viewer).await;
    desk.refuses("jobs.v1.Jobs/ListJobs", Code::DependencyDown);
    let cell = |endpoint: &str, there, here| Cell {
        endpoint: endpoint.to_owned(),
        kind: Kind::FhirCall.into(),
        resource_type: "Condition".to_owned(),
        succeeded: 5,
        failed_there: there,
        failed_here: here,
        ..Cell::default()
    };
    let figures = ActivityResponse { cells: vec![cell("main", 3, 0), cell("second", 0, 2)] };
    desk.says("audit.v1.Audit/Activity", &figures);
    let page = desk.get("/console").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("It is them") && page.text.contains("It is us"));
    assert!(page.text.contains("service.unavailable") && page.text.contains("Is the audit log whole?"));
}

#[tokio::test]
async fn a_run_is_stopped_on_a_page_of_its_own_under_the_persons_own_reason() {
    let desk = Desk::of(Role::Operator).await;
    let progress = Progress {
        is_planned: true,
        items: 10,
        items_done: 4,
        waits_until: NOW + 60_000_000,
        waits_for: "vendor".to_owned(),
        ..Progress::default()
    };
    let run = Run {
        run_id: vec![1; 16],
        tenant: "general".to_owned(),
        job: "nightly".to_owned(),
        state: "running".to_owned(),
        reason: HOSTILE.to_owned(),
        created_at: NOW,
        progress: Some(progress),
        ..Run::default()
    };
    desk.says("jobs.v1.Jobs/GetRun", &run);
    desk.says("jobs.v1.Jobs/Stop", &run);
    desk.says("jobs.v1.Jobs/ListRuns", &ListRunsResponse { runs: vec![run.clone()] });
    let page = desk.get(&format!("/console/jobs/runs/{RECORD}")).await;
    assert!(page.text.contains("the EHR said when to come back") && page.text.contains("4 of 10 items"));
    assert!(
        page.text.contains("/pause")
            && !page.text.contains("/resume")
            && !page.text.contains("<script>alert")
    );
    let ask = desk.get(&format!("/console/jobs/runs/{RECORD}/stop")).await;
    assert!(ask.text.contains("It ends before its end"));
    assert!(desk.asked::<ControlRequest>("jobs.v1.Jobs/Stop").is_empty(), "asking does nothing");
    let stop = format!("/console/jobs/runs/{RECORD}/stop");
    let done = desk.post(&stop, &format!("token={}&reason=the+EHR+asked", token("stop")), &[]).await;
    assert_eq!(done.status, 303);
    let asked = desk.asked::<ControlRequest>("jobs.v1.Jobs/Stop");
    assert_eq!((asked.len(), asked[0].0.reason.as_str(), asked[0].1), (1, "the EHR asked", true));
    let without = desk.post(&stop, &format!("token={}&reason=", token("stop")), &[]).await;
    assert_eq!((without.status.as_u16(), desk.asked::<ControlRequest>("jobs.v1.Jobs/Stop").len()), (400, 1));
    // A run of another tenant is not on this one's pages.
    desk.says("jobs.v1.Jobs/GetRun", &Run { tenant: "lakeside".to_owned(), ..run });
    assert_eq!(desk.get(&format!("/console/jobs/runs/{RECORD}")).await.status, 404);
    let started = desk
        .post("/console/jobs/start/nightly", &format!("token={}&reason=now+please", token("start")), &[])
        .await;
    assert_eq!((started.status.as_u16(), desk.asked::<StartRequest>("jobs.v1.Jobs/Start").len()), (303, 1));
}

#[tokio::test]
async fn an_incident_says_what_it_hits_then_revokes_stops_the_jobs_and_is_closed() {
    let desk = Desk::of(Role::Security).await;
    let part = IncidentTarget {
        tenant: "general".to_owned(),
        selector: Some(Selector { by: Some(By::Endpoint("main".to_owned())) }),
        sessions: 12,
        ..IncidentTarget::default()
    };
    let scope = IncidentScope { tenant: "general".to_owned(), what: Some(What::Endpoint("main".to_owned())) };
    let incident = Incident {
        incident_id: vec![1; 16],
        scope: Some(scope),
        reason: HOSTILE.to_owned(),
        opened_at: NOW,
        targets: vec![part],
        ..Incident::default()
    };
    desk.says("launch.v1.Incidents/Plan", &incident);
    desk.says("launch.v1.Incidents/Run", &incident);
    let closed = Incident { closed_at: NOW, report: "{\"parts\": 1}".to_owned(), ..incident.clone() };
    desk.says("launch.v1.Incidents/Close", &closed);
    let form = |action: &str, rest: &str| format!("token={}&what=endpoint&value=main{rest}", token(action));
    let plan = desk.post("/console/incidents/plan", &form("plan", ""), &[]).await;
    assert!(plan.text.contains("endpoint main") && plan.text.contains("Revoke all of it now"));
    assert!(desk.asked::<RunIncidentRequest>("launch.v1.Incidents/Run").is_empty());
    let run = desk.post("/console/incidents/run", &form("run", "&reason=a+stolen+laptop"), &[]).await;
    assert_eq!(run.status, 303, "{}", run.text);
    let killed = desk.asked::<KillRequest>("jobs.v1.Jobs/Kill");
    assert_eq!((killed.len(), killed[0].0.endpoint.as_str(), killed[0].0.since), (1, "main", NOW));
    assert_eq!(desk.asked::<CloseIncidentRequest>("launch.v1.Incidents/Close").len(), 1);
    desk.says("launch.v1.Incidents/List", &ListIncidentsResponse { incidents: vec![closed] });
    let page = desk.get(&format!("/console/incidents/{RECORD}")).await;
    assert!(page.text.contains("{&quot;parts&quot;: 1}") && !page.text.contains("<script>alert"));
    for wrong in ["what=endpoint&value=", "what=user&value=nobody", "what=launch&value=x", "what=nothing"] {
        let answer =
            desk.post("/console/incidents/plan", &format!("token={}&{wrong}", token("plan")), &[]).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let viewer = Desk::of(Role::Viewer).await;
    viewer.says("launch.v1.Incidents/Plan", &incident);
    let plan = viewer.post("/console/incidents/plan", &form("plan", ""), &[]).await;
    assert!(plan.text.contains("does not allow to revoke") && !plan.text.contains("Revoke all of it now"));
}

#[tokio::test]
async fn a_review_keeps_the_filter_without_whom_it_was_about() {
    let desk = with_records(Role::Auditor).await;
    let page = desk.get("/console/audit?patient=pat-1&endpoint=main").await;
    assert!(page.text.contains("name=\"filter\" value=\"endpoint=main\""), "{}", page.text);
    let filled = format!(
        "token={}&filter=endpoint%3Dmain&from=1&until=2&records=1&finding=nothing+odd",
        token("review")
    );
    let saved = desk.post("/console/audit/reviews", &filled, &[]).await;
    assert_eq!(saved.status, 303);
    assert_eq!(desk.asked::<SaveReviewRequest>("audit.v1.Audit/SaveReview")[0].0.finding, "nothing odd");
    let review = Review {
        reviewer: HOSTILE.to_owned(),
        finding: HOSTILE.to_owned(),
        filter: "endpoint=main&evil=javascript:x".to_owned(),
        ..Review::default()
    };
    desk.says("audit.v1.Audit/ListReviews", &ListReviewsResponse { reviews: vec![review] });
    let list = desk.get("/console/audit/reviews").await;
    assert!(list.text.contains("endpoint=main") && !list.text.contains("evil"));
    assert!(!list.text.contains("<script>alert"));
}

#[tokio::test]
async fn a_tenant_that_is_not_theirs_cannot_be_chosen() {
    let desk = Desk::of(Role::Viewer).await;
    let mut confined = operator(Role::Viewer);
    (confined.all_tenants, confined.tenants) = (false, vec!["lakeside".to_owned()]);
    desk.says("launch.v1.Operators/Resolve", &confined);
    for path in ["/console", "/console?tenant=general", "/console?tenant=_system"] {
        let answer = desk.get(path).await;
        assert!(answer.status == 403 && answer.text.contains("console.tenant_denied"), "{path}");
    }
    assert!(desk.asked::<QueryRequest>("audit.v1.Audit/Activity").is_empty());
}
