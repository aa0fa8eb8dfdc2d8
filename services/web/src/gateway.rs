//! Calls to fhir-gateway on behalf of the person at the screen: the cookie's value rides as secret metadata.

use sallyport_clinical::{ChartSection, Section};
use sallyport_model::{Code, LaunchId, Micros, RequestId, Secret};
use sallyport_proto::{
    convert::id_bytes,
    gateway::v1::{
        CareGapsRequest, ChartRequest, DecideProposalRequest, ProposalsRequest, SourceRequest, ViewRequest,
        ViewResponse, fhir_gateway_client::FhirGatewayClient,
    },
};
use sallyport_rpc::{SESSION_METADATA, Transport, code_of, once_more, with_request_id};
use tonic::{Request, metadata::MetadataValue};

pub(crate) use sallyport_proto::gateway::v1::decide_proposal_request::Decision;

use crate::domain::{care_gaps::CareGaps, proposals::Proposals};

/// The largest answer taken: documents ride inside resources.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Who asks: the launch of the address and the secret of its cookie.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) launch: LaunchId,
    pub(crate) secret: Secret<String>,
    pub(crate) request_id: RequestId,
}

/// The gateway's client.
#[derive(Clone)]
pub(crate) struct Gateway(FhirGatewayClient<Transport>);

/// A raw resource and when it was read.
pub(crate) struct RawResource {
    pub(crate) json: Vec<u8>,
    pub(crate) read_at: Micros,
}

impl Gateway {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(FhirGatewayClient::new(transport).max_decoding_message_size(MAX_ANSWER_BYTES))
    }

    /// Who, whose, where, which features. Makes no EHR call and does not keep the session alive.
    pub(crate) async fn view(&self, session: &Session) -> Result<ViewResponse, Code> {
        let message = ViewRequest { launch_id: id_bytes(session.launch.uuid()) };
        let answer = once_more(|| {
            let (mut gateway, request) = (self.0.clone(), signed(session, message.clone()));
            async move { gateway.view(request).await }
        });
        answer.await.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
    }

    /// One section, asked for by a person.
    pub(crate) async fn chart(&self, session: &Session, section: Section) -> Result<ChartSection, Code> {
        let message = ChartRequest {
            launch_id: id_bytes(session.launch.uuid()),
            section: section.as_str().to_owned(),
            by_person: true,
        };
        // A read, and recorded as one each time that it is made.
        let answer = once_more(|| {
            let (mut gateway, request) = (self.0.clone(), signed(session, message.clone()));
            async move { gateway.chart(request).await }
        });
        let answer = answer.await.map_err(|status| code_of(&status))?;
        serde_json::from_slice(&answer.into_inner().json).map_err(|_not_ours| Code::Internal)
    }

    /// What scans have found about the launch's patient, asked for by a person.
    pub(crate) async fn care_gaps(&self, session: &Session) -> Result<CareGaps, Code> {
        let message = CareGapsRequest { launch_id: id_bytes(session.launch.uuid()), by_person: true };
        let answer = once_more(|| {
            let (mut gateway, request) = (self.0.clone(), signed(session, message.clone()));
            async move { gateway.care_gaps(request).await }
        });
        answer.await.map_err(|status| code_of(&status))?.into_inner().try_into()
    }

    /// What jobs propose about the launch's patient, asked for by a person.
    pub(crate) async fn proposals(&self, session: &Session) -> Result<Proposals, Code> {
        let message = ProposalsRequest { launch_id: id_bytes(session.launch.uuid()), by_person: true };
        let answer = once_more(|| {
            let (mut gateway, request) = (self.0.clone(), signed(session, message.clone()));
            async move { gateway.proposals(request).await }
        });
        answer.await.map_err(|status| code_of(&status))?.into_inner().try_into()
    }

    /// A person's decision on one. Asked once: what became of it, the page says.
    pub(crate) async fn decide(
        &self,
        session: &Session,
        proposal_id: Vec<u8>,
        decision: Decision,
    ) -> Result<(), Code> {
        let launch_id = id_bytes(session.launch.uuid());
        let message = DecideProposalRequest { launch_id, proposal_id, decision: Some(decision) };
        let decided = self.0.clone().decide_proposal(signed(session, message)).await;
        decided.map(|_now| ()).map_err(|status| code_of(&status))
    }

    /// One raw resource that this launch may see.
    pub(crate) async fn source(&self, session: &Session, reference: &str) -> Result<RawResource, Code> {
        let message =
            SourceRequest { launch_id: id_bytes(session.launch.uuid()), reference: reference.to_owned() };
        let answer = once_more(|| {
            let (mut gateway, request) = (self.0.clone(), signed(session, message.clone()));
            async move { gateway.source(request).await }
        });
        let answer = answer.await.map_err(|status| code_of(&status))?.into_inner();
        Ok(RawResource { json: answer.json, read_at: answer.read_at })
    }
}

fn signed<T>(session: &Session, message: T) -> Request<T> {
    let mut request = with_request_id(message, session.request_id);
    let mut value = MetadataValue::from_bytes(session.secret.expose().as_bytes());
    value.set_sensitive(true);
    request.metadata_mut().insert_bin(SESSION_METADATA, value);
    request
}
