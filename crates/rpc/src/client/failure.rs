//! When no answer came: what it is called, and when asking again is right.

use std::{future::Future, sync::Arc};

use sallyport_model::ServiceName;
use tonic::Status;

/// A call that got no answer. Never carries what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No replica could be reached: nothing was sent.
    #[error("no replica of {} can be reached", .0.as_str())]
    Unreachable(ServiceName),
    /// The connection failed after the request was sent: it may have been acted on.
    #[error("the connection to {} failed before its answer was complete", .0.as_str())]
    NoAnswer(ServiceName),
}

impl From<PeerError> for Status {
    fn from(error: PeerError) -> Self {
        let mut status = Self::unavailable("the peer gave no answer");
        status.set_source(Arc::new(error));
        status
    }
}

/// Whether a status tells of a transport that failed, not of an answer.
fn is_without_answer(status: &Status) -> bool {
    std::error::Error::source(status).is_some_and(|source| source.is::<PeerError>())
}

/// Makes an idempotent unary call, and makes it once more when the transport failed before an answer; the replica that
/// failed is passed over. Any answer, also a refusal, is final.
///
/// # Errors
/// What the last call gave.
pub async fn once_more<T, F, Fut>(mut call: F) -> Result<T, Status>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Status>>,
{
    match call().await {
        Err(status) if is_without_answer(&status) => call().await,
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use sallyport_model::Code;

    use super::*;

    async fn calls_made(first: impl Fn() -> Status) -> u32 {
        let made = Cell::new(0);
        let _last = once_more(|| {
            made.set(made.get() + 1);
            let answer = if made.get() == 1 { Err(first()) } else { Ok(()) };
            async move { answer }
        })
        .await;
        made.get()
    }

    #[tokio::test]
    async fn only_a_call_without_an_answer_is_made_again() {
        assert_eq!(calls_made(|| PeerError::NoAnswer(ServiceName::Web).into()).await, 2);
        assert_eq!(calls_made(|| crate::status(Code::DependencyDown)).await, 1);
        assert_eq!(calls_made(|| Status::unavailable("said the service itself")).await, 1);
        assert_eq!(calls_made(|| Status::deadline_exceeded("too slow")).await, 1);
    }
}
