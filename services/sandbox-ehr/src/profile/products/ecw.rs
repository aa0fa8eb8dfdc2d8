//! `ecw`: refresh tokens that serve once, an audience compared to the letter, 250 requests a minute of the
//! wall clock, `total` that repeats `_count`, resources on another host.

use super::strict::{BULK, PROFILE as STRICT, WRITES};
use crate::profile::{
    AudienceCheck, BulkRules, Cause, ConditionalCreate, DataRules, Discovery, ErrorBody, ErrorRow, FullUrl,
    Ids, Issuer, Limit, Medications, NextLink, PageSizes, Pkce, Profile, RefreshStyle, Required, SearchRules,
    Told, Total, Window, WriteRules,
};

const fn unhandled(kind: &'static str, any_of: &'static [&'static [&'static str]]) -> Required {
    Required {
        kind,
        any_of,
        else_answer: ErrorRow::new(
            Cause::MissingParameter,
            400,
            ErrorBody::Narrative(
                "processing",
                "HAPI-0302: Does not know how to handle get operation with parameter [patient]",
            ),
        ),
    }
}

pub(super) const PROFILE: Profile = Profile {
    name: "ecw",
    title: "eClinicalWorks",
    vendor: "eclinicalworks",
    releases: &["12.0.3"],
    discovery: Discovery { issuer: Issuer::FhirBase, ..STRICT.discovery },
    refresh: RefreshStyle::Rotating,
    offline_seconds: 90 * 24 * 3600,
    audience: AudienceCheck::Exact,
    pkce: Pkce::Required,
    answers_with_iss: false,
    assertion_algorithms: &["RS384"],
    search: SearchRules {
        sizes: PageSizes { usual: 20, largest: 100, ..STRICT.search.sizes },
        total: Total::EchoesCount,
        next: NextLink::BaseWithOffset,
        has_bundle_id: true,
        full_url: FullUrl::OtherHost("http://fhir4.ecw.example"),
        required: &[
            unhandled("CarePlan", &[&["category"], &["_id"]]),
            unhandled("CareTeam", &[&["status"], &["_id"]]),
            unhandled("Observation", &[&["category"], &["code"], &["_id"]]),
        ],
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(
            Cause::Address,
            400,
            ErrorBody::Narrative("processing", "HAPI-0302: Unknown resource type"),
        ),
        ErrorRow::new(Cause::TooMany, 429, ErrorBody::Empty),
    ],
    correlation_headers: &["x-request-id"],
    data: DataRules {
        ids: Ids::Padded { usual: 64, by_type: &[] },
        medications: Medications::Reference,
        media_type: "application/json+fhir",
        ..STRICT.data
    },
    limits: &[Limit {
        window: Window::Minute,
        count: 250,
        counts_auth: true,
        status: 429,
        told: Told::Nothing,
    }],
    bulk: Some(BulkRules { retry_after_seconds: 120, needs_group_scope: true, ..BULK }),
    writes: Some(WriteRules {
        creates: &["QuestionnaireResponse"],
        updates: &[],
        conditional_create: ConditionalCreate::Ignored,
        ..WRITES
    }),
    ..STRICT
};
