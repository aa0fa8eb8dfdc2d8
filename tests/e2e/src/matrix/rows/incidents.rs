//! Incidents: for operators alone.

use sallyport_model::ServiceName::Operator;
use sallyport_proto::launch::v1::{
    CloseIncidentRequest, IncidentScope, ListIncidentsRequest, PlanIncidentRequest, RunIncidentRequest,
    incident_scope::What,
};

use super::{Ask, NOBODY, OTHER, Row, case, foreign};

fn scope(tenant: &str, what: Option<What>) -> Option<IncidentScope> {
    Some(IncidentScope { tenant: tenant.to_owned(), what })
}

fn launch(id: &[u8]) -> Option<What> {
    Some(What::Launch(id.to_vec()))
}

fn plan(tenant: &str, what: Option<What>) -> Ask {
    Ask::new(&PlanIncidentRequest { scope: scope(tenant, what) })
}

fn run(tenant: &str, what: Option<What>) -> Ask {
    Ask::new(&RunIncidentRequest {
        incident_id: Vec::new(),
        scope: scope(tenant, what),
        operator: "the matrix".to_owned(),
        reason: "the matrix".to_owned(),
    })
}

fn close(id: &[u8]) -> Ask {
    Ask::new(&CloseIncidentRequest { incident_id: id.to_vec(), jobs: Vec::new() })
}

pub(super) const PLAN: Row = Row {
    method: "/sallyport.launch.v1.Incidents/Plan",
    callers: &[Operator],
    harm: |f| plan("general", launch(&f.own.id)),
    cases: &[
        case("its tenant", |f| plan("general", launch(&f.own.id)), "ok"),
        foreign("another tenant", |_| plan(OTHER, Some(What::All(true))), "ok"),
        // The scope is told back as it was asked for.
        case("a launch of another tenant", |f| plan(OTHER, launch(&f.own.id)), "ok"),
        case("a scope that names nothing", |_| plan("general", None), "request.invalid"),
        case("no tenant", |f| plan("", launch(&f.own.id)), "request.invalid"),
    ],
};

pub(super) const RUN: Row = Row {
    method: "/sallyport.launch.v1.Incidents/Run",
    callers: &[Operator],
    harm: |f| run("general", launch(&f.own.id)),
    cases: &[
        case("a launch that nobody has", |_| run("general", launch(&NOBODY)), "ok"),
        foreign("another tenant", |_| run(OTHER, launch(&NOBODY)), "ok"),
        case("a launch of another tenant", |f| run(OTHER, launch(&f.own.id)), "ok"),
        case("a scope that names nothing", |_| run("general", None), "request.invalid"),
        case(
            "a vendor that is nowhere",
            |_| run("", Some(What::Vendor("nobody".to_owned()))),
            "request.invalid",
        ),
    ],
};

pub(super) const CLOSE: Row = Row {
    method: "/sallyport.launch.v1.Incidents/Close",
    callers: &[Operator],
    harm: |_| close(&NOBODY),
    cases: &[case("unknown", |_| close(&NOBODY), "request.invalid")],
};

pub(super) const LIST: Row = Row {
    method: "/sallyport.launch.v1.Incidents/List",
    callers: &[Operator],
    harm: |_| Ask::new(&ListIncidentsRequest {}),
    cases: &[case("any", |_| Ask::new(&ListIncidentsRequest {}), "ok")],
};
