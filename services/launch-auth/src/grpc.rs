//! The service's methods: messages in, one use case, messages out. Who may call what is in [`ALLOW`].

pub(crate) mod incidents;
pub(crate) mod operators;

use std::sync::Arc;

use sallyport_model::{Code, EncounterId, PatientId, Secret, ServiceName, operator::Right};
use sallyport_proto::{
    convert,
    launch::v1::{
        ListSessionsRequest, ListSessionsResponse, ReportActivityRequest, ReportActivityResponse,
        ResolveRequest, ResolveResponse, RevokeRequest, RevokeResponse, launch_auth_server::LaunchAuth,
        list_sessions_response::Session as Listed,
    },
    types::v1::WatchRevocationsRequest,
};
use sallyport_rpc::{
    AllowList,
    console::{ConsoleList, asker},
    request_id, revocation, status,
};
use tonic::{Request, Response, Status};

use crate::{
    domain::{App, resolve, revoke},
    error::unavailable,
    store::Session,
};

/// Which service may call which method.
pub(crate) const ALLOW: AllowList = &[
    ("/sallyport.launch.v1.LaunchAuth/Resolve", &[ServiceName::FhirGateway]),
    ("/sallyport.launch.v1.LaunchAuth/ReportActivity", &[ServiceName::FhirGateway]),
    ("/sallyport.launch.v1.LaunchAuth/Revoke", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.LaunchAuth/ListSessions", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Incidents/Plan", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Incidents/Run", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Incidents/Close", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Incidents/List", &[ServiceName::Operator]),
    (
        "/sallyport.launch.v1.LaunchAuth/WatchRevocations",
        &[ServiceName::FhirGateway, ServiceName::JobWorker, ServiceName::Web],
    ),
    ("/sallyport.launch.v1.Operators/Invite", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Operators/PeekLink", &[ServiceName::Web]),
    ("/sallyport.launch.v1.Operators/SignIn", &[ServiceName::Web]),
    (
        "/sallyport.launch.v1.Operators/Resolve",
        &[ServiceName::Web, ServiceName::Audit, ServiceName::JobWorker],
    ),
    ("/sallyport.launch.v1.Operators/SignOut", &[ServiceName::Web]),
    ("/sallyport.launch.v1.Operators/ListOperators", &[ServiceName::Operator]),
    ("/sallyport.launch.v1.Operators/EndOperator", &[ServiceName::Operator]),
];

/// What somebody at the console may call, and which right it takes.
pub(crate) const CONSOLE: ConsoleList = &[
    ("/sallyport.launch.v1.LaunchAuth/ListSessions", &[Right::See]),
    ("/sallyport.launch.v1.LaunchAuth/Revoke", &[Right::Respond]),
    ("/sallyport.launch.v1.Incidents/Plan", &[Right::See]),
    ("/sallyport.launch.v1.Incidents/List", &[Right::See]),
    ("/sallyport.launch.v1.Incidents/Run", &[Right::Respond]),
    ("/sallyport.launch.v1.Incidents/Close", &[Right::Respond]),
    ("/sallyport.launch.v1.Operators/ListOperators", &[Right::Respond]),
    ("/sallyport.launch.v1.Operators/EndOperator", &[Right::Respond]),
];

/// The edge of gRPC.
pub(crate) struct Grpc(pub(crate) Arc<App>);

#[tonic::async_trait]
impl LaunchAuth for Grpc {
    type WatchRevocationsStream = revocation::Revocations;

    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        let message = request.into_inner();
        let launch = convert::launch_id(&message.launch_id)?;
        let secret = Secret::new(message.session_secret);
        let head = self.0.store.revocation_head().await.map_err(|error| status(unavailable(&error)))?;
        let session = resolve::resolve(&self.0, launch, &secret).await.map_err(status)?;
        Ok(Response::new(self.answer(session, head)))
    }

    async fn report_activity(
        &self,
        request: Request<ReportActivityRequest>,
    ) -> Result<Response<ReportActivityResponse>, Status> {
        let now = self.0.clock.now();
        for activity in request.into_inner().activities {
            let launch = convert::launch_id(&activity.launch_id)?;
            // A clock that runs ahead keeps nothing alive.
            let at = activity.last_active_at.min(now);
            let touched = self.0.store.touch(launch, at, self.0.config.idle_micros()).await;
            touched.map_err(|error| status(unavailable(&error)))?;
        }
        Ok(Response::new(ReportActivityResponse {}))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let (id, asker) = (request_id(&request), asker(&request));
        let message = request.into_inner();
        let tenant = convert::tenant(&message.tenant)?;
        asker.may_ask_about(&tenant).map_err(status)?;
        let because = (asker.named(""), message.reason);
        let revoked = revoke::revoke(&self.0, &tenant, message.selector, &because, id).await;
        let revoked = revoked.map_err(status)?;
        Ok(Response::new(RevokeResponse { launches: revoked.launches, grants: revoked.grants }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let asker = asker(&request);
        let tenant = convert::tenant(&request.into_inner().tenant)?;
        asker.may_ask_about(&tenant).map_err(status)?;
        if self.0.registry.tenant(&tenant).is_none() {
            return Err(status(Code::RequestInvalid));
        }
        let open = self.0.store.open_sessions(&tenant).await.map_err(|error| status(unavailable(&error)))?;
        let sessions = open.into_iter().map(|session| self.listed(&session)).collect();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn watch_revocations(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let store = self.0.store.clone();
        let fetch = move |after: i64| {
            let store = store.clone();
            async move {
                match store.revocations_after(after).await {
                    Ok((events, head)) => Some(revocation::Page { events, head }),
                    Err(error) => {
                        unavailable(&error);
                        None
                    }
                }
            }
        };
        let after = request.into_inner().after;
        Ok(Response::new(revocation::tail(after, Arc::clone(&self.0.clock), fetch)))
    }
}

impl Grpc {
    fn answer(&self, session: Session, revocation_head: i64) -> ResolveResponse {
        let idle_expires_at = resolve::idle_expires_at(&session, self.0.config.idle_micros());
        ResolveResponse {
            launch_id: convert::id_bytes(session.launch.uuid()),
            tenant: session.tenant.as_str().to_owned(),
            endpoint: session.endpoint.as_str().to_owned(),
            registration: session.registration.as_str().to_owned(),
            app: session.app.as_str().to_owned(),
            grant_id: convert::id_bytes(session.grant.uuid()),
            user: session.user.as_ref().map(Into::into),
            user_display: session.user_display.map(|d| d.0).unwrap_or_default(),
            patient: session.patient.as_ref().map(PatientId::expose).unwrap_or_default().to_owned(),
            encounter: session.encounter.as_ref().map(EncounterId::expose).unwrap_or_default().to_owned(),
            granted_scope: session.granted_scope,
            intent: session.intent.unwrap_or_default(),
            need_patient_banner: session.need_patient_banner,
            fhir_context_json: session.fhir_context_json.0,
            smart_style_url: session.smart_style_url.unwrap_or_default(),
            idle_expires_at,
            absolute_expires_at: session.absolute_expires_at,
            launch_traceparent: session.traceparent,
            features: session.features.iter().map(|f| f.as_str().to_owned()).collect(),
            created_at: session.created_at,
            revocation_head,
            renewable: session.renewable,
            token_expires_at: session.token_expires_at,
            is_ehr_launch: session.is_ehr_launch,
        }
    }

    fn listed(&self, session: &Session) -> Listed {
        let now = self.0.clock.now();
        let is_over = now >= resolve::idle_expires_at(session, self.0.config.idle_micros());
        Listed {
            launch_id: convert::id_bytes(session.launch.uuid()),
            registration: session.registration.as_str().to_owned(),
            created_at: session.created_at,
            last_active_at: session.last_active_at,
            state: if is_over { "expired" } else { "open" }.to_owned(),
        }
    }
}
