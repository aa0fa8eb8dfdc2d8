//! Altera (TouchWorks, Sunrise, Paragon): customers' own hosts, odd ports, either case.
//!
//! From the vendor's published list of endpoints alone.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("altera", "Altera (TouchWorks, Sunrise, Paragon)");
    p.place.base_pattern = observed(text("https://<customer host>[:<port>]/<path>/R4/{fhir,open}-<name>"));
    p.place.tenant = observed(TenantPlace::Path);
    p.place.slash = observed(Slash::Mixed);
    p.place.base_by_persona = observed(true);
    p.place.auth_host = unverified(AuthHost::Same);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.registration.approval =
        unverified(text("customer by customer; no single sign-on in Sunrise and Paragon"));
    p.registration.approval_days = unverified(None);
    p
}
