//! A run's authority: opened when the run is planned, compared with what was pinned whenever it is opened anew. The gateway
//! compares it again at every call.

use sallyport_model::{
    Code, GrantId,
    scope::{Dialect, ScopeSet},
};
use sallyport_proto::{convert, vault::v1::ClientCredentialsRequest};
use sallyport_registry::{Feature, JobIdentity};
use sallyport_rpc::code_of;

use crate::{
    halt::Halt,
    run::Run,
    worker::{Worker, is_last_word},
};

/// Gives the run its grant: a registration's own, shared by the runs of a feature.
pub(super) async fn open(worker: &Worker, run: &mut Run) -> Result<(), Halt> {
    if run.job.identity != JobIdentity::Backend {
        // A user's grant is named when the run is started; there is none to be had here.
        return Err(Halt::Authority { code: Code::GrantUnknown, scope: String::new() });
    }
    let (grant, granted) = opened(worker, run).await?;
    let feature = worker
        .registry
        .feature(&run.tenant, &run.job.feature)
        .ok_or(Halt::Authority { code: Code::FeatureUnknown, scope: String::new() })?;
    covers(feature, &granted)?;
    if !run.pinned_scope.is_empty() {
        same(&run.pinned_scope, &granted)?;
    }
    worker.store.authorise(run.id, grant, &granted).await?;
    run.grant = Some(grant);
    if run.pinned_scope.is_empty() {
        run.pinned_scope = granted;
    }
    Ok(())
}

/// The grant that the registration holds for the feature, opened at the vault where there is none.
pub(crate) async fn opened(worker: &Worker, run: &Run) -> Result<(GrantId, String), Halt> {
    let (registration, feature) = (run.job.registration.as_str(), run.job.feature.as_str());
    if let Some((grant, granted)) = worker.store.service_grant(registration, feature).await? {
        let grant = GrantId::from_uuid(grant);
        let own_launch = sallyport_model::LaunchId::from_uuid(grant.uuid());
        if !worker.revoked.is_revoked(own_launch, grant) {
            return Ok((grant, granted));
        }
    }
    let request = ClientCredentialsRequest {
        tenant: run.tenant.as_str().to_owned(),
        registration: registration.to_owned(),
        feature: feature.to_owned(),
    };
    let answer = worker.vault.clone().client_credentials(request).await.map_err(|status| {
        let code = code_of(&status);
        match is_last_word(code) {
            true => Halt::Authority { code, scope: String::new() },
            false => Halt::Failed(code),
        }
    })?;
    let answer = answer.into_inner();
    let grant = convert::grant_id(&answer.grant_id).map_err(|_shape| Halt::Failed(Code::Internal))?;
    let place = (run.tenant.as_str(), registration, feature);
    worker.store.keep_service_grant(place, grant, &answer.granted_scope, worker.now()).await?;
    Ok((grant, answer.granted_scope))
}

/// What the feature needs at least must be granted.
fn covers(feature: &Feature, granted: &str) -> Result<(), Halt> {
    let set = ScopeSet::parse(granted);
    let missing: Vec<String> = feature
        .required
        .resources()
        .filter(|scope| !set.covers(scope))
        .map(|scope| format!("-{}", scope.print(Dialect::V2)))
        .collect();
    match missing.is_empty() && !feature.required.is_empty() {
        true => Ok(()),
        false => Err(Halt::Authority { code: Code::JobScopeMissing, scope: missing.join(" ") }),
    }
}

/// A grant that was opened anew must be what was pinned. Words that are no resource scopes give access to no data and are left
/// aside, as the gateway does at every call.
pub(crate) fn same(pinned: &str, granted: &str) -> Result<(), Halt> {
    let (before, after) = (ScopeSet::parse(pinned), ScopeSet::parse(granted));
    let beyond = |these: &ScopeSet, those: &ScopeSet, sign: char| -> Vec<String> {
        let beyond = these.resources().filter(|scope| !those.covers(scope));
        beyond.map(|scope| format!("{sign}{}", scope.print(Dialect::V2))).collect()
    };
    let changes = [beyond(&before, &after, '-'), beyond(&after, &before, '+')].concat();
    if changes.is_empty() || sallyport_model::planted!("job-narrower-scope-ignored") {
        return Ok(());
    }
    Err(Halt::Authority { code: Code::JobScopeChanged, scope: changes.join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_was_lost_or_added_is_named() {
        let pinned = "system/Patient.rs system/Observation.rs";
        assert_eq!(same(pinned, "system/Observation.rs system/Patient.r system/Patient.s"), Ok(()));
        let halt = same(pinned, "system/Patient.rs system/Condition.rs");
        let scope = "-system/Observation.rs +system/Condition.rs".to_owned();
        assert_eq!(halt, Err(Halt::Authority { code: Code::JobScopeChanged, scope }));
    }
}
