//! The server side of a service: its routes behind the check of who may call which method.

use std::future::Future;

use http::{Request, Response};
use sallyport_model::{Code, RequestId, ServiceName};
use tonic::{Status, body::Body, service::Routes};
use tower::ServiceExt;
use tracing::Instrument;

use crate::{
    console::{ConsoleList, Door, Sessions},
    deadline, status,
};

/// Method path (`/sallyport.vault.v1.TokenVault/Exchange`) and who may call it.
pub type AllowList = &'static [(&'static str, &'static [ServiceName])];

/// The session cookie's value, on calls that `web` makes for a person.
pub const SESSION_METADATA: &str = "sallyport-session-bin";

/// The outside's request id, as it travels with calls.
pub const REQUEST_ID_METADATA: &str = "x-request-id";

#[derive(Clone, Copy)]
struct Caller(ServiceName);

/// Who is calling, as the transport established it.
///
/// # Errors
/// `rpc.caller_denied` when the request did not come through [`Served`].
pub fn caller<T>(request: &tonic::Request<T>) -> Result<ServiceName, Status> {
    request.extensions().get::<Caller>().map(|c| c.0).ok_or_else(|| status(Code::CallerDenied))
}

/// The outside's request id, if the call carries one.
pub fn request_id<T>(request: &tonic::Request<T>) -> Option<RequestId> {
    let value = request.metadata().get(REQUEST_ID_METADATA)?;
    RequestId::parse(value.to_str().ok()?).ok()
}

/// Sends the outside's request id along.
pub fn with_request_id<T>(message: T, id: RequestId) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Ok(value) = id.to_string().parse() {
        request.metadata_mut().insert(REQUEST_ID_METADATA, value);
    }
    request
}

/// A service's routes with their allow-list. The only way in, local or remote.
#[derive(Clone)]
pub struct Served {
    routes: Routes,
    allow: AllowList,
    console: Option<Door>,
}

impl Served {
    /// Puts `routes` behind `allow`.
    pub fn new(routes: Routes, allow: AllowList) -> Self {
        Self { routes, allow, console: None }
    }

    /// Lets who is signed in at the console call what stands in `list`, by way of `web`.
    #[must_use]
    pub fn at_console(self, list: ConsoleList, sessions: Sessions) -> Self {
        Self { console: Some(Door::new(list, sessions)), ..self }
    }

    /// What may be called from the console, for the authorisation matrix.
    pub fn console_list(&self) -> ConsoleList {
        self.console.as_ref().map_or(&[], |door| door.list)
    }

    /// The allow-list, for the authorisation matrix.
    pub fn allow_list(&self) -> AllowList {
        self.allow
    }

    /// Answers one call made by `caller`.
    pub fn call(
        &self,
        caller: ServiceName,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        let permitted = self
            .allow
            .iter()
            .any(|(path, callers)| *path == request.uri().path() && callers.contains(&caller));
        let door = self.console.clone().filter(|_| caller == ServiceName::Web && !permitted);
        let door = door.and_then(|door| door.rights(request.uri().path()).map(|rights| (door, rights)));
        let limit = deadline::asked(request.headers());
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let span = tracing::info_span!(
            "rpc.server.call",
            otel.kind = "server",
            rpc.method = method,
            caller = caller.as_str()
        );
        sallyport_telemetry::propagate::set_parent(&span, request.headers());
        request.extensions_mut().insert(Caller(caller));
        let routes = self.routes.clone();
        async move {
            match door {
                _ if permitted => {}
                Some((door, rights)) => match door.admit(request.headers(), rights).await {
                    Ok(operator) => drop(request.extensions_mut().insert(operator)),
                    Err(code) => return status(code).into_http(),
                },
                None => return status(Code::CallerDenied).into_http(),
            }
            match tokio::time::timeout(limit, deadline::within(limit, routes.oneshot(request))).await {
                Ok(Ok(response)) => response,
                Ok(Err(infallible)) => match infallible {},
                Err(_elapsed) => Status::deadline_exceeded("the call took too long").into_http(),
            }
        }
        .instrument(span)
    }
}
