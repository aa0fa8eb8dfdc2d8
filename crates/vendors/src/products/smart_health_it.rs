//! SMART Health IT's launcher: whatever was asked for is inside the path. Too lenient to prove a contract by.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("smart-health-it", "SMART Health IT launcher");
    p.place.base_pattern = documented(text("https://launch.smarthealthit.org/v/r4/sim/<options>/fhir"));
    p.place.tenant = documented(TenantPlace::Path);
    p.place.slash = documented(Slash::Never);
    p.place.auth_host = documented(AuthHost::Same);
    p.place.omits = documented(texts(&["refresh_token"]));
    p.tokens.access_seconds = documented(Some(3_600));
    p.tokens.refresh_needs = documented(RefreshNeeds::Scope);
    p.registration.sandbox = documented(text("https://launch.smarthealthit.org/v/r4/fhir"));
    p.registration.access = documented(SandboxAccess::Open);
    p.registration.approval = documented(text("none: any client id is taken"));
    p.registration.launches = documented(Launch::ALL.to_vec());
    p
}
