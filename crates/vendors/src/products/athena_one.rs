//! athenaOne: one base for all practices; which one it is stands in ids and an extension.
//!
//! From the vendor's published descriptions and recorded sandbox traffic (2024 to 2026). Rate headers are of a preview.

use super::prelude::*;

/// Every intent there is (FHIR R4 ValueSet medicationrequest-intent): nothing is lost by naming them all.
const INTENTS: &str = "proposal,plan,order,original-order,reflex-order,filler-order,instance-order,option";

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("athena-one", "athenaOne");
    place_and_oauth(&mut p);
    calls(&mut p);
    data(&mut p);
    p
}

fn place_and_oauth(p: &mut Profile) {
    p.place.base_pattern = observed(text("https://api.platform.athenahealth.com/fhir/r4"));
    p.place.tenant = observed(TenantPlace::Ids);
    p.place.slash = observed(Slash::Never);
    p.place.auth_host = documented(AuthHost::Same);
    p.place.foreign_issuer = documented(true);
    p.place.discovery = documented(Discovery::Both);
    p.place.omits = observed(texts(&["refresh_token", "token_endpoint_auth_methods_supported"]));
    // Was supported for years before it was announced.
    p.oauth.pkce = observed(Pkce::Sent);
    p.oauth.audience = unverified(Audience::AsReceived);
    p.oauth.methods = documented(Method::ALL.to_vec());
    p.oauth.separate_backend_client = documented(true);
    p.scopes.wildcards = unverified(false);
    p.scopes.granted_may_be_refused = documented(true);
    p.tokens.rotation = unverified(Rotation::Unknown);
    p.tokens.refresh_needs = documented(RefreshNeeds::OfflineAccess);
    p.tokens.access_seconds = unverified(Some(3_600));
}

fn calls(p: &mut Profile) {
    p.search.rules = vec![observed(
        Rule::of(T::MedicationRequest).needs(&[&["patient", "intent"], &["_id"]]).adds("intent", INTENTS),
    )];
    p.search.includes = observed(Includes::Many);
    p.paging.next = observed(NextLink::Cursor);
    p.paging.marks = observed(texts(&["cursor"]));
    p.paging.total = observed(Total::Absent);
    p.paging.count = observed(Count::Kept);
    p.errors.bodies = observed(vec![Body::Outcome]);
    p.errors.correlation_headers =
        observed(texts(&["x-request-id", "x-athena-request-id", "x-athenanet-practice-id"]));
    p.errors.signs = vec![
        observed(Sign::new(403, Mark::Words("required parameter combinations"), Cause::ParameterMissing)),
        observed(Sign::new(403, Mark::Words("invalid token scope"), Cause::Scope)),
        unverified(Sign::new(403, Mark::Words("rate limit"), Cause::Throttled)),
        unverified(Sign::new(403, Mark::Words("over quota"), Cause::Throttled)),
    ];
    p.limits.windows = observed(vec![
        Window {
            kind: WindowKind::Rolling,
            calls: Some(500),
            seconds: 1,
            counts: Counts::Fhir,
            per: Per::Client,
        },
        Window {
            kind: WindowKind::DayGmt,
            calls: None,
            seconds: 86_400,
            counts: Counts::Fhir,
            per: Per::Client,
        },
        Window {
            kind: WindowKind::Rolling,
            calls: None,
            seconds: 60,
            counts: Counts::Token,
            per: Per::Client,
        },
    ]);
    p.limits.statuses = unverified(vec![429, 503, 403]);
    p.limits.wait_told = observed(vec![WaitTold::RetryAfter, WaitTold::RateLimitReset]);
    p.bulk.kick_offs = observed(vec![KickOff::Group]);
    // All else is written by the vendor's own interface.
    p.writes.creates = documented(texts(&["QuestionnaireResponse"]));
}

fn data(p: &mut Profile) {
    p.data.last_updated = observed(LastUpdated::Some);
    p.data.medication = observed(Medication::Either);
    p.data.attachments = observed(vec![Attachment::Inline, Attachment::Nothing]);
    p.data.status_may_be_missing = observed(true);
    p.data.extension_roots = observed(texts(&["https://fhir.athena.io/StructureDefinition/"]));
    p.data.identifier_roots = observed(texts(&["https://fhir.athena.io/sid/"]));
    p.data.redacted_identifiers = observed(texts(&["http://hl7.org/fhir/sid/us-ssn"]));
    p.registration.sandbox = documented(text("https://api.preview.platform.athenahealth.com/fhir/r4"));
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval = documented(text("developer portal, then enabled practice by practice"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(Launch::ALL.to_vec());
    p.registration.scope_versions = documented(texts(&["v1", "v2"]));
    p.registration.test_users = documented(texts(&["practice 80000", "practice 195900"]));
    p.registration.metadata =
        documented(texts(&["every scope, one by one", "separate credentials with and without a person"]));
}
