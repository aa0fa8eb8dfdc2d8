//! The launch context in a token response (SMART 2.2 "Launch context arrives with your access_token").

use serde_json::{Map, Value, json};

use crate::grants::Grant;
use crate::profile::BannerStyle;
use crate::state::AppState;

/// The members that say what the app was launched for.
pub(super) fn members(state: &AppState, grant: &Grant) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(patient) = &grant.patient {
        members.insert("patient".to_owned(), json!(patient));
        let banner = match state.profile(&grant.place).banner {
            BannerStyle::Boolean => json!(grant.need_patient_banner),
            BannerStyle::Text => json!(grant.need_patient_banner.to_string()),
        };
        members.insert("need_patient_banner".to_owned(), banner);
    }
    if let Some(encounter) = &grant.encounter {
        members.insert("encounter".to_owned(), json!(encounter));
    }
    if let Some(intent) = &grant.intent {
        members.insert("intent".to_owned(), json!(intent));
    }
    if !grant.fhir_context.is_empty() {
        members.insert("fhirContext".to_owned(), json!(grant.fhir_context));
    }
    members.insert("smart_style_url".to_owned(), json!(state.endpoints(&grant.place).style()));
    members.insert("tenant".to_owned(), json!(grant.place.tenant));
    members
}
