//! What operators may ask of job-worker, and what scans found, which is for the gateway. The matrix' tenants have no jobs: what is shown is who gets as far as being told so.

use sallyport_model::ServiceName::{FhirGateway, Operator};
use sallyport_proto::jobs::v1::decide_request::Decision;
use sallyport_proto::jobs::v1::{
    CareGapsOfPatientRequest, ControlRequest, CountProposalsRequest, DecideRequest, DryRunRequest,
    EraseRequest, FinishRequest, GetRunRequest, KillRequest, ListDeadLettersRequest, ListJobsRequest,
    ListProposalsRequest, ListRunsRequest, ListUnfinishedRequest, RedriveRequest, Reject, SettleRequest,
    StartRequest,
};

use super::{Ask, NOBODY, OTHER, Row, case, foreign};

fn start(tenant: &str, reason: &str) -> Ask {
    Ask::new(&StartRequest {
        tenant: tenant.to_owned(),
        job: "nightly".to_owned(),
        by: "the matrix".to_owned(),
        reason: reason.to_owned(),
        ..StartRequest::default()
    })
}

fn control(run: &[u8]) -> Ask {
    let (by, reason) = ("the matrix".to_owned(), "the matrix".to_owned());
    Ask::new(&ControlRequest { run_id: run.to_vec(), by, reason })
}

fn dry_run(tenant: &str) -> Ask {
    Ask::new(&DryRunRequest { tenant: tenant.to_owned(), job: "nightly".to_owned() })
}

fn kill(tenant: &str, reason: &str) -> Ask {
    Ask::new(&KillRequest {
        tenant: tenant.to_owned(),
        vendor: String::new(),
        by: "the matrix".to_owned(),
        reason: reason.to_owned(),
        ..KillRequest::default()
    })
}

fn erase(tenant: &str, endpoint: &str) -> Ask {
    Ask::new(&EraseRequest {
        tenant: tenant.to_owned(),
        endpoint: endpoint.to_owned(),
        patient: "nobody".to_owned(),
        by: "the matrix".to_owned(),
        reason: "the matrix".to_owned(),
    })
}

fn care_gaps(tenant: &str, endpoint: &str) -> Ask {
    Ask::new(&CareGapsOfPatientRequest {
        tenant: tenant.to_owned(),
        endpoint: endpoint.to_owned(),
        patient: "nobody".to_owned(),
    })
}

fn redrive(run: &[u8]) -> Ask {
    Ask::new(&RedriveRequest {
        run_id: run.to_vec(),
        letter_id: Vec::new(),
        by: "the matrix".to_owned(),
        reason: "the matrix".to_owned(),
    })
}

fn runs(limit: i32) -> Ask {
    Ask::new(&ListRunsRequest { tenant: "general".to_owned(), job: String::new(), limit })
}

/// Pause, resume, stop and retry are asked alike.
macro_rules! controls {
    ($method:literal) => {
        Row {
            method: $method,
            callers: &[Operator],
            harm: |_| control(&NOBODY),
            cases: &[
                case("unknown", |_| control(&NOBODY), "run.unknown"),
                case("nothing", |_| control(&[]), "request.invalid"),
            ],
        }
    };
}

pub(super) const LIST_JOBS: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/ListJobs",
    callers: &[Operator],
    harm: |_| Ask::new(&ListJobsRequest::default()),
    cases: &[case("all tenants", |_| Ask::new(&ListJobsRequest::default()), "ok")],
};

pub(super) const LIST_RUNS: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/ListRuns",
    callers: &[Operator],
    harm: |_| runs(10),
    cases: &[case("some", |_| runs(10), "ok"), case("none", |_| runs(0), "request.invalid")],
};

pub(super) const GET_RUN: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/GetRun",
    callers: &[Operator],
    harm: |_| Ask::new(&GetRunRequest { run_id: NOBODY.to_vec() }),
    cases: &[case("unknown", |_| Ask::new(&GetRunRequest { run_id: NOBODY.to_vec() }), "run.unknown")],
};

