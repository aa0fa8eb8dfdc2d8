//! The matrix itself: one row per method. A new method does not pass until somebody has written down who may call it.

mod audit;
mod console;
mod incidents;
mod jobs;
mod keys;
mod looks;
mod operators;
mod runs;
mod vault;

use sallyport_model::ServiceName::{self, Edge, FhirGateway, JobWorker, Operator, Web};
use sallyport_proto::{
    gateway::v1 as gateway,
    launch::v1 as launch,
    launch::v1::report_activity_request::Activity,
    types::v1::{Selector, User, WatchRevocationsRequest, selector::By},
};

use super::{
    asking::Ask,
    expired::Opening,
    scene::{Facts, Launch, OTHER},
    writes::{self, write, writes as list_writes},
};

pub(super) use console::CONSOLE;

/// One method.
pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) callers: &'static [ServiceName],
    /// The call that would do the most, made by everybody who may not.
    pub(super) harm: fn(&Facts) -> Ask,
    /// Calls by those who may.
    pub(super) cases: &'static [Case],
}

/// One state.
pub(super) struct Case {
    pub(super) state: &'static str,
    pub(super) ask: fn(&Facts) -> Ask,
    pub(super) expect: &'static str,
    /// Asked in another's name: nothing of the own launch may be in the answer.
    pub(super) is_foreign: bool,
}

pub(super) const fn case(state: &'static str, ask: fn(&Facts) -> Ask, expect: &'static str) -> Case {
    Case { state, ask, expect, is_foreign: false }
}

pub(super) const fn foreign(state: &'static str, ask: fn(&Facts) -> Ask, expect: &'static str) -> Case {
    Case { state, ask, expect, is_foreign: true }
}

/// No launch and no grant has this id.
const NOBODY: [u8; 16] = [7; 16];

fn resolve(launch: &[u8], secret: &str) -> Ask {
    Ask::new(&launch::ResolveRequest { launch_id: launch.to_vec(), session_secret: secret.to_owned() })
}

fn report(launch: &Launch) -> Ask {
    let activity = Activity { launch_id: launch.id.clone(), last_active_at: i64::MAX };
    Ask::new(&launch::ReportActivityRequest { activities: vec![activity] })
}

fn end(tenant: &str, by: Option<By>) -> Ask {
    let (tenant, reason) = (tenant.to_owned(), "the matrix".to_owned());
    Ask::new(&launch::RevokeRequest { tenant, selector: Some(Selector { by }), reason })
}

fn list(tenant: &str) -> Ask {
    Ask::new(&launch::ListSessionsRequest { tenant: tenant.to_owned() })
}

fn watch(_: &Facts) -> Ask {
    Ask::new(&WatchRevocationsRequest { after: 0 })
}

fn view(launch: &[u8]) -> Ask {
    Ask::new(&gateway::ViewRequest { launch_id: launch.to_vec() })
}

fn chart(launch: &[u8], section: &str) -> Ask {
    let (launch_id, section) = (launch.to_vec(), section.to_owned());
    Ask::new(&gateway::ChartRequest { launch_id, section, by_person: false })
}

fn care_gaps(launch: &[u8]) -> Ask {
    Ask::new(&gateway::CareGapsRequest { launch_id: launch.to_vec(), by_person: false })
}

fn proposals(launch: &[u8]) -> Ask {
    Ask::new(&gateway::ProposalsRequest { launch_id: launch.to_vec(), by_person: false })
}

fn decide(launch: &[u8]) -> Ask {
    let reject = sallyport_proto::jobs::v1::Reject { reason: "the matrix".to_owned() };
    Ask::new(&gateway::DecideProposalRequest {
        launch_id: launch.to_vec(),
        proposal_id: NOBODY.to_vec(),
        decision: Some(gateway::decide_proposal_request::Decision::Reject(reject)),
    })
}

fn source(launch: &[u8], patient: &str) -> Ask {
    let (launch_id, reference) = (launch.to_vec(), format!("Patient/{patient}"));
    Ask::new(&gateway::SourceRequest { launch_id, reference })
}

fn nobody() -> By {
    By::User(User {
        issuer: "https://nobody.example".to_owned(),
        subject: "nobody".to_owned(),
        ..User::default()
    })
}

