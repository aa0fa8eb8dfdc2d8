//! The launch context in a token response (SMART 2.2 "Launch context arrives with your access_token").

use serde_json::{Map, Value, json};

use crate::fhir::dialect;
use crate::grants::Grant;
use crate::profile::BannerStyle;
use crate::state::AppState;

/// The members that say what the app was launched for.
pub(super) fn members(state: &AppState, grant: &Grant) -> Map<String, Value> {
    let profile = state.profile(&grant.place);
    let mut members = Map::new();
    if let Some(patient) = &grant.patient {
        let patient = dialect::id_out(profile, "Patient", patient);
        if let Some(old) = profile.answer.old_patient_member {
            members.insert(old.to_owned(), json!(format!("T{patient}")));
        }
        members.insert("patient".to_owned(), json!(patient));
        let banner = match profile.banner {
            BannerStyle::Boolean => json!(grant.need_patient_banner),
            BannerStyle::Text => json!(grant.need_patient_banner.to_string()),
        };
        members.insert("need_patient_banner".to_owned(), banner);
    }
    if let Some(encounter) = &grant.encounter {
        members.insert("encounter".to_owned(), json!(dialect::id_out(profile, "Encounter", encounter)));
        // Departments and visits are known where the workflow has an encounter.
        let extras = profile.answer.extras.iter();
        members.extend(extras.map(|(name, value)| ((*name).to_owned(), json!(value))));
    }
    if let Some(intent) = &grant.intent {
        members.insert("intent".to_owned(), json!(intent));
    }
    if !grant.fhir_context.is_empty() {
        let mut context = json!(grant.fhir_context);
        dialect::refer_out(profile, &mut context);
        members.insert("fhirContext".to_owned(), context);
    }
    members.insert("smart_style_url".to_owned(), json!(state.endpoints(&grant.place).style()));
    members.insert("tenant".to_owned(), json!(grant.place.tenant));
    members
}
