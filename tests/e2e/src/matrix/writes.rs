//! The rows of writes.

use sallyport_model::ServiceName::Web;
use sallyport_proto::gateway::v1 as gateway;

use super::{
    asking::Ask,
    rows::{Row, case, foreign},
};

/// A note about a patient, approved as it is.
pub(super) fn write(launch: &[u8], patient: &str) -> Ask {
    let payload = format!(
        r#"{{"resourceType":"DocumentReference","status":"current","subject":{{"reference":"Patient/{patient}"}},"content":[]}}"#
    );
    let approved = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload.as_bytes());
    Ask::new(&gateway::WriteRequest {
        launch_id: launch.to_vec(),
        feature: "clinical-documentation".to_owned(),
        resource_type: "DocumentReference".to_owned(),
        payload: payload.into_bytes(),
        approved_sha256: approved.as_ref().to_vec(),
        ..gateway::WriteRequest::default()
    })
}

/// What became of a launch's writes.
pub(super) fn writes(launch: &[u8]) -> Ask {
    Ask::new(&gateway::WritesRequest { launch_id: launch.to_vec() })
}

pub(super) const WRITE: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Write",
    callers: &[Web],
    harm: |f| write(&f.own.id, &f.own.patient).with(&f.own.secret),
    cases: &[
        case(
            "nothing granted to write",
            |f| write(&f.own.id, &f.own.patient).with(&f.own.secret),
            "feature.off",
        ),
        foreign(
            "another tenant's cookie",
            |f| write(&f.own.id, &f.own.patient).with(&f.other.secret),
            "session.missing",
        ),
        case("revoked", |f| write(&f.ended.id, &f.ended.patient).with(&f.ended.secret), "session.revoked"),
    ],
};

pub(super) const WRITES: Row = Row {
    method: "/sallyport.gateway.v1.FhirGateway/Writes",
    callers: &[Web],
    harm: |f| writes(&f.own.id).with(&f.own.secret),
    cases: &[
        case("its own cookie", |f| writes(&f.own.id).with(&f.own.secret), "ok"),
        foreign("another tenant's cookie", |f| writes(&f.own.id).with(&f.other.secret), "session.missing"),
        case("revoked", |f| writes(&f.ended.id).with(&f.ended.secret), "session.revoked"),
    ],
};