/// Every method that opens something by a session.
pub(super) const EXPIRED: &[Opening] = &[
    Opening {
        method: "/sallyport.launch.v1.LaunchAuth/Resolve",
        callers: &[FhirGateway],
        ask: |launch| resolve(&launch.id, &launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/View",
        callers: &[Web, Edge],
        ask: |launch| view(&launch.id).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/Chart",
        callers: &[Web],
        ask: |launch| chart(&launch.id, "banner").with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/CareGaps",
        callers: &[Web],
        ask: |launch| care_gaps(&launch.id).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/Proposals",
        callers: &[Web],
        ask: |launch| proposals(&launch.id).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/DecideProposal",
        callers: &[Web],
        ask: |launch| decide(&launch.id).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/Source",
        callers: &[Web],
        ask: |launch| source(&launch.id, &launch.patient).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/Write",
        callers: &[Web],
        ask: |launch| write(&launch.id, &launch.patient).with(&launch.secret),
    },
    Opening {
        method: "/sallyport.gateway.v1.FhirGateway/Writes",
        callers: &[Web],
        ask: |launch| list_writes(&launch.id).with(&launch.secret),
    },
];

/// Every method.
pub(super) const ROWS: &[Row] = &[
    looks::PROBE,
    looks::LOOK,
    looks::CAPABILITY,
    Row {
        method: "/sallyport.launch.v1.LaunchAuth/Resolve",
        callers: &[FhirGateway],
        harm: |f| resolve(&f.own.id, &f.own.secret),
        cases: &[
            case("its own cookie", |f| resolve(&f.own.id, &f.own.secret), "ok"),
            foreign("another tenant's cookie", |f| resolve(&f.own.id, &f.other.secret), "session.missing"),
            foreign("another launch's cookie", |f| resolve(&f.own.id, &f.ended.secret), "session.missing"),
            foreign("no cookie", |f| resolve(&f.own.id, ""), "session.missing"),
            case("revoked", |f| resolve(&f.ended.id, &f.ended.secret), "session.revoked"),
            case("unknown", |f| resolve(&NOBODY, &f.own.secret), "session.missing"),
        ],
    },
    Row {
        method: "/sallyport.launch.v1.LaunchAuth/ReportActivity",
        callers: &[FhirGateway],
        harm: |f| report(&f.own),
        cases: &[
            case("open", |f| report(&f.own), "ok"),
            case("revoked, and stays so", |f| report(&f.ended), "ok"),
        ],
    },
    Row {
        method: "/sallyport.launch.v1.LaunchAuth/Revoke",
        callers: &[Operator],
        harm: |f| end("general", Some(By::Launch(f.own.id.clone()))),
        cases: &[
            case("a person without sessions", |_| end("general", Some(nobody())), "ok"),
            foreign("a launch of another tenant", |f| end(OTHER, Some(By::Launch(f.own.id.clone()))), "ok"),
            foreign("a grant of another tenant", |f| end(OTHER, Some(By::Grant(f.own.grant.clone()))), "ok"),
            foreign(
                "another tenant whole",
                |_| end(OTHER, Some(By::Tenant("general".to_owned()))),
                "request.invalid",
            ),
            case("a selector that names nothing", |_| end("general", None), "request.invalid"),
        ],
    },
    Row {
        method: "/sallyport.launch.v1.LaunchAuth/ListSessions",
        callers: &[Operator],
        harm: |_| list("general"),
        cases: &[
            case("its tenant", |_| list("general"), "ok"),
            foreign("another tenant", |_| list(OTHER), "ok"),
            case("an unknown tenant", |_| list("nowhere"), "request.invalid"),
        ],
    },
    Row {
        method: "/sallyport.launch.v1.LaunchAuth/WatchRevocations",
        callers: &[FhirGateway, JobWorker, Web],
        harm: watch,
        cases: &[case("from the start", watch, "ok")],
    },
    incidents::PLAN,
    incidents::RUN,
    incidents::CLOSE,
    incidents::LIST,
    vault::EXCHANGE,
    vault::ACCESS_TOKEN,
    vault::CLIENT_CREDENTIALS,
    vault::CHECK_GRANT,
    vault::REVOKE,
    vault::COUNT_GRANTS,
    vault::PUBLIC_KEYS,
    vault::INTROSPECT,
    vault::ROTATE_KEYS,
    vault::KEY_STATUS,
    vault::WATCH_REVOCATIONS,
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/View",
        callers: &[Web, Edge],
        harm: |f| view(&f.own.id).with(&f.own.secret),
        cases: &[
            case("its own cookie", |f| view(&f.own.id).with(&f.own.secret), "ok"),
            foreign("another tenant's cookie", |f| view(&f.own.id).with(&f.other.secret), "session.missing"),
            foreign("no cookie", |f| view(&f.own.id), "session.missing"),
            case("revoked", |f| view(&f.ended.id).with(&f.ended.secret), "session.revoked"),
        ],
    },
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/Chart",
        callers: &[Web],
        harm: |f| chart(&f.own.id, "banner").with(&f.own.secret),
        cases: &[
            case("its own cookie", |f| chart(&f.own.id, "banner").with(&f.own.secret), "ok"),
            foreign(
                "another tenant's cookie",
                |f| chart(&f.own.id, "banner").with(&f.other.secret),
                "session.missing",
            ),
            foreign("no cookie", |f| chart(&f.own.id, "banner"), "session.missing"),
            case("revoked", |f| chart(&f.ended.id, "banner").with(&f.ended.secret), "session.revoked"),
            case(
                "a section that does not exist",
                |f| chart(&f.own.id, "all").with(&f.own.secret),
                "request.not_found",
            ),
        ],
    },
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/CareGaps",
        callers: &[Web],
        harm: |f| care_gaps(&f.own.id).with(&f.own.secret),
        cases: &[
            case("an app without the feature", |f| care_gaps(&f.own.id).with(&f.own.secret), "feature.off"),
            foreign(
                "another tenant's cookie",
                |f| care_gaps(&f.own.id).with(&f.other.secret),
                "session.missing",
            ),
            foreign("no cookie", |f| care_gaps(&f.own.id), "session.missing"),
            case("revoked", |f| care_gaps(&f.ended.id).with(&f.ended.secret), "session.revoked"),
        ],
    },
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/Proposals",
        callers: &[Web],
        harm: |f| proposals(&f.own.id).with(&f.own.secret),
        cases: &[
            case("an app without the feature", |f| proposals(&f.own.id).with(&f.own.secret), "feature.off"),
            foreign(
                "another tenant's cookie",
                |f| proposals(&f.own.id).with(&f.other.secret),
                "session.missing",
            ),
            foreign("no cookie", |f| proposals(&f.own.id), "session.missing"),
            case("revoked", |f| proposals(&f.ended.id).with(&f.ended.secret), "session.revoked"),
        ],
    },
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/DecideProposal",
        callers: &[Web],
        harm: |f| decide(&f.own.id).with(&f.own.secret),
        cases: &[
            case("an app without the feature", |f| decide(&f.own.id).with(&f.own.secret), "feature.off"),
            foreign(
                "another tenant's cookie",
                |f| decide(&f.own.id).with(&f.other.secret),
                "session.missing",
            ),
            foreign("no cookie", |f| decide(&f.own.id), "session.missing"),
            case("revoked", |f| decide(&f.ended.id).with(&f.ended.secret), "session.revoked"),
        ],
    },
    writes::WRITE,
    writes::WRITES,
    Row {
        method: "/sallyport.gateway.v1.FhirGateway/Source",
        callers: &[Web],
        harm: |f| source(&f.own.id, &f.own.patient).with(&f.own.secret),
        cases: &[
            case("its own cookie", |f| source(&f.own.id, &f.own.patient).with(&f.own.secret), "ok"),
            foreign(
                "another patient",
                |f| source(&f.own.id, &f.stranger).with(&f.own.secret),
                "fhir.patient_denied",
            ),
            foreign(
                "another tenant's cookie",
                |f| source(&f.own.id, &f.own.patient).with(&f.other.secret),
                "session.missing",
            ),
            case(
                "revoked",
                |f| source(&f.ended.id, &f.ended.patient).with(&f.ended.secret),
                "session.revoked",
            ),
        ],
    },
    runs::CALL,
    runs::FETCH,
    jobs::LIST_JOBS,
    jobs::LIST_RUNS,
    jobs::GET_RUN,
    jobs::DRY_RUN,
    jobs::START,
    jobs::PAUSE,
    jobs::RESUME,
    jobs::STOP,
    jobs::RETRY,
    jobs::LETTERS,
    jobs::REDRIVE,
    jobs::KILL,
    jobs::ALLOW,
    jobs::ERASE,
    jobs::CARE_GAPS,
    keys::REWRAP,
    keys::STATUS,
    jobs::COUNT_PROPOSALS,
    jobs::RECONCILE_RUN,
    jobs::WITHDRAW_PROPOSALS,
    jobs::LIST_PROPOSALS,
    jobs::DECIDE,
    jobs::SETTLE,
    jobs::LIST_UNFINISHED,
    jobs::FINISH,
    operators::INVITE,
    operators::PEEK_LINK,
    operators::SIGN_IN,
    operators::RESOLVE,
    operators::SIGN_OUT,
    operators::LIST_OPERATORS,
    operators::END_OPERATOR,
    audit::QUERY,
    audit::COUNTS,
    audit::LOG_STATUS,
    audit::LEAVES,
    audit::CHECKPOINT,
    audit::PROVE_RECORD,
    audit::DISCLOSURES,
    audit::SIGN_REPORT,
    audit::UNMASK,
    audit::ACTIVITY,
    audit::SAVE_REVIEW,
    audit::LIST_REVIEWS,
];
