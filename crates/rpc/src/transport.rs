//! The client side: one cloneable service that generated clients are built over, whoever answers.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
};

use http::{Request, Response, Uri, uri};
use http_body_util::BodyExt;
use sallyport_model::ServiceName;
use tonic::{Status, body::Body};
use tracing::Instrument;

use crate::{
    Served,
    client::{Choice, Payload, PeerError, Pool},
    deadline,
};

/// Why a call got no answer at all.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
enum Target {
    Local { served: Served, caller: ServiceName },
    Later { later: Later, caller: ServiceName },
    Remote(tonic::transport::Channel),
    Pool(Arc<Pool>),
}

/// A service of this process that is built after one that calls it. Until it is there, and after it is gone, calls to it
/// end as those to a peer that is not available.
#[derive(Clone, Default)]
pub struct Later(Arc<RwLock<Option<Served>>>);

impl Later {
    /// It is there.
    pub fn is(&self, served: Served) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(served);
    }

    /// It is gone. Two services that call each other hold each other until then.
    pub fn is_gone(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn served(&self) -> Option<Served> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Carries calls of one service to another. Injects the trace context and the deadline; local calls still pass through
/// protobuf and every layer, so that the all-in-one run exercises the wire.
#[derive(Clone)]
pub struct Transport(Target);

impl Transport {
    /// To a service in this process, called as `caller`.
    pub fn local(served: Served, caller: ServiceName) -> Self {
        Self(Target::Local { served, caller })
    }

    /// To a service of this process that is built later, called as `caller`.
    pub fn later(later: &Later, caller: ServiceName) -> Self {
        Self(Target::Later { later: later.clone(), caller })
    }

    /// Over a channel that somebody else made; the caller is what its other end takes it for.
    pub fn remote(channel: tonic::transport::Channel) -> Self {
        Self(Target::Remote(channel))
    }

    pub(crate) fn pool(pool: Arc<Pool>) -> Self {
        Self(Target::Pool(pool))
    }

    /// Whether a call would find an open connection at this moment. One that finds none opens it.
    pub fn is_connected(&self) -> bool {
        match &self.0 {
            Target::Local { .. } | Target::Remote(_) => true,
            Target::Later { later, .. } => later.served().is_some(),
            Target::Pool(pool) => pool.is_connected(),
        }
    }

    /// Opens a connection where there is none, to learn whether the peer is there and is who it should be.
    pub async fn reach(&self) -> bool {
        match &self.0 {
            Target::Local { .. } | Target::Remote(_) => true,
            Target::Later { later, .. } => later.served().is_some(),
            Target::Pool(pool) => pool.reach().await,
        }
    }
}

impl tower::Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.0 {
            Target::Local { .. } | Target::Later { .. } | Target::Pool(_) => Poll::Ready(Ok(())),
            Target::Remote(channel) => channel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let span = tracing::info_span!("rpc.client.call", otel.kind = "client", rpc.method = method);
        span.in_scope(|| sallyport_telemetry::propagate::inject(request.headers_mut()));
        let Some(limit) = deadline::stamp(request.headers_mut()) else {
            let late = Status::deadline_exceeded("too little time is left to ask");
            return Box::pin(async move { Err(late.into()) });
        };
        match &mut self.0 {
            Target::Local { served, caller } => {
                let answer = served.call(*caller, request);
                Box::pin(async move { Ok(answer.await) }.instrument(span))
            }
            Target::Later { later, caller } => match later.served() {
                Some(served) => {
                    let answer = served.call(*caller, request);
                    Box::pin(async move { Ok(answer.await) }.instrument(span))
                }
                None => Box::pin(async { Err(Status::unavailable("the service is not there").into()) }),
            },
            Target::Remote(channel) => {
                let answer = tower::Service::call(channel, request);
                Box::pin(async move { answer.await.map_err(Into::into) }.instrument(span))
            }
            Target::Pool(pool) => {
                let pool = Arc::clone(pool);
                Box::pin(
                    async move {
                        match tokio::time::timeout(limit, over(&pool, request)).await {
                            Ok(answer) => answer.map_err(|error| Status::from(error).into()),
                            Err(_elapsed) => Err(Status::deadline_exceeded("the call took too long").into()),
                        }
                    }
                    .instrument(span),
                )
            }
        }
    }
}

/// One call over a pool; requests are single messages in all our contracts. A body that breaks off is a call without an answer, as much as a connection that does.
async fn over(pool: &Pool, mut request: Request<Body>) -> Result<Response<Body>, PeerError> {
    let peer = pool.peer();
    let mut parts = uri::Parts::default();
    parts.scheme = Some(uri::Scheme::HTTPS);
    parts.authority = peer.as_str().parse().ok();
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_not_a_path| PeerError::Unreachable(peer))?;
    let payload = Payload::whole(request).await.map_err(|_broken_off| PeerError::Unreachable(peer))?;
    let answer = pool.send(payload, Choice::InTurn).await?;
    Ok(answer.map(|body| Body::new(body.map_err(move |_broken| Status::from(PeerError::NoAnswer(peer))))))
}
