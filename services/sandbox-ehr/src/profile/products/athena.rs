//! `athena`: one address for all practices, which are told by ids and an extension; an issuer of somebody
//! else; 403 where a parameter is missing.

use super::strict::{PROFILE as STRICT, WRITES};
use crate::profile::{
    Attachments, AudienceCheck, Cause, Codings, ConditionalCreate, DataRules, Discovery, ErrorBody, ErrorRow,
    FhirUser, IdToken, Ids, Issuer, Limit, Medications, Meta, NextLink, OauthUris, Pkce, Profile,
    RefreshStyle, Required, SearchRules, Told, Total, UnknownParameter, Window, WriteRules,
};

const COMBINATION_MISSING: ErrorRow = ErrorRow::new(
    Cause::MissingParameter,
    403,
    ErrorBody::Outcome(
        "forbidden",
        "required parameter combinations [[patient,intent],[_id]] are missing from the request",
    ),
);

pub(super) const PROFILE: Profile = Profile {
    name: "athena",
    title: "athenahealth athenaOne",
    vendor: "athena-one",
    releases: &["24.11"],
    discovery: Discovery {
        omits: &["code_challenge_methods_supported"],
        renames: &[("token_endpoint_auth_methods_supported", "token_endpoint_auth_methods")],
        oauth_uris: OauthUris::TwiceOnceMalformed,
        issuer: Issuer::Elsewhere("https://identity.athena.example/oauth2/aus1"),
        ..STRICT.discovery
    },
    refresh: RefreshStyle::Static,
    audience: AudienceCheck::SlashTolerant,
    pkce: Pkce::Optional,
    answers_with_iss: false,
    id_token: IdToken { fhir_user: FhirUser::Relative, ..STRICT.id_token },
    search: SearchRules {
        total: Total::Absent,
        next: NextLink::Cursor,
        unknown: UnknownParameter::IgnoredExceptOf(&[]),
        required: &[Required {
            kind: "MedicationRequest",
            any_of: &[&["patient", "intent"], &["_id"]],
            else_answer: COMBINATION_MISSING,
        }],
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(Cause::Scope, 403, ErrorBody::Outcome("forbidden", "Invalid Token Scope")),
        ErrorRow::new(
            Cause::TooMany,
            403,
            ErrorBody::Outcome("throttled", "Account Over Queries Per Second Limit"),
        ),
    ],
    correlation_headers: &["x-request-id", "x-athena-request-id", "x-athenanet-practice-id"],
    data: DataRules {
        ids: Ids::OfPractice(&["80000", "195900"]),
        meta: Meta::ObservationsUndated,
        medications: Medications::Reference,
        codings: Codings::DocumentTypesUnder("https://hl7.org/fhir/valueset-doc-section-codes.html"),
        encounter_diagnoses_lack_status: true,
        attachments: Attachments::InlineOrNothing,
        extensions: &[(
            "https://fhir.athena.example/StructureDefinition/ah-practice",
            "Organization/a-1.Practice-{practice}",
        )],
        media_type: "application/fhir+json",
        ..STRICT.data
    },
    limits: &[
        Limit {
            window: Window::Rolling(1),
            count: 500,
            counts_auth: false,
            status: 403,
            told: Told::RateHeaders,
        },
        Limit { window: Window::Day, count: 50_000, counts_auth: false, status: 403, told: Told::Nothing },
    ],
    writes: Some(WriteRules {
        creates: &["QuestionnaireResponse"],
        updates: &[],
        conditional_create: ConditionalCreate::Ignored,
        ..WRITES
    }),
    ..STRICT
};
