//! What operators may ask about endpoints.

use sallyport_model::ServiceName::Operator;
use sallyport_proto::gateway::v1 as gateway;

use super::{Ask, Row, case};

fn probe(endpoint: &str, reason: &str) -> Ask {
    let (tenant, endpoint, reason) = ("general".to_owned(), endpoint.to_owned(), reason.to_owned());
    Ask::new(&gateway::ProbeRequest { tenant, endpoint, reason })
}

fn capability(tenant: &str) -> Ask {
    let (tenant, endpoint) = (tenant.to_owned(), "sandbox".to_owned());
    Ask::new(&gateway::CapabilityRequest { tenant, endpoint, since: 0 })
}

pub(super) const PROBE: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Probe",
    callers: &[Operator],
    harm: |_| probe("sandbox", "the matrix"),
    cases: &[
        case("with a reason", |_| probe("sandbox", "the matrix"), "ok"),
        case("without", |_| probe("sandbox", ""), "request.invalid"),
        case("an endpoint that does not exist", |_| probe("nowhere", "the matrix"), "request.invalid"),
    ],
};

fn look(tenant: &str, endpoint: &str, reason: &str) -> Ask {
    Ask::new(&gateway::LookRequest {
        tenant: tenant.to_owned(),
        endpoint: endpoint.to_owned(),
        reason: reason.to_owned(),
        run_id: vec![9; 16],
        patient: "pat-0001".to_owned(),
        path: "/Condition".to_owned(),
        query: "patient=pat-0001".to_owned(),
    })
}

pub(super) const LOOK: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Look",
    callers: &[Operator],
    harm: |_| look("general", "sandbox", "the matrix"),
    cases: &[
        case("nobody said how", |_| look("general", "sandbox", "the matrix"), "look.not_configured"),
        case("without a reason", |_| look("general", "sandbox", ""), "request.invalid"),
        case(
            "an endpoint that does not exist",
            |_| look("general", "nowhere", "the matrix"),
            "request.invalid",
        ),
    ],
};

pub(super) const CAPABILITY: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Capability",
    callers: &[Operator],
    harm: |_| capability("general"),
    cases: &[
        case("any", |_| capability("general"), "ok"),
        case("a tenant that does not exist", |_| capability("nowhere"), "request.invalid"),
    ],
};
