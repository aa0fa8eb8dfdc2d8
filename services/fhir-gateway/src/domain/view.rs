//! What a page needs before any clinical data: who, whose, where, which features. Makes no call to an EHR.

use sallyport_proto::gateway::v1::{ViewResponse, view_response::Feature as Pb};
use sallyport_registry::{Entry, Feature};
use sallyport_vendors::data::LastUpdated;

use super::{context, session::Session};

/// Describes a session to the pages.
pub(crate) fn view(session: &Session, entry: &Entry<'_>) -> ViewResponse {
    ViewResponse {
        tenant_name: entry.tenant.name.clone(),
        environment: entry.tenant.environment.as_str().to_owned(),
        endpoint_name: entry.endpoint.name.clone(),
        app_name: entry.app.name.clone(),
        user_display: session.user_display.clone(),
        need_patient_banner: session.need_patient_banner,
        intent: session.intent.clone(),
        fhir_context_json: session.fhir_context_json.clone(),
        has_patient: session.patient.is_some(),
        has_encounter: session.encounter.is_some(),
        idle_expires_at: session.idle_expires_at,
        absolute_expires_at: session.absolute_expires_at,
        token_expires_at: if session.renewable { 0 } else { session.token_expires_at },
        features: context::of_the_app(entry).map(|feature| described(feature, session)).collect(),
        frame_ancestors: entry
            .endpoint
            .frame_ancestors
            .iter()
            .map(|origin| origin.as_str().to_owned())
            .collect(),
        relaunch_path: format!("/launch/{}", session.registration),
        standalone_allowed: entry.registration.standalone,
        time_zone: entry.tenant.time_zone.clone(),
        tenant: entry.tenant.id.as_str().to_owned(),
        app: entry.app.id.as_str().to_owned(),
        edits_undated: *entry.endpoint.behaviour.known().data.last_updated == LastUpdated::Absent,
    }
}

fn described(feature: &Feature, session: &Session) -> Pb {
    let on = feature.is_on(&session.granted);
    Pb {
        id: feature.id.as_str().to_owned(),
        title: feature.title.clone(),
        on,
        reason: if on { String::new() } else { missing(feature, session) },
        sections: feature.sections.clone(),
    }
}

/// Why a feature is off, in words: which resource types were not granted.
fn missing(feature: &Feature, session: &Session) -> String {
    let types: Vec<&str> = feature
        .required
        .resources()
        .filter(|scope| !session.granted.covers(scope))
        .map(|scope| scope.resource_type.as_deref().unwrap_or("every resource type"))
        .collect();
    format!("The EHR did not grant access to {}.", types.join(", "))
}
