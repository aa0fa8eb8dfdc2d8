//! athenaPractice and athenaFlow, once of another vendor: a host per customer, and thirty calls at a time.
//!
//! From the vendor's public discussions about its interface; no capture.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("athena-flow", "athenaPractice and athenaFlow");
    p.place.base_pattern = documented(text("https://<customer>.fhirapi.athenahealth.com/<instance>/fhir/r4"));
    p.place.tenant = documented(TenantPlace::Path);
    p.place.auth_host = documented(AuthHost::Same);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.scopes.granted_may_be_refused = documented(true);
    p.errors.signs = vec![documented(Sign::any(Mark::Words("user rate limit exceeded"), Cause::Throttled))];
    p.limits.windows = documented(vec![
        Window {
            kind: WindowKind::Concurrent,
            calls: Some(30),
            seconds: 0,
            counts: Counts::Fhir,
            per: Per::User,
        },
        Window { kind: WindowKind::Rolling, calls: None, seconds: 900, counts: Counts::Fhir, per: Per::User },
    ]);
    p.limits.wait_told = documented(vec![WaitTold::RetryAfter, WaitTold::Text]);
    p.registration.approval = unverified(text("developer portal, then enabled customer by customer"));
    p.registration.approval_days = unverified(None);
    p
}
