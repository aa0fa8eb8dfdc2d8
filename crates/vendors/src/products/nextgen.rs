//! NextGen Enterprise: one gateway for all practices, pages that end too early, and refresh tokens good for two days.
//!
//! From the vendor's guide to authorization and recorded sandbox traffic (2024); `aud` and PKCE from a third party.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("nextgen", "NextGen Enterprise");
    place_and_oauth(&mut p);
    calls(&mut p);
    p.data.releases = observed(texts(&["DSTU2", "R4"]));
    p.data.last_updated = observed(LastUpdated::Absent);
    p.data.medication = observed(Medication::Concept);
    p.data.attachments = observed(vec![Attachment::Raw]);
    p.data.status_may_be_missing = observed(true);
    p.data.foreign_references = observed(true);
    p.data.identifier_roots = observed(texts(&["http://www.nextgen.com", "www.nextgen.com"]));
    p.registration.sandbox = observed(text("https://fhir.nextgen.com/nge/prod/fhir-api-r4/fhir/r4/"));
    p.registration.access = documented(SandboxAccess::Approval);
    p.registration.approval = documented(text("an administrator activates the app"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(vec![Launch::Patient, Launch::Provider]);
    p.registration.scope_versions = documented(texts(&["v1"]));
    p.registration.test_users = observed(texts(&["a test patient on the production gateway"]));
    p
}

fn place_and_oauth(p: &mut Profile) {
    p.place.base_pattern = observed(text("https://fhir.nextgen.com/nge/prod/fhir-api-r4/fhir/r4/"));
    p.place.tenant = observed(TenantPlace::Login);
    p.place.slash = observed(Slash::Always);
    p.place.base_by_persona = unverified(true);
    p.place.auth_host = unverified(AuthHost::Other);
    p.oauth.pkce = unverified(Pkce::Sent);
    p.oauth.audience = unverified(Audience::Omitted);
    p.oauth.methods = documented(vec![Method::Basic, Method::Post]);
    p.oauth.introspection = unverified(Introspection::None);
    p.scopes.dialect = documented(DialectRule::V1);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.tokens.refresh_idle_seconds = documented(Some(172_800));
    // Half of what it lives: a day without the vault is survived.
    p.tokens.keep_alive_seconds = documented(Some(86_400));
}

fn calls(p: &mut Profile) {
    p.search.rules = vec![
        observed(
            Rule::of(T::Observation)
                .needs(&[&["code"], &["category"], &["_id"]])
                .narrows("category", "vital-signs,laboratory,social-history")
                .pages(Some(25), Some(25)),
        ),
        observed(Rule::of(T::CarePlan).needs(&[&["category"], &["_id"]]).narrows("category", "assess-plan")),
    ];
    p.paging.next = observed(NextLink::PageNumber);
    p.paging.marks = observed(texts(&["page"]));
    p.paging.total = observed(Total::Exact);
    p.paging.count = observed(Count::Ignored);
    p.paging.default_size = observed(Some(25));
    // Asked for 50 a page it stopped after 50 of 109 rows; 25 is what it serves anyway.
    p.paging.max_size = observed(Some(25));
    p.paging.stops_short = observed(true);
    p.paging.mode_absent = observed(true);
    p.paging.full_url_elsewhere = observed(true);
    p.errors.bodies = observed(vec![Body::Outcome, Body::OutcomeWithoutCode]);
    p.errors.correlation_headers = observed(texts(&["x-amzn-requestid"]));
    p.errors.signs = vec![
        observed(Sign::new(404, Mark::SearchOn(T::CarePlan), Cause::ParameterMissing)),
        observed(Sign::new(400, Mark::Words("notimplementedexception"), Cause::NotOffered)),
        // As the server spells it.
        observed(Sign::new(400, Mark::Words("error retreiving data"), Cause::NotFound)),
        // As it will be spelt once somebody mends it.
        unverified(Sign::new(400, Mark::Words("error retrieving data"), Cause::NotFound)),
        observed(Sign::new(403, Mark::Words("is denied by user"), Cause::Permission)),
    ];
}
