//! Oracle Health (Millennium): the tenant in the path, the authorization server elsewhere, tokens of 570 seconds.
//!
//! From the vendor's documentation (2024) and captures of its sandbox and fleet (2024 to 2026). Which methods and
//! dialects a registration may use differs from one to the next.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("oracle", "Oracle Health (Millennium)");
    place(&mut p);
    oauth(&mut p);
    search(&mut p);
    errors(&mut p);
    bulk(&mut p);
    writes_and_data(&mut p);
    registration(&mut p);
    p
}

fn place(p: &mut Profile) {
    p.place.base_pattern = documented(text("https://fhir-ehr.cerner.com/r4/<tenant>/"));
    p.place.tenant = documented(TenantPlace::Path);
    p.place.slash = observed(Slash::Always);
    p.place.base_by_persona = documented(true);
    p.place.auth_host = documented(AuthHost::Other);
    p.place.discovery = observed(Discovery::WellKnown);
    p.place.omits = observed(texts(&["refresh_token", "code_challenge_methods_supported", "oauth-uris"]));
}

fn oauth(p: &mut Profile) {
    // A fifth of the fleet does not announce it.
    p.oauth.pkce = observed(Pkce::Sent);
    p.oauth.audience = documented(Audience::AsReceived);
    p.oauth.methods = documented(vec![Method::Public, Method::Basic, Method::Assertion]);
    p.oauth.algorithms = documented(vec![Algorithm::Rs384, Algorithm::Es384]);
    p.scopes.drops_silently = observed(true);
    p.scopes.wildcards = documented(false);
    p.scopes.read_permits_search = observed(false);
    p.scopes.granted_may_be_refused = observed(true);
    p.tokens.rotation = documented(Rotation::Static);
    p.tokens.refresh_needs = documented(RefreshNeeds::Scope);
    p.tokens.online_access = documented(true);
    p.tokens.refresh_margin_seconds = documented(120);
    p.tokens.refresh_interval_seconds = documented(Some(60));
    p.tokens.refresh_idle_seconds = documented(Some(7_776_000));
    p.tokens.access_seconds = documented(Some(570));
    p.tokens.active_presence = documented(true);
    p.tokens.extras = documented(texts(&["smart_style_url", "active_ttl"]));
}

fn search(p: &mut Profile) {
    p.search.rules = vec![
        documented(Rule::of(T::Patient).pages(Some(20), None).needs(&[
            &["_id"],
            &["identifier"],
            &["birthdate"],
            &["name"],
            &["given"],
            &["family"],
        ])),
        documented(
            Rule::of(T::Observation)
                .needs(&[&["patient"], &["_id"]])
                .apart("_lastUpdated", "date")
                .alone("_id")
                .pages(Some(50), Some(200)),
        ),
        documented(Rule::of(T::Encounter).needs(&[&["patient"], &["_id"]]).alone("_id")),
        documented(Rule::of(T::DocumentReference).pages(Some(10), Some(100))),
        documented(Rule::of(T::MedicationRequest).pages(Some(25), None)),
    ];
    p.search.includes = documented(Includes::Few);
    p.search.max_matches = documented(Some(1_000));
    p.paging.next = observed(NextLink::Cursor);
    p.paging.marks = observed(texts(&["-pageContext", "-pageDirection"]));
    p.paging.total = observed(Total::Absent);
    p.paging.count = observed(Count::IgnoredAtFirst);
    p.paging.repeats_rows = documented(true);
}

fn errors(p: &mut Profile) {
    p.errors.bodies = observed(vec![Body::Outcome, Body::Empty]);
    p.errors.error_uri_only = documented(true);
    p.errors.correlation_headers = observed(texts(&["x-request-id", "opc-request-id"]));
    p.errors.signs = vec![
        observed(Sign::new(403, Mark::Words("tenant not valid or accessible"), Cause::Tenant)),
        observed(Sign::new(403, Mark::Words("forbidden resource"), Cause::Scope)),
        documented(Sign::new(409, Mark::Status, Cause::Stale)),
        documented(Sign::new(422, Mark::Search, Cause::TooBroad)),
        // The record lacks a field that FHIR requires: no other try will do.
        observed(Sign::new(500, Mark::Issue("required"), Cause::Other)),
    ];
    p.limits.windows = documented(vec![
        Window {
            kind: WindowKind::Concurrent,
            calls: Some(1),
            seconds: 0,
            counts: Counts::Bulk,
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
    p.limits.fatal_as_5xx = documented(true);
}

fn bulk(p: &mut Profile) {
    p.bulk.kick_offs = documented(vec![KickOff::Group, KickOff::PatientList]);
    p.bulk.max_patients = documented(Some(10_000));
    p.bulk.concurrent = documented(Some(1));
    p.bulk.since = documented(true);
    p.bulk.type_filter = documented(true);
    p.bulk.type_list = unverified(TypeList::Joined);
    p.bulk.lenient_drops_filters = documented(true);
    p.bulk.poll_seconds = documented(600);
    p.bulk.files = documented(Files::SignedRedirect);
    p.bulk.delete_needed = documented(true);
    p.bulk.duplicates = unverified(true);
    p.bulk.omits = documented(texts(&["Binary"]));
}

fn writes_and_data(p: &mut Profile) {
    // Many are documented; these are the ones that this product writes.
    p.writes.creates = documented(texts(&[
        "AllergyIntolerance",
        "Communication",
        "Condition",
        "DocumentReference",
        "Observation",
        "Procedure",
    ]));
    p.writes.updates =
        documented(texts(&["AllergyIntolerance", "Condition", "DocumentReference", "Procedure"]));
    p.writes.created = documented(Created::LocationOnly);
    p.writes.if_match_needed = documented(true);
    p.writes.read_scope_needed = documented(true);
    p.writes.conditional_create = documented(false);
    p.writes.mixed_codings_refused = documented(true);
    p.writes.drops_elements = documented(true);
    p.writes.relationship_needed = documented(true);
    p.writes.stale_status = documented(409);
    p.data.releases = documented(texts(&["DSTU2", "R4"]));
    p.data.last_updated = observed(LastUpdated::Present);
    p.data.medication = observed(Medication::Concept);
    p.data.attachments = observed(vec![Attachment::Binary]);
    p.data.codes_doubled = observed(true);
    p.data.code_systems_by_customer = observed(true);
    p.data.extension_roots = documented(texts(&[
        "https://fhir-ehr.cerner.com/r4/StructureDefinition/",
        "http://electronichealth.se/",
    ]));
    p.data.identifier_roots = observed(texts(&["https://fhir.cerner.com/"]));
}

fn registration(p: &mut Profile) {
    p.registration.sandbox =
        documented(text("https://fhir-open.cerner.com/r4/ec2458f2-1e24-41c8-b71b-0e701af7583d/"));
    p.registration.access = documented(SandboxAccess::Open);
    p.registration.approval = documented(text(
        "the vendor validates clinicians' apps, then domains are enabled one by one; DNS and TLS are checked",
    ));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(Launch::ALL.to_vec());
    p.registration.scope_versions = documented(texts(&["v1", "v2"]));
    p.registration.metadata = documented(texts(&[
        "app type",
        "online or offline access",
        "privacy policy",
        "product and scopes, fixed at registration",
        "DNS TXT record cerner-client-id",
    ]));
}
