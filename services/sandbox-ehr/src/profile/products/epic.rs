//! `epic`: scopes come back in version 1, ids of 130 characters, searches that need parameters, warnings
//! among the entries, XML unless JSON is named.

use super::strict::{BULK, PROFILE as STRICT, WRITES};
use crate::profile::{
    AudienceCheck, BannerStyle, BulkRules, Cause, Codings, ConditionalCreate, DataRules, Discovery,
    ErrorBody, ErrorRow, IdToken, Ids, Introspection, Medications, Meta, NextLink, Notice, OauthErrors,
    OauthUris, PageSizes, Pkce, Profile, RefreshStyle, Required, ScopeCase, ScopeDialect, SearchRules,
    Subject, TokenAnswer, Total, UnknownParameter, WriteRules,
};

/// The system of the product's own error codes.
const CODES: &str = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369";
/// What its web server shows where no application is.
const IIS_PAGE: &str = "<!DOCTYPE html><html><head><title>404 - File or directory not found.</title></head>\
    <body><h2>404 - File or directory not found.</h2></body></html>";

const fn coded(
    cause: Cause,
    status: u16,
    issue: &'static str,
    code: &'static str,
    text: &'static str,
) -> ErrorRow {
    ErrorRow::new(cause, status, ErrorBody::Coded(issue, (CODES, code), text))
}

const fn notice(
    severity: &'static str,
    issue: &'static str,
    code: &'static str,
    text: &'static str,
) -> Notice {
    Notice { severity, code: issue, coding: (CODES, code), text }
}

const CATEGORY_MISSING: ErrorRow = coded(
    Cause::MissingParameter,
    400,
    "business-rule",
    "59159",
    "The category parameter is required. Use one of: 38717003, 734163000, 736271009, assess-plan.",
);
const CODE_OR_CATEGORY_MISSING: ErrorRow = coded(
    Cause::MissingParameter,
    400,
    "required",
    "59108",
    "Either a code or a category parameter must be provided.",
);
const DEMOGRAPHICS_MISSING: ErrorRow = coded(
    Cause::MissingParameter,
    400,
    "required",
    "4112",
    "Too few parameters: give _id, identifier, or family, given and birthdate.",
);

pub(super) const PROFILE: Profile = Profile {
    name: "epic",
    title: "Epic",
    vendor: "epic",
    releases: &["May 2022", "August 2023", "August 2024", "February 2026"],
    discovery: Discovery { oauth_uris: OauthUris::AuthorizeAndToken, ..STRICT.discovery },
    access_token_seconds: 3240,
    token_length: 1000,
    refresh: RefreshStyle::Static,
    refreshes_public_clients: false,
    audience: AudienceCheck::SlashTolerant,
    pkce: Pkce::Optional,
    scope_dialect: ScopeDialect::AnswersVersion1,
    standalone_has_patient: false,
    answers_with_iss: false,
    answer: TokenAnswer {
        token_type: "bearer",
        scope_case: ScopeCase::MixedAndTwice,
        hides_offline_access: true,
        extras: &[("location", "eLocation1"), ("loginDepartment", "eDepartment1"), ("appointment", "eAppt1")],
        old_patient_member: Some("__epic.dstu2.patient"),
        repeats_state: true,
        active_seconds: None,
    },
    banner: BannerStyle::Text,
    id_token: IdToken { subject: Subject::FhirId, has_username: true, ..STRICT.id_token },
    introspection: Introspection::BearerOnly,
    oauth_errors: OauthErrors::NullDescription,
    search: SearchRules {
        sizes: PageSizes { usual: 1000, largest: 1000, ..STRICT.search.sizes },
        total: Total::Page,
        next: NextLink::SessionId,
        unknown: UnknownParameter::IgnoredExceptOf(&["Patient", "Observation"]),
        required: &[
            Required {
                kind: "Observation",
                any_of: &[&["code"], &["category"], &["_id"]],
                else_answer: CODE_OR_CATEGORY_MISSING,
            },
            Required { kind: "CarePlan", any_of: &[&["category"], &["_id"]], else_answer: CATEGORY_MISSING },
            Required {
                kind: "Patient",
                any_of: &[&["_id"], &["identifier"], &["family", "given", "birthdate"]],
                else_answer: DEMOGRAPHICS_MISSING,
            },
        ],
        hidden_categories: &[("Condition", "encounter-diagnosis")],
        empty_notice: Some(notice("warning", "processing", "4101", "Resource request returns no results.")),
        notices: &[
            (None, notice("warning", "suppressed", "4119", "This response may not contain all data.")),
            (
                Some("Condition"),
                notice(
                    "warning",
                    "suppressed",
                    "59204",
                    "The client is not authorized for Condition - Encounter Diagnosis.",
                ),
            ),
        ],
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(Cause::Scope, 403, ErrorBody::Empty).challenging("Bearer error=\"insufficient_scope\""),
        ErrorRow::new(Cause::Token, 401, ErrorBody::EmptyString)
            .challenging("Bearer error=\"invalid_token\""),
        coded(Cause::OtherPatient, 403, "forbidden", "4118", "The user is not authorized for this record."),
        ErrorRow::new(Cause::Address, 404, ErrorBody::Html(IIS_PAGE)),
        coded(Cause::UnknownId, 404, "not-found", "59008", "The resource does not exist."),
        coded(Cause::BadId, 400, "value", "4102", "The resource id is not valid."),
        ErrorRow::new(
            Cause::UnknownParameter,
            400,
            ErrorBody::InformationFirst(
                (CODES, "59100"),
                "An unknown parameter was ignored.",
                "The request has parameters that this resource does not support.",
            ),
        ),
        coded(Cause::BadParameter, 400, "value", "4100", "A parameter value is not valid."),
        coded(Cause::PageGone, 400, "expired", "4113", "The search session has expired: search again."),
    ],
    data: DataRules {
        ids: Ids::Padded { usual: 45, by_type: &[("Observation", 130), ("DiagnosticReport", 68)] },
        meta: Meta::Bare,
        medications: Medications::Reference,
        codings: Codings::Twin("urn:oid:1.2.840.114350.1.13.{tenant}.2.7.2.696580"),
        media_type: "application/fhir+json",
        defaults_to_xml: true,
        ..STRICT.data
    },
    bulk: Some(BulkRules {
        token_seconds: 3600,
        grants_without_asking: true,
        ready_seconds: 600,
        retry_after_seconds: 600,
        same_group_pause_seconds: Some(24 * 3600),
        one_at_a_time: true,
        knows_since: false,
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
            "QuestionnaireResponse",
            "ServiceRequest",
        ],
        // It declares some; which, the statement of its sandbox alone tells.
        updates: &[],
        conditional_create: ConditionalCreate::Ignored,
        ..WRITES
    }),
    ..STRICT
};
