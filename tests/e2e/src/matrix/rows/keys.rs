//! What operators may do with data keys; three services offer the same.

use sallyport_model::ServiceName::Operator;
use sallyport_proto::keys::v1 as keys;

use super::{Ask, Row, case};

fn rewrap(limit: i32) -> Ask {
    Ask::new(&keys::RewrapRequest { reason: "the matrix".to_owned(), limit })
}

pub(super) const REWRAP: Row = Row {
    method: "/sallyport.keys.v1.DataKeys/Rewrap",
    callers: &[Operator],
    harm: |_| rewrap(10),
    cases: &[case("some keys", |_| rewrap(10), "ok"), case("none", |_| rewrap(0), "request.invalid")],
};

pub(super) const STATUS: Row = Row {
    method: "/sallyport.keys.v1.DataKeys/Status",
    callers: &[Operator],
    harm: |_| Ask::new(&keys::StatusRequest {}),
    cases: &[case("any", |_| Ask::new(&keys::StatusRequest {}), "ok")],
};
