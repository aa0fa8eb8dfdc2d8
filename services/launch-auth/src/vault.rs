//! The calls that this service makes to token-vault. A code goes in; grant, scopes and context come out, never a token.

use std::time::Duration;

use sallyport_model::{Code, GrantId, LaunchId, Micros, RequestId, TenantId};
use sallyport_proto::{
    convert,
    types::v1::{GrantFigures, Selector, selector::By},
    vault::v1::{
        CountGrantsRequest, ExchangeRequest, ExchangeResponse, PublicKeysRequest, RevokeRequest,
        RevokeResponse, token_vault_client::TokenVaultClient,
    },
};
use sallyport_rpc::{Transport, code_of, with_request_id};

/// The vault's own wait for a token endpoint is shorter; this bounds a vault that hangs. Longer than what the person
/// waits, so that an answer that comes late is seen and its grant revoked.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(90);

/// Revocation waits for the EHR's endpoint at the vault.
const REVOKE_DEADLINE: Duration = Duration::from_secs(20);

const COUNT_DEADLINE: Duration = Duration::from_secs(10);

const KEYS_DEADLINE: Duration = Duration::from_secs(5);

/// token-vault, as seen from here.
#[derive(Clone)]
pub(crate) struct Vault(Transport);

impl Vault {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(transport)
    }

    fn client(&self) -> TokenVaultClient<Transport> {
        TokenVaultClient::new(self.0.clone())
    }

    /// Redeems a code.
    pub(crate) async fn exchange(
        &self,
        message: ExchangeRequest,
        id: RequestId,
    ) -> Result<ExchangeResponse, Code> {
        let mut request = with_request_id(message, id);
        request.set_timeout(EXCHANGE_DEADLINE);
        let answer = self.client().exchange(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
    }

    /// Revokes what a selector covers.
    pub(crate) async fn revoke(
        &self,
        tenant: &TenantId,
        by: By,
        reason: &str,
    ) -> Result<RevokeResponse, Code> {
        let message = RevokeRequest {
            tenant: tenant.as_str().to_owned(),
            selector: Some(Selector { by: Some(by) }),
            reason: reason.to_owned(),
        };
        let mut request = tonic::Request::new(message);
        request.set_timeout(REVOKE_DEADLINE);
        let answer = self.client().revoke(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
    }

    /// The grants that a selector covers, in figures; revoked ones since then.
    pub(crate) async fn count(&self, tenant: &TenantId, by: By, since: Micros) -> Result<GrantFigures, Code> {
        let message = CountGrantsRequest {
            tenant: tenant.as_str().to_owned(),
            selector: Some(Selector { by: Some(by) }),
            since,
        };
        let mut request = tonic::Request::new(message);
        request.set_timeout(COUNT_DEADLINE);
        let answer = self.client().count_grants(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| code_of(&status))
    }

    /// Revokes one grant.
    pub(crate) async fn revoke_grant(
        &self,
        tenant: &TenantId,
        grant: GrantId,
        reason: &str,
    ) -> Result<(), Code> {
        self.revoke(tenant, By::Grant(convert::id_bytes(grant.uuid())), reason).await.map(|_counts| ())
    }

    /// Revokes whatever a launch led to.
    pub(crate) async fn revoke_launch(
        &self,
        tenant: &TenantId,
        launch: LaunchId,
        reason: &str,
    ) -> Result<(), Code> {
        self.revoke(tenant, By::Launch(convert::id_bytes(launch.uuid())), reason).await.map(|_counts| ())
    }

    /// Our public keys, a JWK Set.
    pub(crate) async fn public_keys(&self) -> Result<String, Code> {
        let mut request = tonic::Request::new(PublicKeysRequest {});
        request.set_timeout(KEYS_DEADLINE);
        let answer = self.client().public_keys(request).await;
        answer.map(|response| response.into_inner().jwks_json).map_err(|status| code_of(&status))
    }
}
