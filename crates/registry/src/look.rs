//! How an endpoint is looked at without a person: `[endpoint.look]`, a registration's own grant and the patients who exist
//! for being looked at.

use sallyport_model::{FeatureId, PatientId, RegistrationId, ids::is_logical_id};

use crate::{App, Endpoint, Feature, FeatureKind, Registration, file::LookPart};

/// Most test patients of one endpoint: a look is a sample.
const MOST_PATIENTS: usize = 5;

/// Whose grant a look has, and at whom it may look. Nobody else is ever read for it.
#[derive(Clone)]
pub struct Look {
    /// A registration at that endpoint whose launches have "backend".
    pub registration: RegistrationId,
    /// A feature of its app of kind "service".
    pub feature: FeatureId,
    /// Logical ids of test patients; never empty.
    pub patients: Vec<PatientId>,
}

impl std::fmt::Debug for Look {
    /// Without the ids.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look")
            .field("registration", &self.registration)
            .field("feature", &self.feature)
            .field("patients", &self.patients.len())
            .finish()
    }
}

/// Reads the part; `longest` is the length of the product's longest id. That its names lead somewhere is checked once everything else of the file is known.
pub(crate) fn look_of(part: LookPart, longest: usize) -> Result<Look, String> {
    let id = |text: String| {
        let id = is_logical_id(&text, longest).then(|| PatientId::parse(&text).ok()).flatten();
        id.ok_or_else(|| "look: patients names somebody by what is no logical id".to_owned())
    };
    let patients: Vec<PatientId> = part.patients.into_iter().map(id).collect::<Result<_, _>>()?;
    if !(1..=MOST_PATIENTS).contains(&patients.len()) {
        return Err(format!(
            "look: patients names the endpoint's test patients, 1 to {MOST_PATIENTS} of them"
        ));
    }
    Ok(Look { registration: part.registration, feature: part.feature, patients })
}

/// Checks that the registration is a service at this endpoint, and the feature one of its own.
pub(crate) fn check(
    endpoint: &Endpoint,
    registrations: &[Registration],
    apps: &[App],
    features: &[Feature],
) -> Result<(), String> {
    let Some(look) = &endpoint.look else { return Ok(()) };
    let says = |what: String| Err(format!("endpoint {}: look: {what}", endpoint.id));
    let registration = registrations.iter().find(|r| r.id == look.registration && r.endpoint == endpoint.id);
    let Some(registration) = registration.filter(|r| r.backend) else {
        return says(format!(
            "registration {} is not one of this endpoint whose launches have \"backend\"",
            look.registration
        ));
    };
    let has = apps.iter().any(|app| app.id == registration.app && app.features.contains(&look.feature));
    let is_service = |f: &&Feature| f.id == look.feature && f.kind == FeatureKind::Service;
    match has && features.iter().any(|f| is_service(&f)) {
        true => Ok(()),
        false => says(format!(
            "feature {} is not one of kind \"service\" of the app of registration {}",
            look.feature, look.registration
        )),
    }
}
