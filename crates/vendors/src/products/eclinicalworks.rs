//! eClinicalWorks and its patient twin healow: a HAPI facade, 250 calls a minute by the wall clock, everything counted.
//!
//! From the vendor's published descriptions and list of endpoints; refresh and PKCE from a third party's digest.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("eclinicalworks", "eClinicalWorks");
    place_and_oauth(&mut p);
    calls(&mut p);
    data(&mut p);
    p
}

fn place_and_oauth(p: &mut Profile) {
    p.place.base_pattern = observed(text("https://fhir4.eclinicalworks.com/fhir/r4/<practice>"));
    p.place.tenant = observed(TenantPlace::Path);
    p.place.slash = observed(Slash::Never);
    p.place.base_by_persona = observed(true);
    p.place.auth_host = documented(AuthHost::Other);
    p.place.discovery = observed(Discovery::WellKnown);
    p.oauth.pkce = documented(Pkce::Required);
    p.oauth.audience = unverified(Audience::WithoutSlash);
    p.oauth.methods = documented(vec![Method::Public, Method::Basic, Method::Post, Method::Assertion]);
    p.oauth.algorithms = documented(vec![Algorithm::Rs384]);
    p.scopes.granular = unverified(true);
    p.scopes.granted_may_be_refused = documented(true);
    p.tokens.rotation = unverified(Rotation::Rotates);
    p.tokens.refresh_idle_seconds = unverified(Some(7_776_000));
    p.tokens.access_seconds = documented(Some(3_600));
}

fn calls(p: &mut Profile) {
    p.search.rules = vec![
        observed(
            Rule::of(T::Observation)
                .needs(&[&["patient", "category"], &["patient", "code"], &["_id"]])
                .narrows("category", "vital-signs,laboratory,social-history"),
        ),
        observed(
            Rule::of(T::CarePlan)
                .needs(&[&["patient", "category"], &["_id"]])
                .narrows("category", "assess-plan"),
        ),
        observed(
            Rule::of(T::CareTeam)
                .needs(&[&["patient", "status"], &["_id"]])
                // Every status there is (FHIR R4 ValueSet care-team-status).
                .adds("status", "proposed,active,suspended,inactive,entered-in-error"),
        ),
    ];
    p.search.unknown = observed(Unknown::Refuses);
    p.search.includes = observed(Includes::Many);
    p.paging.next = observed(NextLink::ServerSearch);
    p.paging.next_on_base = observed(true);
    p.paging.marks = observed(texts(&["_getpages"]));
    p.paging.total = observed(Total::EchoesCount);
    p.paging.full_url_elsewhere = observed(true);
    p.errors.bodies = observed(vec![Body::Outcome, Body::Json]);
    p.errors.correlation_headers = observed(texts(&["x-request-id"]));
    p.errors.signs = vec![
        observed(Sign::new(
            400,
            Mark::Words("does not know how to handle get operation"),
            Cause::ParameterMissing,
        )),
        documented(Sign::any(Mark::Words("patient already exists"), Cause::Stale)),
    ];
    p.limits.windows = documented(vec![Window {
        kind: WindowKind::MinuteAligned,
        calls: Some(250),
        seconds: 60,
        counts: Counts::FhirAndAuth,
        per: Per::Base,
    }]);
    p.limits.wait_told = documented(vec![WaitTold::NextMinute]);
    p.limits.hangs = observed(true);
    p.bulk.kick_offs = documented(vec![KickOff::Group]);
    p.bulk.concurrent = documented(Some(1));
    p.bulk.since = documented(true);
    p.bulk.poll_seconds = documented(120);
    p.bulk.files = documented(Files::Token);
    p.bulk.delete_needed = documented(true);
    p.writes.trust = documented(Trust::Contract);
    p.writes.creates = documented(texts(&["QuestionnaireResponse"]));
}

fn data(p: &mut Profile) {
    p.data.last_updated = observed(LastUpdated::Present);
    p.data.medication = observed(Medication::Reference);
    p.registration.sandbox = documented(text("https://staging-fhir.ecwcloud.com/fhir/r4/<practice>"));
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval =
        documented(text("portal, then each practice activates; every write needs a contract"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(Launch::ALL.to_vec());
    p.registration.scope_versions = documented(texts(&["v1", "v2"]));
    p.registration.test_users = documented(texts(&["practice JAFJCD at healow"]));
}
