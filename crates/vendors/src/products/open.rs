//! Products that follow the specification: any SMART server, and our own sandbox EHR in its strict profile.

use super::prelude::*;

/// Any SMART App Launch 2.x server that nobody has looked at closely.
pub(crate) fn generic() -> Profile {
    Profile::standard("generic", "SMART on FHIR")
}

/// The sandbox EHR, profile `strict`: rotates refresh tokens, gives one for `online_access`, sends the nonce back.
pub(crate) fn sandbox() -> Profile {
    let mut p = Profile::standard("sandbox", "Sandbox EHR");
    p.tokens.rotation = observed(Rotation::Rotates);
    p.tokens.online_access = observed(true);
    p.oauth.nonce_required = observed(true);
    p.paging.total = observed(Total::Exact);
    let written = [
        "AllergyIntolerance",
        "Communication",
        "CommunicationRequest",
        "Condition",
        "DocumentReference",
        "Observation",
        "Procedure",
        "QuestionnaireResponse",
        "ServiceRequest",
        "Task",
    ];
    p.writes.creates = observed(texts(&written));
    p.writes.updates = observed(texts(&written));
    p.writes.conditional_create = observed(true);
    p.registration.sandbox = observed(text("http://127.0.0.1:8090/strict/{tenant}/fhir"));
    p.registration.access = observed(SandboxAccess::Local);
    p.registration.launches = observed(Launch::ALL.to_vec());
    p
}
