//! An operator ends what a selector covers: sessions here, grants at the vault.

use sallyport_model::{Code, RequestId, TenantId};
use sallyport_proto::{
    audit::v1::Kind,
    types::v1::{Selector, selector::By},
};

use super::{App, end, record::Event};
use crate::{error::unavailable, store::EndReason};

/// How much was ended.
pub(crate) struct Revoked {
    pub(crate) launches: i32,
    pub(crate) grants: i32,
}

const REASON_MAX: usize = 200;

/// Ends the sessions that `selector` covers, then has the vault revoke the same: grants without a session too.
///
/// # Errors
/// `request.invalid` for a selector that names nothing; the vault's code when its part could not be done, in which
/// case the sessions are ended all the same.
pub(crate) async fn revoke(
    app: &App,
    tenant: &TenantId,
    selector: Option<Selector>,
    (operator, reason): &(String, String),
    request: Option<RequestId>,
) -> Result<Revoked, Code> {
    let by =
        selector.and_then(|s| s.by).filter(|by| names_something(by, tenant)).ok_or(Code::RequestInvalid)?;
    if reason.is_empty() || reason.len() > REASON_MAX || app.registry.tenant(tenant).is_none() {
        return Err(Code::RequestInvalid);
    }
    // Recorded before, and done in any case: a full disk must not keep a stolen session alive.
    let event = Event::new(Kind::Operator, request).tenant(tenant);
    app.record_anyway(event.operator(operator, "revoke").detail(reason)).await;
    let selected = app.store.selected(tenant, &by).await.map_err(|error| unavailable(&error))?;
    let mut launches = 0;
    for session in &selected {
        if end::end(app, session, EndReason::Revoked, request).await {
            launches += 1;
        }
    }
    let already = i32::try_from(selected.len()).unwrap_or(i32::MAX);
    let rest = app.vault.revoke(tenant, by, reason).await?;
    Ok(Revoked { launches, grants: rest.grants.max(already) })
}

/// Empty is not all: an empty name or id selects nothing and is a mistake of the caller.
fn names_something(by: &By, tenant: &TenantId) -> bool {
    match by {
        By::Launch(id) | By::Grant(id) => id.len() == 16,
        By::User(user) => !user.issuer.is_empty() && !user.subject.is_empty(),
        By::Tenant(name) => name == tenant.as_str(),
        By::Endpoint(name) | By::Registration(name) => !name.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_proto::types::v1::User;

    use super::*;

    #[test]
    fn a_selector_that_names_nothing_is_refused() {
        let tenant = TenantId::parse("general").unwrap();
        for by in [
            By::Launch(vec![]),
            By::Grant(vec![1; 15]),
            By::User(User::default()),
            By::Tenant(String::new()),
            By::Tenant("other".to_owned()),
            By::Endpoint(String::new()),
            By::Registration(String::new()),
        ] {
            assert!(!names_something(&by, &tenant), "{by:?}");
        }
        assert!(names_something(&By::Tenant("general".to_owned()), &tenant));
    }
}
