//! Redeeming the code at the vault, within the time a person waits. An answer that comes after we gave up is not used:
//! its grant is revoked.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Code, GrantId, RequestId};
use sallyport_proto::{
    convert,
    vault::v1::{ExchangeRequest, ExchangeResponse},
};
use tracing::Instrument;

use super::App;
use crate::store::Transaction;

/// Exchanges `code` in the transaction as it was pinned when the launch started.
///
/// # Errors
/// `exchange.timeout` when the answer did not come in time; otherwise the vault's code.
pub(crate) async fn exchange(
    app: &Arc<App>,
    request: RequestId,
    transaction: &Transaction,
    code: &sallyport_model::Secret<String>,
) -> Result<ExchangeResponse, Code> {
    let message = message(transaction, code);
    let vault = app.vault.clone();
    let call = async move { vault.exchange(message, request).await }.in_current_span();
    let mut task = tokio::spawn(call);
    let patience = Duration::from_millis(app.config.exchange_timeout_ms);
    let outcome = match tokio::time::timeout(patience, &mut task).await {
        Ok(finished) => finished.unwrap_or(Err(Code::Internal)),
        Err(_elapsed) => {
            let app = Arc::clone(app);
            let (tenant, launch) = (transaction.tenant.clone(), transaction.launch);
            // Whatever still comes of it is not ours any more. Revoking by launch covers an answer that was lost.
            tokio::spawn(
                async move {
                    if let Ok(Ok(late)) = task.await
                        && let Ok(grant) = convert::grant_id(&late.grant_id)
                    {
                        give_back(&app, &tenant, grant, "the answer came too late").await;
                    }
                    forget(&app, &tenant, launch).await;
                }
                .in_current_span(),
            );
            return Err(Code::ExchangeTimeout);
        }
    };
    if outcome.as_ref().is_err_and(|code| matches!(code, Code::DependencyDown | Code::Internal)) {
        // The vault may have redeemed the code although its answer did not arrive.
        let (app, tenant, launch) = (Arc::clone(app), transaction.tenant.clone(), transaction.launch);
        tokio::spawn(async move { forget(&app, &tenant, launch).await }.in_current_span());
    }
    outcome
}

fn message(transaction: &Transaction, code: &sallyport_model::Secret<String>) -> ExchangeRequest {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    ExchangeRequest {
        tenant: transaction.tenant.as_str().to_owned(),
        endpoint: transaction.endpoint.as_str().to_owned(),
        registration: transaction.registration.as_str().to_owned(),
        launch_id: convert::id_bytes(transaction.launch.uuid()),
        code: code.expose().clone(),
        code_verifier: transaction.code_verifier.expose().clone(),
        redirect_uri: transaction.redirect_uri.clone(),
        token_endpoint: transaction.token_endpoint.clone(),
        issuer: text(&transaction.issuer),
        jwks_uri: text(&transaction.jwks_uri),
        nonce: transaction.nonce.expose().clone(),
        requested_scope: transaction.requested_scope.clone(),
        revocation_endpoint: text(&transaction.revocation_endpoint),
        introspection_endpoint: text(&transaction.introspection_endpoint),
    }
}

/// Revokes a grant that no session will use. A failure leaves a grant that nothing refers to; it is logged.
pub(crate) async fn give_back(app: &App, tenant: &sallyport_model::TenantId, grant: GrantId, reason: &str) {
    if let Err(code) = app.vault.revoke_grant(tenant, grant, reason).await {
        tracing::error!(code = code.as_str(), grant.id = %grant, "a grant without a session could not be revoked");
    }
}

async fn forget(app: &App, tenant: &sallyport_model::TenantId, launch: sallyport_model::LaunchId) {
    let outcome = app.vault.revoke_launch(tenant, launch, "the launch was given up").await;
    if let Err(code) = outcome
        && code != Code::GrantUnknown
    {
        tracing::error!(code = code.as_str(), launch.id = %launch, "a launch's grants could not be revoked");
    }
}
