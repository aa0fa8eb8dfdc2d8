//! Medplum: open source, the project comes from the token, limits by address.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("medplum", "Medplum");
    p.place.base_pattern = unverified(text("https://<host>/fhir/R4"));
    p.place.tenant = unverified(TenantPlace::Login);
    p.place.slash = unverified(Slash::Never);
    p.place.auth_host = documented(AuthHost::Same);
    p.oauth.pkce = documented(Pkce::Sent);
    p.tokens.refresh_needs = documented(RefreshNeeds::OfflineAccess);
    p.tokens.access_seconds = documented(Some(3_600));
    p.tokens.refresh_idle_seconds = documented(Some(1_209_600));
    p.paging.total = observed(Total::Absent);
    p.search.unknown = observed(Unknown::Ignores);
    p.limits.windows = documented(vec![Window {
        kind: WindowKind::Rolling,
        calls: Some(6_000),
        seconds: 60,
        counts: Counts::FhirAndAuth,
        per: Per::Address,
    }]);
    p.limits.wait_told = documented(vec![WaitTold::RetryAfter]);
    p.registration.access = documented(SandboxAccess::Local);
    p.registration.approval = documented(text("whoever runs it"));
    p
}
