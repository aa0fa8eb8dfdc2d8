//! Epic: one server per customer, scopes decided on the app's page, and answers that say softly what was left out.
//!
//! From Epic's OAuth 2.0 specification and tutorial (2025), its sandbox and published fleet (2024 to 2026).

use super::prelude::*;

/// Categories that Epic takes; `procedure`, `therapy` and `activity` are refused.
const CATEGORIES: &str = "vital-signs,laboratory,social-history,survey,exam,imaging";

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("epic", "Epic");
    place(&mut p);
    oauth(&mut p);
    search(&mut p);
    errors(&mut p);
    bulk_and_writes(&mut p);
    data(&mut p);
    registration(&mut p);
    p
}

fn place(p: &mut Profile) {
    p.place.base_pattern = observed(text("https://<customer host>/<path>/api/FHIR/R4/"));
    p.place.tenant = observed(TenantPlace::Host);
    p.place.slash = observed(Slash::Always);
    p.place.auth_host = documented(AuthHost::Same);
    p.place.discovery = documented(Discovery::Both);
    p.place.omits = observed(texts(&["code_challenge_methods_supported"]));
}

fn oauth(p: &mut Profile) {
    p.oauth.pkce = documented(Pkce::Required);
    p.oauth.audience = documented(Audience::AsReceived);
    p.oauth.methods = documented(vec![Method::Public, Method::Basic, Method::Assertion]);
    p.oauth.algorithms = documented(vec![Algorithm::Rs384, Algorithm::Es384]);
    p.oauth.introspection = observed(Introspection::ByAccessToken);
    p.scopes.dialect = documented(DialectRule::Announced);
    p.scopes.answers_in_v1 = documented(true);
    p.scopes.drops_silently = documented(true);
    p.scopes.mixed_case = documented(true);
    // Off unless the customer turns it on, and then of two kinds: what is not known of an endpoint counts as rotating.
    p.tokens.rotation = documented(Rotation::Unknown);
    p.tokens.refresh_needs = documented(RefreshNeeds::ConfiguredClient);
    p.tokens.access_seconds = documented(Some(3_600));
    p.tokens.banner_as_text = documented(true);
    p.tokens.no_patient_standalone = documented(true);
    p.tokens.extras = documented(texts(&[
        "location",
        "loginDepartment",
        "appointment",
        "__epic.dstu2.patient",
        "state",
        "smart_style_url",
    ]));
    // Until May 2020 the issuer was `<server>/oauth2/token`.
    p.tokens.issuer_suffixes = documented(texts(&["/token"]));
    p.tokens.fhir_user = documented(FhirUser::Absolute);
}

fn search(p: &mut Profile) {
    p.search.rules = vec![
        observed(
            Rule::of(T::Observation)
                .needs(&[&["code"], &["category"], &["_id"]])
                .narrows("category", CATEGORIES)
                .alone("_id"),
        ),
        // Which categories there are is said by the refusal alone: nothing sensible can be added.
        observed(Rule::of(T::CarePlan).needs(&[&["patient", "category"], &["_id"]]).alone("_id")),
        observed(Rule::of(T::EpisodeOfCare).needs(&[&["patient", "type"], &["_id"]]).alone("_id")),
        observed(Rule::of(T::Patient).needs(&[
            &["_id"],
            &["identifier"],
            &["family", "given"],
            &["name"],
            &["family", "birthdate"],
        ])),
    ];
    p.search.unknown = observed(Unknown::Both);
    p.search.includes = observed(Includes::Many);
    p.search.xml_by_default = observed(true);
    p.search.last_updated = observed(false);
    p.search.max_matches = observed(Some(1_000));
    p.paging.next = observed(NextLink::ServerSearch);
    p.paging.marks = observed(texts(&["sessionID"]));
    p.paging.total = observed(Total::OfPage);
    p.paging.max_size = observed(Some(1_000));
    // How long a search is kept nobody says: an expired one is told by its code.
    p.paging.idle_seconds = unverified(None);
}

