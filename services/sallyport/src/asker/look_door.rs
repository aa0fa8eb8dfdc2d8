//! The operators' door to an endpoint's test patients: each GET is one call of a look, which the gateway checks and records.

use anyhow::Context;
use http::{HeaderMap, HeaderValue};
use sallyport_model::{EndpointId, PatientId, RecordId, ServiceName, SystemClock, TenantId};
use sallyport_proto::{
    convert,
    gateway::v1::{LookRequest, fhir_gateway_client::FhirGatewayClient},
};
use sallyport_rpc::Transport;
use url::Url;

use crate::{certify::asking::Door, cli::AskerArgs, demo::browser::Page, operate::refusal, operator};

/// What stands for the FHIR API's address: nothing is sent there.
pub(super) const BASE: &str = "http://look.invalid/";

const MAX_BYTES: usize = 32 * 1024 * 1024;

/// One run of calls.
pub(crate) struct LookDoor {
    gateway: FhirGatewayClient<Transport>,
    /// As it is sent, but for what is asked.
    message: LookRequest,
}

impl LookDoor {
    /// Reaches the gateway as an operator.
    pub(super) async fn reach(
        args: &AskerArgs,
        tenant: &TenantId,
        endpoint: &EndpointId,
    ) -> anyhow::Result<Self> {
        let transport = operator::reach(&args.place, ServiceName::FhirGateway).await?;
        let message = LookRequest {
            tenant: tenant.as_str().to_owned(),
            endpoint: endpoint.as_str().to_owned(),
            reason: args.reason.clone(),
            ..LookRequest::default()
        };
        Ok(Self { gateway: FhirGatewayClient::new(transport).max_decoding_message_size(MAX_BYTES), message })
    }

    /// Another patient is another run: what one refers to is not readable in the other's.
    pub(super) fn turn_to(&mut self, patient: &PatientId) {
        patient.expose().clone_into(&mut self.message.patient);
        self.message.run_id = convert::id_bytes(RecordId::new(&SystemClock).uuid());
    }
}

impl Door for LookDoor {
    async fn get(&mut self, url: &Url) -> anyhow::Result<Page> {
        let asked = LookRequest {
            path: url.path().to_owned(),
            query: url.query().unwrap_or_default().to_owned(),
            ..self.message.clone()
        };
        let answer = self.gateway.look(asked).await.map_err(|status| refusal(&status))?.into_inner();
        let mut headers = HeaderMap::new();
        let request = convert::request_id(&answer.request_id).context("the gateway names the request")?;
        headers.insert("x-request-id", HeaderValue::try_from(request.to_string())?);
        let status = u16::try_from(answer.status).context("a status")?;
        Ok(Page { url: url.clone(), status, headers, body: answer.body })
    }
}