pub(super) const DRY_RUN: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/DryRun",
    callers: &[Operator],
    harm: |_| dry_run("general"),
    cases: &[
        case("a job that is not there", |_| dry_run("general"), "job.unknown"),
        foreign("another tenant", |_| dry_run(OTHER), "job.unknown"),
    ],
};

pub(super) const START: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/Start",
    callers: &[Operator],
    harm: |_| start("general", "the matrix"),
    cases: &[
        case("a job that is not there", |_| start("general", "the matrix"), "job.unknown"),
        foreign("another tenant", |_| start(OTHER, "the matrix"), "job.unknown"),
        case("without a reason", |_| start("general", ""), "request.invalid"),
    ],
};

pub(super) const PAUSE: Row = controls!("/sallyport.jobs.v1.Jobs/Pause");
pub(super) const RESUME: Row = controls!("/sallyport.jobs.v1.Jobs/Resume");
pub(super) const STOP: Row = controls!("/sallyport.jobs.v1.Jobs/Stop");
pub(super) const RETRY: Row = controls!("/sallyport.jobs.v1.Jobs/Retry");

pub(super) const LETTERS: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/ListDeadLetters",
    callers: &[Operator],
    harm: |_| Ask::new(&ListDeadLettersRequest::default()),
    cases: &[case("all", |_| Ask::new(&ListDeadLettersRequest::default()), "ok")],
};

pub(super) const REDRIVE: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/Redrive",
    callers: &[Operator],
    harm: |_| redrive(&NOBODY),
    cases: &[case("unknown", |_| redrive(&NOBODY), "run.unknown")],
};

pub(super) const RECONCILE_RUN: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/ReconcileRun",
    callers: &[Operator],
    harm: |_| control(&NOBODY),
    cases: &[case("unknown", |_| control(&NOBODY), "run.unknown")],
};

pub(super) const WITHDRAW_PROPOSALS: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/WithdrawProposals",
    callers: &[Operator],
    harm: |_| control(&NOBODY),
    cases: &[case("unknown", |_| control(&NOBODY), "run.unknown")],
};

pub(super) const KILL: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/Kill",
    callers: &[Operator],
    harm: |_| kill("general", "the matrix"),
    cases: &[
        case("its tenant", |_| kill("general", "the matrix"), "ok"),
        case("an unknown tenant", |_| kill("nowhere", "the matrix"), "request.invalid"),
        case("nobody", |_| kill("", "the matrix"), "request.invalid"),
        case("without a reason", |_| kill("general", ""), "request.invalid"),
    ],
};

pub(super) const ALLOW: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/Allow",
    callers: &[Operator],
    harm: |_| kill("general", "the matrix"),
    cases: &[
        case("its tenant", |_| kill("general", "the matrix"), "ok"),
        case("nobody", |_| kill("", "the matrix"), "request.invalid"),
    ],
};

pub(super) const ERASE: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/Erase",
    callers: &[Operator],
    harm: |_| erase("general", "sandbox"),
    cases: &[
        case("a patient of whom nothing is kept", |_| erase("general", "sandbox"), "ok"),
        case("an endpoint that is not the tenant's", |_| erase("general", "nowhere"), "request.invalid"),
        foreign("an unknown tenant", |_| erase("nowhere", "sandbox"), "request.invalid"),
    ],
};

pub(super) const CARE_GAPS: Row = Row {
    method: "/sallyport.jobs.v1.CareGaps/OfPatient",
    callers: &[FhirGateway],
    harm: |_| care_gaps("general", "sandbox"),
    cases: &[
        case("a patient whom no scan has judged", |_| care_gaps("general", "sandbox"), "ok"),
        case("an endpoint that is not the tenant's", |_| care_gaps("general", "nowhere"), "request.invalid"),
        foreign("an unknown tenant", |_| care_gaps("nowhere", "sandbox"), "request.invalid"),
    ],
};

