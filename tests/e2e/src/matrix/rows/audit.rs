//! What operators may ask of the audit log.

use sallyport_model::ServiceName::Operator;
use sallyport_proto::audit::v1 as audit;

use super::{Ask, OTHER, Row, case, foreign};

fn records(tenant: &str, patient: &str, reason: &str) -> Ask {
    Ask::new(&audit::QueryRequest {
        tenant: tenant.to_owned(),
        patient: patient.to_owned(),
        reason: reason.to_owned(),
        operator: "the matrix".to_owned(),
        limit: 10,
        ..audit::QueryRequest::default()
    })
}

fn counts(tenant: &str) -> Ask {
    Ask::new(&audit::CountsRequest { tenant: tenant.to_owned(), ..audit::CountsRequest::default() })
}

fn log_status(tenant: &str) -> Ask {
    Ask::new(&audit::LogStatusRequest { tenant: tenant.to_owned() })
}

fn leaves(tenant: &str, reason: &str) -> Ask {
    Ask::new(&audit::LeavesRequest {
        tenant: tenant.to_owned(),
        from: 0,
        until: 10,
        operator: "the matrix".to_owned(),
        reason: reason.to_owned(),
    })
}

fn checkpoint(tenant: &str) -> Ask {
    Ask::new(&audit::CheckpointRequest { tenant: tenant.to_owned(), since: 0, size: 0 })
}

fn prove(tenant: &str, reason: &str) -> Ask {
    Ask::new(&audit::ProveRecordRequest {
        tenant: tenant.to_owned(),
        record_id: vec![7; 16],
        operator: "the matrix".to_owned(),
        reason: reason.to_owned(),
        ..audit::ProveRecordRequest::default()
    })
}

fn disclosures(tenant: &str, patient: &str, reason: &str) -> Ask {
    Ask::new(&audit::DisclosuresRequest {
        tenant: tenant.to_owned(),
        patient: patient.to_owned(),
        reason: reason.to_owned(),
        operator: "the matrix".to_owned(),
        limit: 10,
        ..audit::DisclosuresRequest::default()
    })
}

fn sign(body: &str, reason: &str) -> Ask {
    Ask::new(&audit::SignReportRequest {
        body: body.to_owned(),
        operator: "the matrix".to_owned(),
        reason: reason.to_owned(),
    })
}

fn unmask(tenant: &str, reason: &str) -> Ask {
    Ask::new(&audit::UnmaskRequest {
        tenant: tenant.to_owned(),
        record_id: vec![7; 16],
        reason: reason.to_owned(),
    })
}

fn activity(tenant: &str, until: i64) -> Ask {
    Ask::new(&audit::ActivityRequest { tenant: tenant.to_owned(), from: 1, until })
}

fn review(tenant: &str, finding: &str) -> Ask {
    Ask::new(&audit::SaveReviewRequest {
        tenant: tenant.to_owned(),
        finding: finding.to_owned(),
        from: 1,
        until: 2,
        ..audit::SaveReviewRequest::default()
    })
}

fn reviews(tenant: &str) -> Ask {
    Ask::new(&audit::ListReviewsRequest { tenant: tenant.to_owned() })
}

/// Nobody without a session at the console; `console.rs` says who with one.
pub(super) const UNMASK: Row = Row {
    method: "/sallyport.audit.v1.Audit/Unmask",
    callers: &[],
    harm: |_| unmask("general", "the matrix"),
    cases: &[
        case("no such record", |_| unmask("general", "the matrix"), "request.invalid"),
        case("without a reason", |_| unmask("general", ""), "request.invalid"),
    ],
};

pub(super) const ACTIVITY: Row = Row {
    method: "/sallyport.audit.v1.Audit/Activity",
    callers: &[Operator],
    harm: |_| activity("general", 2),
    cases: &[
        case("its tenant", |_| activity("general", 2), "ok"),
        foreign("another tenant", |_| activity(OTHER, 2), "ok"),
        case("no period", |_| activity("general", 0), "request.invalid"),
    ],
};

pub(super) const SAVE_REVIEW: Row = Row {
    method: "/sallyport.audit.v1.Audit/SaveReview",
    callers: &[],
    harm: |_| review("general", "the matrix"),
    cases: &[
        case("its tenant", |_| review("general", "the matrix"), "ok"),
        case("no finding", |_| review("general", ""), "request.invalid"),
    ],
};

