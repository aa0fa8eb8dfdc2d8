//! Google Cloud Healthcare API: a FHIR store that brings no sign-in service; the operator runs one and a proxy.
//!
//! From the vendor's documentation; addresses were not looked at again.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("google", "Google Cloud Healthcare API");
    p.place.base_pattern =
        unverified(text("https://healthcare.googleapis.com/v1/projects/<…>/fhirStores/<id>/fhir"));
    p.place.tenant = unverified(TenantPlace::Path);
    p.place.slash = unverified(Slash::Never);
    p.place.auth_host = documented(AuthHost::Own);
    p.scopes.dialect = documented(DialectRule::V1);
    p.limits.windows = documented(vec![Window {
        kind: WindowKind::Rolling,
        calls: None,
        seconds: 60,
        counts: Counts::Fhir,
        per: Per::Base,
    }]);
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval = documented(text("whoever runs the project"));
    p.registration.launches = documented(vec![Launch::Patient]);
    p.registration.scope_versions = documented(texts(&["v1"]));
    p
}
