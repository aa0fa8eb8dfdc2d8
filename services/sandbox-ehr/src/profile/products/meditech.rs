//! `meditech`: the default port written out in links, errors that are no OperationOutcome, the secret in
//! the form only.

use super::strict::{PROFILE as STRICT, WRITES};
use crate::profile::{
    AudienceCheck, Cause, ConditionalCreate, DataRules, ErrorBody, ErrorRow, Ids, Medications, NextLink,
    OauthErrors, PageSizes, Pkce, Profile, RefreshStyle, SearchRules, Total, WriteRules,
};

const fn detail(cause: Cause, status: u16, text: &'static str) -> ErrorRow {
    ErrorRow::new(cause, status, ErrorBody::ResourceDetail(text))
}

pub(super) const PROFILE: Profile = Profile {
    name: "meditech",
    title: "MEDITECH Expanse",
    vendor: "meditech",
    releases: &["2.2.0", "US Core R4 1.0.0"],
    scopes_supported: &[
        "openid",
        "fhirUser",
        "launch",
        "launch/patient",
        "offline_access",
        "patient/*.read",
        "patient/*.crus",
        "user/*.crus",
        "infr-directory",
        "infr-printing",
        "iops-scheduling",
    ],
    refresh: RefreshStyle::Rotating,
    audience: AudienceCheck::SlashTolerant,
    pkce: Pkce::Required,
    answers_with_iss: false,
    auth_methods: &["none", "client_secret_post"],
    oauth_errors: OauthErrors::ResourceDetail,
    search: SearchRules {
        sizes: PageSizes {
            usual: 500,
            largest: 500,
            by_type: &[("Observation", 20, 20)],
            ..STRICT.search.sizes
        },
        total: Total::Page,
        next: NextLink::Continue,
        respells_links: true,
        has_bundle_id: true,
        ..STRICT.search
    },
    errors: &[
        detail(Cause::Token, 401, "Unauthorized"),
        detail(Cause::Scope, 403, "Forbidden"),
        detail(Cause::OtherPatient, 403, "Forbidden"),
        detail(Cause::Address, 404, "Not Found"),
        detail(Cause::UnknownId, 404, "Not Found"),
        detail(Cause::BadParameter, 400, "Bad Request"),
        detail(Cause::UnknownParameter, 400, "Bad Request"),
    ],
    correlation_headers: &["mtrestapi-requestid", "traceparent"],
    data: DataRules {
        ids: Ids::Padded { usual: 40, by_type: &[] },
        medications: Medications::Concept,
        media_type: "application/fhir+json",
        ..STRICT.data
    },
    bulk: None,
    writes: Some(WriteRules {
        creates: &["Communication", "QuestionnaireResponse"],
        updates: &[],
        conditional_create: ConditionalCreate::Ignored,
        ..WRITES
    }),
    ..STRICT
};
