//! Stable codes over gRPC: the status carries the code as metadata and its sentence as message, nothing else.

use sallyport_model::{Code, code::Kind};
use tonic::{Status, metadata::MetadataValue};

/// Where a status carries the stable code.
pub const CODE_METADATA: &str = "sallyport-code";

/// Seconds until a try makes sense, where it is known.
const RETRY_AFTER_METADATA: &str = "retry-after";

/// The status of a stable code.
pub fn status(code: Code) -> Status {
    let grpc = match code.kind() {
        Kind::Invalid => tonic::Code::InvalidArgument,
        Kind::Unauthenticated => tonic::Code::Unauthenticated,
        Kind::Denied => tonic::Code::PermissionDenied,
        Kind::NotFound => tonic::Code::NotFound,
        Kind::Conflict => tonic::Code::FailedPrecondition,
        Kind::TooLarge => tonic::Code::OutOfRange,
        Kind::TooMany => tonic::Code::ResourceExhausted,
        Kind::Upstream => tonic::Code::Aborted,
        Kind::Unavailable => tonic::Code::Unavailable,
        Kind::Timeout => tonic::Code::DeadlineExceeded,
        Kind::Internal => tonic::Code::Internal,
    };
    let mut status = Status::new(grpc, code.sentence());
    status.metadata_mut().insert(CODE_METADATA, MetadataValue::from_static(code.as_str()));
    status
}

/// The status of a stable code with the seconds to wait.
pub fn status_with_retry_after(code: Code, seconds: u64) -> Status {
    let mut status = status(code);
    status.metadata_mut().insert(RETRY_AFTER_METADATA, MetadataValue::from(seconds));
    status
}

/// The stable code of a status. One that carries none came from the transport: the peer is not available, too slow,
/// or answered what nobody here wrote.
pub fn code_of(status: &Status) -> Code {
    let stable = status.metadata().get(CODE_METADATA).and_then(|v| v.to_str().ok()).and_then(Code::parse);
    stable.unwrap_or(match status.code() {
        tonic::Code::Unavailable | tonic::Code::Cancelled | tonic::Code::DeadlineExceeded => {
            Code::DependencyDown
        }
        tonic::Code::InvalidArgument => Code::RequestInvalid,
        _ => Code::Internal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_wire() {
        for code in Code::ALL {
            assert_eq!(code_of(&status(*code)), *code);
        }
    }

    #[test]
    fn a_peer_that_is_down_is_a_dependency_down() {
        assert_eq!(code_of(&Status::unavailable("connection refused")), Code::DependencyDown);
    }
}
