//! What was granted against what the app needs at least.

use sallyport_model::{Code, scope::ScopeSet};
use sallyport_registry::{Entry, FeatureKind};

use super::{App, resolve};
use crate::store::{Session, Transaction};

/// Whether the app entry's default feature can run with what was granted: without it the app would open on nothing.
/// Other features may be off; the page says so.
pub(crate) fn is_enough(entry: &Entry<'_>, granted: &ScopeSet) -> bool {
    if sallyport_model::planted!("empty-scope-is-all") && granted.resources().next().is_none() {
        return true;
    }
    entry.features().find(|f| f.id == entry.app.default_feature).is_some_and(|feature| feature.is_on(granted))
}

/// What a step-up has to bring back: the same person, the same patient, the session it started from still open, and what it
/// was made for.
///
/// # Errors
/// Why the new session is not opened.
pub(crate) async fn step_up(
    app: &App,
    entry: &Entry<'_>,
    transaction: &Transaction,
    session: &Session,
) -> Result<(), Code> {
    let Some(of) = transaction.step_up_of else { return Ok(()) };
    let before = resolve::open(app, of).await?;
    let is_the_same = before.registration == session.registration
        && before.user.is_some()
        && before.user == session.user
        && before.patient.is_some()
        && before.patient == session.patient;
    if !is_the_same && !sallyport_model::planted!("step-up-of-anybody") {
        return Err(Code::LaunchStepUpOther);
    }
    let granted = ScopeSet::parse(&session.granted_scope);
    let mut wanted = entry
        .features()
        .filter(|f| f.kind == FeatureKind::InteractiveWrite && transaction.features.contains(&f.id));
    if wanted.all(|feature| feature.is_on(&granted)) { Ok(()) } else { Err(Code::ScopeRequiredMissing) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use sallyport_model::RegistrationId;
    use sallyport_registry::Registry;

    use super::*;

    fn enough(granted: &str) -> bool {
        let text = include_str!("../../tests/it/tenant.toml").replace("{ehr}", "https://ehr.example");
        let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), text)]).unwrap();
        let entry = registry.registration(&RegistrationId::parse("both").unwrap()).unwrap();
        is_enough(&entry, &ScopeSet::parse(granted))
    }

    #[test]
    fn the_default_features_required_scopes_decide() {
        assert!(enough("openid patient/Patient.rs"));
        assert!(enough("patient/*.read"));
        assert!(enough("patient/Patient.r patient/Patient.s"));
    }

    #[test]
    fn an_empty_foreign_or_narrowed_grant_is_not_enough() {
        for granted in [
            "",
            "openid fhirUser",
            "patient/Observation.rs",
            "user/Patient.rs",
            "patient/Patient.r",
            "patient/Patient.sr",
        ] {
            assert!(!enough(granted), "{granted:?}");
        }
    }
}