pub(super) const LIST_REVIEWS: Row = Row {
    method: "/sallyport.audit.v1.Audit/ListReviews",
    callers: &[Operator],
    harm: |_| reviews("general"),
    cases: &[
        case("its tenant", |_| reviews("general"), "ok"),
        foreign("another tenant", |_| reviews(OTHER), "ok"),
    ],
};

pub(super) const QUERY: Row = Row {
    method: "/sallyport.audit.v1.Audit/Query",
    callers: &[Operator],
    harm: |f| records("general", &f.own.patient, "the matrix"),
    cases: &[
        case("its tenant", |f| records("general", &f.own.patient, "the matrix"), "ok"),
        foreign("another tenant", |f| records(OTHER, &f.own.patient, "the matrix"), "ok"),
        case("without a reason", |f| records("general", &f.own.patient, ""), "request.invalid"),
    ],
};

pub(super) const COUNTS: Row = Row {
    method: "/sallyport.audit.v1.Audit/Counts",
    callers: &[Operator],
    harm: |_| counts("general"),
    cases: &[
        case("its tenant", |_| counts("general"), "ok"),
        foreign("another tenant", |_| counts(OTHER), "ok"),
    ],
};

pub(super) const LOG_STATUS: Row = Row {
    method: "/sallyport.audit.v1.Audit/LogStatus",
    callers: &[Operator],
    harm: |_| log_status("general"),
    cases: &[
        case("its tenant", |_| log_status("general"), "ok"),
        case("all tenants", |_| log_status(""), "ok"),
        foreign("another tenant", |_| log_status(OTHER), "ok"),
    ],
};

pub(super) const LEAVES: Row = Row {
    method: "/sallyport.audit.v1.Audit/Leaves",
    callers: &[Operator],
    harm: |_| leaves("general", "the matrix"),
    cases: &[
        case("its tenant", |_| leaves("general", "the matrix"), "ok"),
        foreign("another tenant", |_| leaves(OTHER, "the matrix"), "ok"),
        case("without a reason", |_| leaves("general", ""), "request.invalid"),
    ],
};

pub(super) const CHECKPOINT: Row = Row {
    method: "/sallyport.audit.v1.Audit/Checkpoint",
    callers: &[Operator],
    harm: |_| checkpoint("general"),
    cases: &[
        case("its tenant", |_| checkpoint("general"), "ok"),
        foreign("another tenant", |_| checkpoint(OTHER), "ok"),
    ],
};

pub(super) const PROVE_RECORD: Row = Row {
    method: "/sallyport.audit.v1.Audit/ProveRecord",
    callers: &[Operator],
    harm: |_| prove("general", "the matrix"),
    cases: &[
        case("no such record", |_| prove("general", "the matrix"), "request.invalid"),
        foreign("another tenant", |_| prove(OTHER, "the matrix"), "request.invalid"),
        case("without a reason", |_| prove("general", ""), "request.invalid"),
    ],
};

pub(super) const DISCLOSURES: Row = Row {
    method: "/sallyport.audit.v1.Audit/Disclosures",
    callers: &[Operator],
    harm: |f| disclosures("general", &f.own.patient, "the matrix"),
    cases: &[
        case("its tenant", |f| disclosures("general", &f.own.patient, "the matrix"), "ok"),
        foreign("another tenant", |f| disclosures(OTHER, &f.own.patient, "the matrix"), "ok"),
        case("nobody named", |_| disclosures("general", "", "the matrix"), "request.invalid"),
        case("without a reason", |f| disclosures("general", &f.own.patient, ""), "request.invalid"),
    ],
};

pub(super) const SIGN_REPORT: Row = Row {
    method: "/sallyport.audit.v1.Audit/SignReport",
    callers: &[Operator],
    harm: |_| sign("{}", "the matrix"),
    cases: &[
        case("a report", |_| sign("{}", "the matrix"), "ok"),
        case("what could be a checkpoint", |_| sign("5\nAAAA", "the matrix"), "request.invalid"),
        case("without a reason", |_| sign("{}", ""), "request.invalid"),
    ],
};
