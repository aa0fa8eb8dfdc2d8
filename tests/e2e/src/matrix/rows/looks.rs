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

pub(super) const CAPABILITY: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Capability",
    callers: &[Operator],
    harm: |_| capability("general"),
    cases: &[
        case("any", |_| capability("general"), "ok"),
        case("a tenant that does not exist", |_| capability("nowhere"), "request.invalid"),
    ],
};
