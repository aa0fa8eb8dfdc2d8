//! The client side: one cloneable service that generated clients are built over, whoever answers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use sallyport_model::ServiceName;
use tonic::body::Body;
use tracing::Instrument;

use crate::Served;

/// Why a call got no answer at all.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
enum Target {
    Local { served: Served, caller: ServiceName },
    Remote(tonic::transport::Channel),
}

/// Carries calls of one service to another. Injects the trace context; local calls still pass through protobuf and
/// every layer, so that the all-in-one run exercises the wire.
#[derive(Clone)]
pub struct Transport(Target);

impl Transport {
    /// To a service in this process, called as `caller`.
    pub fn local(served: Served, caller: ServiceName) -> Self {
        Self(Target::Local { served, caller })
    }

    /// To a service elsewhere; the caller is what the channel's certificate says.
    pub fn remote(channel: tonic::transport::Channel) -> Self {
        Self(Target::Remote(channel))
    }
}

impl tower::Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.0 {
            Target::Local { .. } => Poll::Ready(Ok(())),
            Target::Remote(channel) => channel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let span = tracing::info_span!("rpc.client.call", otel.kind = "client", rpc.method = method);
        span.in_scope(|| sallyport_telemetry::propagate::inject(request.headers_mut()));
        match &mut self.0 {
            Target::Local { served, caller } => {
                let answer = served.call(*caller, request);
                Box::pin(async move { Ok(answer.await) }.instrument(span))
            }
            Target::Remote(channel) => {
                let answer = tower::Service::call(channel, request);
                Box::pin(async move { answer.await.map_err(Into::into) }.instrument(span))
            }
        }
    }
}
