//! Operators at the edge: links from who runs the house, sessions for `web`, answers about them for every service.

use std::sync::Arc;

use sallyport_model::Secret;
use sallyport_proto::{
    convert,
    launch::v1::{
        EndOperatorRequest, EndOperatorResponse, InviteRequest, InviteResponse, ListOperatorsRequest,
        ListOperatorsResponse, Operator, PeekLinkRequest, PeekLinkResponse, ResolveOperatorRequest,
        SignInRequest, SignInResponse, SignOutRequest, SignOutResponse, operators_server::Operators,
    },
};
use sallyport_rpc::{
    console::{Sessions, asker},
    request_id, status,
};
use tonic::{Request, Response, Status};

use crate::{
    domain::{App, operators},
    error::unavailable,
};

/// The edge of operators.
pub(crate) struct Edge(pub(crate) Arc<App>);

/// Whose session a secret opens, for this service's own door.
pub(crate) fn sessions(app: Arc<App>) -> Sessions {
    Arc::new(move |secret| {
        let app = Arc::clone(&app);
        Box::pin(async move {
            let session = operators::resolve(&app, &secret, false).await?;
            let told = convert::operator(&operators::told(&app, &session));
            told.map(Arc::new).map_err(|_malformed| sallyport_model::Code::Internal)
        })
    })
}

#[tonic::async_trait]
impl Operators for Edge {
    async fn invite(&self, request: Request<InviteRequest>) -> Result<Response<InviteResponse>, Status> {
        let id = request_id(&request);
        let (secret, expires_at) = operators::invite(&self.0, request.get_ref(), id).await.map_err(status)?;
        Ok(Response::new(InviteResponse { link_secret: secret.expose().clone(), expires_at }))
    }

    async fn peek_link(
        &self,
        request: Request<PeekLinkRequest>,
    ) -> Result<Response<PeekLinkResponse>, Status> {
        let link = Secret::new(request.into_inner().link_secret);
        let person = operators::peek(&self.0, &link).await.map_err(status)?;
        Ok(Response::new(PeekLinkResponse { role: convert::role_number(person.role), name: person.name }))
    }

    async fn sign_in(&self, request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let id = request_id(&request);
        let link = Secret::new(request.into_inner().link_secret);
        let (secret, session) = operators::sign_in(&self.0, &link, id).await.map_err(status)?;
        let operator = Some(operators::told(&self.0, &session));
        Ok(Response::new(SignInResponse { session_secret: secret.expose().clone(), operator }))
    }

    async fn resolve(&self, request: Request<ResolveOperatorRequest>) -> Result<Response<Operator>, Status> {
        let message = request.into_inner();
        let secret = Secret::new(message.session_secret);
        let session = operators::resolve(&self.0, &secret, message.is_active).await.map_err(status)?;
        Ok(Response::new(operators::told(&self.0, &session)))
    }

    async fn sign_out(&self, request: Request<SignOutRequest>) -> Result<Response<SignOutResponse>, Status> {
        let id = request_id(&request);
        let secret = Secret::new(request.into_inner().session_secret);
        operators::sign_out(&self.0, &secret, id).await.map_err(status)?;
        Ok(Response::new(SignOutResponse {}))
    }

    async fn list_operators(
        &self,
        request: Request<ListOperatorsRequest>,
    ) -> Result<Response<ListOperatorsResponse>, Status> {
        asker(&request).may_ask_about_all().map_err(status)?;
        let now = self.0.clock.now();
        let open = self.0.store.operator_sessions(now).await.map_err(|error| status(unavailable(&error)))?;
        let lives = open.iter().filter(|session| now < operators::idle_expires_at(&self.0, session));
        let operators = lives.map(|session| operators::told(&self.0, session)).collect();
        Ok(Response::new(ListOperatorsResponse { operators }))
    }

    async fn end_operator(
        &self,
        request: Request<EndOperatorRequest>,
    ) -> Result<Response<EndOperatorResponse>, Status> {
        let (id, asker) = (request_id(&request), asker(&request));
        asker.may_ask_about_all().map_err(status)?;
        let message = request.into_inner();
        let whose = match (message.session_id.as_slice(), message.name) {
            ([], name) if convert::is_reason(&name) => operators::Whose::Named(name),
            (session, name) if name.is_empty() => operators::Whose::Session(
                uuid::Uuid::from_slice(session).map_err(|_length| convert::InvalidField("session_id"))?,
            ),
            _ => return Err(convert::InvalidField("session_id").into()),
        };
        let by = asker.named(&message.by);
        let ended = operators::end(&self.0, whose, (&by, &message.reason), id).await.map_err(status)?;
        Ok(Response::new(EndOperatorResponse { ended }))
    }
}
