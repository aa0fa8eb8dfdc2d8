//! The one place where an [`AccessContext`] is built. What is absent denies.

use sallyport_fhir::ResourceType;
use sallyport_model::{
    AccessContext, Actor, Authority, Code, FeatureId, Patients,
    scope::{Coverage, Level, ScopeSet, Verb},
};
use sallyport_registry::{Entry, Feature, FeatureKind, Registry};

use super::{
    run::{self, Run},
    session::Session,
};
use crate::{error::Refusal, store::Write};

/// The app entry behind a session; gone from the files means that its sessions are over.
pub(crate) fn entry<'r>(registry: &'r Registry, session: &Session) -> Result<Entry<'r>, Refusal> {
    let entry = registry.registration(&session.registration).ok_or(Code::SessionRevoked)?;
    let is_the_same = entry.tenant.id == session.tenant
        && entry.endpoint.id == session.endpoint
        && entry.app.id == session.app;
    if is_the_same { Ok(entry) } else { Err(Code::SessionRevoked.into()) }
}

/// The app entry behind a run; what was checked when its authority was read holds as long as the files do.
pub(crate) fn entry_of_run<'r>(registry: &'r Registry, run: &Run) -> Result<Entry<'r>, Refusal> {
    run::entry(registry, &run.tenant, &run.endpoint, &run.registration)
}

/// The feature a call names, or the app's default.
pub(crate) fn feature<'r>(entry: &Entry<'r>, named: Option<&str>) -> Result<&'r Feature, Refusal> {
    let id = match named {
        None => entry.app.default_feature.clone(),
        Some(text) => FeatureId::parse(text).map_err(|_shape| Code::FeatureUnknown)?,
    };
    if !entry.app.features.contains(&id) {
        return Err(Code::FeatureUnknown.into());
    }
    entry.tenant.features.iter().find(|f| f.id == id).ok_or(Code::FeatureUnknown.into())
}

/// The feature that carries a chart section: the named one, the default, or the first that does.
pub(crate) fn feature_for_section<'r>(
    entry: &Entry<'r>,
    session: &Session,
    named: Option<&str>,
    section: &str,
) -> Result<&'r Feature, Refusal> {
    let carries = |feature: &Feature| feature.sections.iter().any(|s| s == section);
    if named.is_some() {
        let feature = feature(entry, named)?;
        let missing = Refusal::because(Code::FeatureOff, "the feature does not carry this section");
        return if carries(feature) { Ok(feature) } else { Err(missing) };
    }
    let default = feature(entry, None)?;
    let others = || of_the_app(entry).filter(|f| carries(f));
    let candidates = || std::iter::once(default).filter(|f| carries(f)).chain(others());
    let best = candidates().find(|f| f.is_on(&session.granted)).or_else(|| candidates().next());
    best.ok_or(Refusal::because(Code::FeatureOff, "no feature of the app carries this section"))
}

/// The feature under which one resource is read for its source: the first that covers its type, or the default.
pub(crate) fn feature_for_read<'r>(
    entry: &Entry<'r>,
    session: &Session,
    resource_type: ResourceType,
) -> Result<&'r Feature, Refusal> {
    let covers = |feature: &&'r Feature| {
        let levels = [Level::Patient, Level::User];
        let may = feature.scopes().coverage(&levels, resource_type.as_str(), Verb::Read) != Coverage::None;
        may && feature.is_on(&session.granted)
    };
    of_the_app(entry).find(covers).map_or_else(|| feature(entry, None), Ok)
}

/// The app's features for a person's reading, in its order.
pub(crate) fn of_the_app<'r>(entry: &Entry<'r>) -> impl Iterator<Item = &'r Feature> {
    let (tenant, app) = (entry.tenant, entry.app);
    let features = app.features.iter().filter_map(|id| tenant.features.iter().find(|f| f.id == *id));
    features.filter(|f| f.kind == FeatureKind::InteractiveRead)
}

/// The same for a write: under a feature for writing alone, which this tenant has validated for this very mapping.
pub(crate) fn build_for_write(
    session: &Session,
    feature: &Feature,
    entry: &Entry<'_>,
) -> Result<AccessContext, Refusal> {
    if feature.kind != FeatureKind::InteractiveWrite {
        return Err(Refusal::because(Code::FeatureOff, "the feature is not for a person's writing"));
    }
    if !feature.is_validated_for(entry.endpoint.mapping) {
        return Err(Code::WriteNotValidated.into());
    }
    if !feature.is_on(&session.granted) {
        return Err(Code::FeatureOff.into());
    }
    Ok(of_session(session, feature))
}

/// The same for looking for a write that may have been made: whoever approved it, as long as the authorisation lasts.
pub(crate) fn build_for_ledger(
    write: &Write,
    feature: &Feature,
    actor: Actor,
    patients: Patients,
    granted: ScopeSet,
) -> AccessContext {
    AccessContext {
        tenant: write.tenant.clone(),
        endpoint: write.endpoint.clone(),
        authority: Authority::Launch(write.launch),
        grant: write.grant,
        actor,
        patients,
        encounter: None,
        granted,
        feature: feature.id.clone(),
        feature_scopes: feature.scopes(),
        purpose: feature.purpose,
        expires_at: sallyport_model::Micros::MAX,
    }
}

/// Everything that decides on a call of this session under this feature.
pub(crate) fn build(session: &Session, feature: &Feature) -> Result<AccessContext, Refusal> {
    let is_everything = session.granted.is_empty() && sallyport_model::planted!("empty-scope-is-all");
    if feature.kind != FeatureKind::InteractiveRead {
        return Err(Refusal::because(Code::FeatureOff, "the feature is not for a person's reading"));
    }
    if !feature.is_on(&session.granted) && !is_everything {
        return Err(Code::FeatureOff.into());
    }
    Ok(of_session(session, feature))
}

fn of_session(session: &Session, feature: &Feature) -> AccessContext {
    AccessContext {
        tenant: session.tenant.clone(),
        endpoint: session.endpoint.clone(),
        authority: Authority::Launch(session.launch),
        grant: session.grant,
        actor: Actor::User(session.user.clone()),
        patients: session.patient.clone().map_or(Patients::None, Patients::One),
        encounter: session.encounter.clone(),
        granted: session.granted.clone(),
        feature: feature.id.clone(),
        feature_scopes: feature.scopes(),
        purpose: feature.purpose,
        expires_at: session.expires_at(),
    }
}

/// Everything that decides on one call of a run.
pub(crate) fn build_for_run(entry: &Entry<'_>, run: &Run) -> Result<AccessContext, Refusal> {
    let feature = entry.features().find(|f| f.id == run.feature).ok_or(Code::FeatureUnknown)?;
    Ok(AccessContext {
        tenant: run.tenant.clone(),
        endpoint: run.endpoint.clone(),
        authority: Authority::Run(run.id),
        grant: run.grant,
        actor: run.actor.clone(),
        patients: run.patients(),
        encounter: None,
        granted: run.pinned.clone(),
        feature: feature.id.clone(),
        feature_scopes: feature.scopes(),
        purpose: run.purpose,
        expires_at: run.expires_at,
    })
}
