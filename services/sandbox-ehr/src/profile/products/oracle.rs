//! `oracle`: the authorization server on another host, tokens of 570 seconds, no new refresh token, scopes
//! dropped without a word, errors that are only an address.

use super::strict::{BULK, PROFILE as STRICT};
use crate::profile::{
    Attachments, AuthorizationHost, BulkFiles, BulkRules, Cause, Codings, ConditionalCreate, DataRules,
    Discovery, ErrorBody, ErrorRow, IdToken, Ids, Issuer, Medications, NextLink, OauthErrors, OauthUris,
    PageSizes, PagingBug, Pkce, Profile, RedirectCheck, RefreshStyle, Required, ScopeDialect, SearchRules,
    TokenAnswer, Total, WriteAnswer, WriteRules,
};

const PATIENT_PARAMETERS: &[&[&str]] =
    &[&["_id"], &["identifier"], &["name"], &["family"], &["given"], &["birthdate"], &["address-postalcode"]];
const TOO_FEW: ErrorRow = ErrorRow::new(
    Cause::MissingParameter,
    422,
    ErrorBody::Outcome("business-rule", "too many records match: at least one more parameter is required"),
);
const NO_PATIENT: ErrorRow = ErrorRow::new(
    Cause::MissingParameter,
    400,
    ErrorBody::Outcome("required", "one of patient, subject or _id must be provided"),
);

pub(super) const PROFILE: Profile = Profile {
    name: "oracle",
    title: "Oracle Health Millennium",
    vendor: "oracle",
    releases: &["2026.1", "2025.4"],
    discovery: Discovery {
        omits: &["code_challenge_methods_supported"],
        renames: &[],
        oauth_uris: OauthUris::Absent,
        host: AuthorizationHost::Other,
        issuer: Issuer::AuthorizationServer,
    },
    capabilities: &[
        "launch-ehr",
        "launch-standalone",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "permission-offline",
        "permission-online",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    ],
    access_token_seconds: 570,
    refresh: RefreshStyle::Static,
    offline_seconds: 10 * 365 * 24 * 3600,
    refresh_idle_seconds: Some(90 * 24 * 3600),
    pkce: Pkce::Optional,
    redirect: RedirectCheck::ExactWithFreeQuery,
    scope_dialect: ScopeDialect::DropsVersion1,
    allows_wildcards: false,
    max_scope_bytes: Some(4096),
    answers_with_iss: false,
    auth_methods: &["none", "client_secret_basic", "private_key_jwt"],
    answer: TokenAnswer { active_seconds: Some(900), ..STRICT.answer },
    id_token: IdToken { has_username: true, ..STRICT.id_token },
    oauth_errors: OauthErrors::UriOnly("https://authorization.oracle.example/errors"),
    search: SearchRules {
        sizes: PageSizes {
            by_type: &[
                ("DocumentReference", 10, 100),
                ("Patient", 20, 100),
                ("MedicationRequest", 25, 100),
                ("Observation", 50, 200),
            ],
            unpaged: &["Condition", "Procedure"],
            ..STRICT.search.sizes
        },
        total: Total::Absent,
        next: NextLink::PageContext,
        bug: PagingBug::RepeatsLast,
        has_bundle_id: true,
        required: &[
            Required { kind: "Patient", any_of: PATIENT_PARAMETERS, else_answer: TOO_FEW },
            Required {
                kind: "Observation",
                any_of: &[&["patient"], &["subject"], &["_id"]],
                else_answer: NO_PATIENT,
            },
        ],
        denied_types: &["CareTeam"],
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(Cause::Scope, 403, ErrorBody::Outcome("forbidden", "Forbidden resource")),
        ErrorRow::new(Cause::DeniedType, 403, ErrorBody::Outcome("forbidden", "Forbidden resource")),
        ErrorRow::new(
            Cause::Token,
            401,
            ErrorBody::Outcome("login", "Bearer realm=\"oracle.example\", error=\"invalid_token\""),
        )
        .challenging("Bearer realm=\"oracle.example\", error=\"invalid_token\""),
        ErrorRow::new(Cause::NotAcceptable, 406, ErrorBody::Empty),
        ErrorRow::new(Cause::Server, 500, ErrorBody::Outcome("required", "a required element is missing")),
    ],
    correlation_headers: &["x-request-id", "opc-request-id"],
    data: DataRules {
        ids: Ids::Prefixed(&[
            ("Observation", "L-"),
            ("Condition", "p"),
            ("DocumentReference", "XR-"),
            ("Immunization", "M"),
        ]),
        medications: Medications::Concept,
        codings: Codings::ChosenByUser("https://fhir.oracle.example/{tenant}/codeSet/72"),
        attachments: Attachments::AbsoluteBinary,
        media_type: "application/fhir+json",
        ..STRICT.data
    },
    bulk: Some(BulkRules {
        token_seconds: 570,
        ready_seconds: 3600,
        retry_after_seconds: 18_000,
        one_at_a_time: true,
        repeats_type: false,
        files: BulkFiles::Presigned,
        repeats_rows: true,
        ..BULK
    }),
    writes: Some(WriteRules {
        creates: &[
            "AllergyIntolerance",
            "Communication",
            "Condition",
            "DocumentReference",
            "Observation",
            "Procedure",
        ],
        updates: &["AllergyIntolerance", "Condition", "DocumentReference", "Procedure"],
        answer: WriteAnswer::HeadersOnly,
        conditional_create: ConditionalCreate::Ignored,
        needs_if_match: true,
        update_needs_read: true,
        stale_status: 409,
        observation_categories: &["vital-signs", "laboratory"],
        document_types: &["application/xhtml+xml"],
        refused_members: &["modifierExtension", "implicitRules"],
        dropped_members: &["note", "identifier"],
        refuses_mixed_codings: true,
    }),
    ..STRICT
};
