//! What job-worker may ask of fhir-gateway: nothing that its run's authority does not cover.

use sallyport_model::ServiceName::JobWorker;
use sallyport_proto::{
    gateway::v1::{
        CallRequest, Cohort, FetchBulkFileRequest, Read, RunAuthority, call_request::Interaction,
        cohort::Whose,
    },
    types::v1::{Actor, User, actor},
};

use super::{Ask, Facts, Launch, NOBODY, OTHER, Row, case, foreign};

/// A run that would read the own launch's patient by that launch's own grant.
fn authority(tenant: &str, launch: &Launch) -> RunAuthority {
    let user = User { issuer: "https://ehr.example".into(), subject: "u".into(), ..User::default() };
    RunAuthority {
        tenant: tenant.to_owned(),
        endpoint: "sandbox".to_owned(),
        registration: "sandbox".to_owned(),
        job: "the-matrix".to_owned(),
        run_id: NOBODY.to_vec(),
        batch_id: NOBODY.to_vec(),
        feature: "care-gap-alerting".to_owned(),
        purpose: "TREAT".to_owned(),
        grant_id: launch.grant.clone(),
        actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
        cohort: Some(Cohort { whose: Some(Whose::Patient(launch.patient.clone())) }),
        pinned_scope: "patient/Patient.rs patient/Condition.rs patient/Observation.rs".to_owned(),
        expires_at: i64::MAX,
    }
}

fn read(authority: Option<RunAuthority>, patient: &str) -> Ask {
    let read = Read { resource_type: "Patient".to_owned(), id: patient.to_owned() };
    Ask::new(&CallRequest { authority, interaction: Some(Interaction::Read(read)) })
}

fn fetch(authority: Option<RunAuthority>) -> Ask {
    Ask::new(&FetchBulkFileRequest {
        authority,
        file: "a-handle".to_owned(),
        ..FetchBulkFileRequest::default()
    })
}

fn own(f: &Facts) -> RunAuthority {
    authority("general", &f.own)
}

fn without_cohort(f: &Facts) -> RunAuthority {
    RunAuthority { cohort: None, ..own(f) }
}

pub(super) const CALL: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Call",
    callers: &[JobWorker],
    harm: |f| read(Some(own(f)), &f.own.patient),
    cases: &[
        case("no authority", |f| read(None, &f.own.patient), "request.invalid"),
        case("no cohort", |f| read(Some(without_cohort(f)), &f.own.patient), "request.invalid"),
        case("a session's grant", |f| read(Some(own(f)), &f.own.patient), "run.denied"),
        foreign(
            "another tenant's registration",
            |f| read(Some(authority(OTHER, &f.own)), &f.own.patient),
            "run.denied",
        ),
    ],
};

pub(super) const FETCH: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/FetchBulkFile",
    callers: &[JobWorker],
    harm: |f| fetch(Some(own(f))),
    cases: &[
        case("no authority", |_| fetch(None), "request.invalid"),
        case("nobody's handle", |f| fetch(Some(own(f))), "bulk.handle_invalid"),
        foreign("another tenant's registration", |f| fetch(Some(authority(OTHER, &f.own))), "run.denied"),
    ],
};