fn proposals(tenant: &str) -> Ask {
    let (tenant, endpoint, patient) = (tenant.to_owned(), "sandbox".to_owned(), "nobody".to_owned());
    Ask::new(&ListProposalsRequest { tenant, endpoint, patient })
}

fn decide(tenant: &str) -> Ask {
    Ask::new(&DecideRequest {
        tenant: tenant.to_owned(),
        endpoint: "sandbox".to_owned(),
        patient: "nobody".to_owned(),
        proposal_id: NOBODY.to_vec(),
        launch_id: NOBODY.to_vec(),
        user: Some(sallyport_proto::types::v1::User::default()),
        decision: Some(Decision::Reject(Reject { reason: "the matrix".to_owned() })),
    })
}

fn settle(tenant: &str) -> Ask {
    Ask::new(&SettleRequest {
        tenant: tenant.to_owned(),
        endpoint: "sandbox".to_owned(),
        patient: "nobody".to_owned(),
        proposal_id: NOBODY.to_vec(),
        outcome: "applied".to_owned(),
        ..SettleRequest::default()
    })
}

pub(super) const LIST_PROPOSALS: Row = Row {
    method: "/sallyport.jobs.v1.Proposals/ListOfPatient",
    callers: &[FhirGateway],
    harm: |_| proposals("general"),
    cases: &[
        case("a patient about whom nothing is proposed", |_| proposals("general"), "ok"),
        foreign("an unknown tenant", |_| proposals("nowhere"), "request.invalid"),
    ],
};

pub(super) const DECIDE: Row = Row {
    method: "/sallyport.jobs.v1.Proposals/Decide",
    callers: &[FhirGateway],
    harm: |_| decide("general"),
    cases: &[
        case("a proposal that is not the patient's", |_| decide("general"), "proposal.unknown"),
        foreign("an unknown tenant", |_| decide("nowhere"), "request.invalid"),
    ],
};

pub(super) const SETTLE: Row = Row {
    method: "/sallyport.jobs.v1.Proposals/Settle",
    callers: &[FhirGateway],
    harm: |_| settle("general"),
    cases: &[
        case("a proposal that is not the patient's", |_| settle("general"), "proposal.unknown"),
        foreign("an unknown tenant", |_| settle("nowhere"), "request.invalid"),
    ],
};

fn list_unfinished(untouched_for_ms: i64) -> Ask {
    Ask::new(&ListUnfinishedRequest { untouched_for_ms, after: Vec::new() })
}

fn finish(tenant: &str) -> Ask {
    Ask::new(&FinishRequest {
        proposal_id: NOBODY.to_vec(),
        tenant: tenant.to_owned(),
        touched_at: 1,
        outcome: "applied".to_owned(),
        ..FinishRequest::default()
    })
}

pub(super) const LIST_UNFINISHED: Row = Row {
    method: "/sallyport.jobs.v1.Proposals/ListUnfinished",
    callers: &[FhirGateway],
    harm: |_| list_unfinished(0),
    cases: &[
        case("no approval is unfinished", |_| list_unfinished(0), "ok"),
        case("a time that is none", |_| list_unfinished(-1), "request.invalid"),
    ],
};

pub(super) const FINISH: Row = Row {
    method: "/sallyport.jobs.v1.Proposals/Finish",
    callers: &[FhirGateway],
    harm: |_| finish("general"),
    cases: &[
        case("an approval that is not there: nothing is finished", |_| finish("general"), "ok"),
        foreign("another tenant: nothing is finished", |_| finish(OTHER), "ok"),
    ],
};

fn count_proposals(tenant: &str) -> Ask {
    Ask::new(&CountProposalsRequest { tenant: tenant.to_owned() })
}

pub(super) const COUNT_PROPOSALS: Row = Row {
    method: "/sallyport.jobs.v1.Jobs/CountProposals",
    callers: &[Operator],
    harm: |_| count_proposals(""),
    cases: &[
        case("its tenant", |_| count_proposals("general"), "ok"),
        foreign("another tenant", |_| count_proposals(OTHER), "ok"),
    ],
};
