//! Veradigm: the tenant in the path, three hosts, and a statement that declares writes which the documentation denies.
//!
//! From the vendor's published descriptions; no capture of its behaviour.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("veradigm", "Veradigm");
    p.place.base_pattern =
        observed(text("https://fhir.fhirpoint.open.allscripts.com/fhirroute/{fhir,open}/<id>"));
    p.place.tenant = observed(TenantPlace::Path);
    p.place.slash = observed(Slash::Never);
    p.place.base_by_persona = observed(true);
    p.place.auth_host = documented(AuthHost::Other);
    p.place.foreign_issuer = documented(true);
    p.place.discovery = documented(Discovery::Both);
    p.place.omits = documented(texts(&["token_endpoint_auth_methods_supported"]));
    p.oauth.audience = documented(Audience::AsReceived);
    p.oauth.methods = documented(vec![Method::Basic, Method::Post, Method::Assertion]);
    p.scopes.wildcards = documented(true);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.errors.signs = vec![documented(Sign::new(413, Mark::Status, Cause::TooBroad))];
    p.bulk.kick_offs = documented(vec![KickOff::Group]);
    p.writes.trust = documented(Trust::Contract);
    p.data.releases = documented(texts(&["R4"]));
    p.registration.sandbox =
        documented(text("https://fhir.fhirpoint.open.allscripts.com/fhirroute/fhir/PEHRsandDEV"));
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval =
        documented(text("the organisation licenses the app; launches from the EHR need a paid tier"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(Launch::ALL.to_vec());
    p.registration.scope_versions = documented(texts(&["v1", "v2"]));
    p.registration.metadata = documented(texts(&["app type, which fixes audience and bulk"]));
    p.registration.secret_expires = documented(true);
    p
}
