//! Azure Health Data Services with Entra ID, which cannot carry `/` in a scope.
//!
//! From the vendor's documentation and samples; addresses were not looked at again.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("azure", "Azure Health Data Services (Entra ID)");
    p.place.base_pattern = unverified(text("https://<workspace>-<service>.fhir.azurehealthcareapis.com"));
    p.place.tenant = unverified(TenantPlace::Host);
    p.place.slash = unverified(Slash::Never);
    p.place.auth_host = documented(AuthHost::Other);
    p.place.foreign_issuer = documented(true);
    p.scopes.separator = documented(Separator::Dot);
    p.scopes.read_permits_search = documented(false);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.tokens.fhir_user = documented(FhirUser::Absent);
    p.paging.next = documented(NextLink::Cursor);
    p.paging.marks = documented(texts(&["ct"]));
    p.paging.total = documented(Total::Absent);
    p.paging.next_of_post_broken = documented(true);
    p.limits.wait_told = unverified(vec![WaitTold::RetryAfter]);
    p.bulk.kick_offs = documented(vec![KickOff::System, KickOff::AllPatients, KickOff::Group]);
    p.bulk.files = documented(Files::Storage);
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval =
        documented(text("an administrator of the directory consents; at most two identity providers"));
    p.registration.metadata = documented(texts(&["the fhirUser claim, mapped user by user"]));
    p
}