fn errors(p: &mut Profile) {
    p.errors.bodies = observed(vec![Body::Outcome, Body::Empty, Body::EmptyText, Body::Html, Body::Xml]);
    p.errors.code_system = observed(Some(text("urn:oid:1.2.840.114350.1.13.0.1.7.2.657369")));
    p.errors.nothing_codes = observed(texts(&["4101"]));
    p.errors.partial_codes = observed(texts(&["4119", "59204"]));
    p.errors.correlation_headers = unverified(Vec::new());
    let sign = |code, cause| observed(Sign::any(Mark::Code(code), cause));
    p.errors.signs = vec![
        sign("4113", Cause::PageExpired),
        sign("4103", Cause::Gone),
        sign("4107", Cause::Merged),
        sign("4118", Cause::Permission),
        sign("59203", Cause::Permission),
        sign("59204", Cause::Permission),
        sign("59108", Cause::ParameterMissing),
        sign("59109", Cause::ParameterMissing),
        sign("59111", Cause::ParameterMissing),
        sign("59159", Cause::ParameterMissing),
        sign("4110", Cause::ParameterMissing),
        sign("4111", Cause::ParameterMissing),
        sign("4112", Cause::ParameterMissing),
        sign("4100", Cause::ParameterInvalid),
        sign("59100", Cause::ParameterInvalid),
        sign("59133", Cause::TooBroad),
        sign("59008", Cause::NotFound),
        sign("4102", Cause::NotFound),
        // The web server in front of the product answers what the product does not have.
        observed(Sign::new(404, Mark::Words("<html"), Cause::NotOffered)),
    ];
    // No number is published; about 27 calls a second passed on the sandbox.
    p.limits.windows = documented(vec![Window {
        kind: WindowKind::Rolling,
        calls: Some(1),
        seconds: 86_400,
        counts: Counts::Bulk,
        per: Per::Client,
    }]);
    p.limits.wait_told = unverified(vec![WaitTold::RetryAfter]);
}

fn bulk_and_writes(p: &mut Profile) {
    p.bulk.kick_offs = unverified(vec![KickOff::Group]);
    p.bulk.max_patients = unverified(Some(1_000));
    p.bulk.repeat_seconds = unverified(Some(86_400));
    p.bulk.since = observed(false);
    p.bulk.type_filter = unverified(true);
    p.bulk.poll_seconds = unverified(600);
    p.bulk.files = unverified(Files::Token);
    p.bulk.delete_needed = unverified(true);
    p.bulk.omits = unverified(texts(&["MedicationAdministration"]));
    p.writes.creates = observed(texts(&[
        "AllergyIntolerance",
        "BodyStructure",
        "Communication",
        "ConceptMap",
        "Condition",
        "DocumentReference",
        "Observation",
        "Patient",
        "Procedure",
        "QuestionnaireResponse",
        "ServiceRequest",
    ]));
    p.writes.trust = observed(Trust::Statement);
}

fn data(p: &mut Profile) {
    p.data.releases = documented(texts(&["DSTU2", "STU3", "R4"]));
    p.data.max_id_length = observed(130);
    p.data.last_updated = observed(LastUpdated::Absent);
    p.data.medication = observed(Medication::Reference);
    p.data.attachments = observed(vec![Attachment::Binary]);
    p.data.codes_doubled = observed(true);
    p.data.code_systems_by_customer = observed(true);
    p.data.extension_roots = observed(texts(&["http://open.epic.com/FHIR/StructureDefinition/extension/"]));
    p.data.identifier_roots = observed(texts(&[
        "urn:oid:1.2.840.114350.1.13.",
        "http://open.epic.com/FHIR/StructureDefinition/",
        "http://epic.com/CodeSystem/",
    ]));
}

fn registration(p: &mut Profile) {
    p.registration.sandbox = documented(text("https://fhir.epic.com/interconnect-fhir-oauth/api/FHIR/R4"));
    p.registration.access = documented(SandboxAccess::SelfService);
    p.registration.approval =
        documented(text("each customer activates the app; a secret per customer and environment"));
    p.registration.approval_days = unverified(None);
    p.registration.launches = documented(Launch::ALL.to_vec());
    p.registration.scope_versions = documented(texts(&["v1", "v2"]));
    p.registration.metadata = documented(texts(&[
        "name",
        "audience",
        "FHIR version",
        "SMART scope version",
        "list of APIs",
        "redirect URIs",
        "JWKS URLs",
    ]));
    p.registration.client_id_by_environment = documented(true);
}
