//! `nextgen`: no audience, no PKCE, pages of 25 that end after the second, refresh tokens that die in two
//! days, documents as raw files.

use super::strict::PROFILE as STRICT;
use crate::profile::{
    Attachments, AudienceCheck, Cause, DataRules, Discovery, ErrorBody, ErrorRow, FhirUser, FullUrl, IdToken,
    Medications, Meta, NextLink, PageSizes, PagingBug, Pkce, Profile, RefreshStyle, Required, SearchRules,
};

const CODE_OR_CATEGORY: ErrorRow = ErrorRow::new(
    Cause::MissingParameter,
    400,
    ErrorBody::Codeless("Parameter code or category is required"),
);
const CATEGORY_NOT_FOUND: ErrorRow =
    ErrorRow::new(Cause::MissingParameter, 404, ErrorBody::Codeless("Category not found"));

pub(super) const PROFILE: Profile = Profile {
    name: "nextgen",
    title: "NextGen Enterprise",
    vendor: "nextgen",
    releases: &["8.1"],
    discovery: Discovery { omits: &["code_challenge_methods_supported"], ..STRICT.discovery },
    scopes_supported: &[
        "openid",
        "fhirUser",
        "launch",
        "launch/patient",
        "offline_access",
        "patient/*.read",
        "user/*.read",
    ],
    refresh: RefreshStyle::Static,
    offline_seconds: 48 * 3600,
    audience: AudienceCheck::Forbidden,
    pkce: Pkce::Ignored,
    answers_with_iss: false,
    auth_methods: &["none", "client_secret_basic", "client_secret_post"],
    id_token: IdToken { fhir_user: FhirUser::Absent, ..STRICT.id_token },
    search: SearchRules {
        sizes: PageSizes { usual: 25, largest: 25, obeys_count: false, ..STRICT.search.sizes },
        next: NextLink::PageNumber,
        bug: PagingBug::StopsAfter(50),
        has_modes: false,
        full_url: FullUrl::OtherCase,
        required: &[
            Required {
                kind: "Observation",
                any_of: &[&["code"], &["category"], &["_id"]],
                else_answer: CODE_OR_CATEGORY,
            },
            Required {
                kind: "CarePlan",
                any_of: &[&["category"], &["_id"]],
                else_answer: CATEGORY_NOT_FOUND,
            },
        ],
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(
            Cause::Scope,
            403,
            ErrorBody::Codeless("Read access to this resource is denied by user"),
        ),
        // As the server spells it.
        ErrorRow::new(Cause::UnknownId, 400, ErrorBody::Codeless("Error retreiving data from EHR")),
        ErrorRow::new(Cause::UnknownParameter, 400, ErrorBody::Codeless("NotImplementedException")),
    ],
    correlation_headers: &["x-amzn-requestid"],
    data: DataRules {
        meta: Meta::Bare,
        medications: Medications::Concept,
        encounter_diagnoses_lack_status: true,
        attachments: Attachments::RawDocument,
        refers_to_null_flavor: true,
        media_type: "application/fhir+json",
        ..STRICT.data
    },
    bulk: None,
    writes: None,
    ..STRICT
};
