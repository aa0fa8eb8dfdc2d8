//! Ending a session: at once here and for everybody who watches, then its grant at the vault.

use sallyport_model::RequestId;
use sallyport_proto::audit::v1::Kind;

use super::{App, record::Event};
use crate::{
    error::unavailable,
    store::{EndReason, Session},
};

/// Ends a session. `false` when it was ended already. What the vault does not confirm is tried again by the sweep.
pub(crate) async fn end(app: &App, session: &Session, reason: EndReason, request: Option<RequestId>) -> bool {
    let is_ended = app.store.end_session(session.launch, reason, app.clock.now()).await;
    match is_ended {
        Ok(true) => {}
        Ok(false) => return false,
        Err(error) => {
            unavailable(&error);
            return false;
        }
    }
    app.numbers.sessions_ended.inc(&[reason.as_str()]);
    app.record_anyway(Event::new(Kind::SessionEnd, request).session(session).detail(reason.as_str())).await;
    revoke_grant(app, session, reason.as_str()).await;
    true
}

/// Revokes the grant of an ended session and notes that it was done.
pub(crate) async fn revoke_grant(app: &App, session: &Session, reason: &str) {
    match app.vault.revoke_grant(&session.tenant, session.grant, reason).await {
        Ok(()) => {
            if let Err(error) = app.store.grant_revoked(session.launch).await {
                unavailable(&error);
            }
        }
        Err(sallyport_model::Code::GrantUnknown) => {
            if let Err(error) = app.store.grant_revoked(session.launch).await {
                unavailable(&error);
            }
        }
        Err(code) => {
            tracing::warn!(code = code.as_str(), launch.id = %session.launch, "a grant is not revoked yet");
        }
    }
}
