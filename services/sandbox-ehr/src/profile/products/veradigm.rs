//! `veradigm`: an issuer on a third host, a misnamed member in discovery, a statement that promises writes.

use super::strict::PROFILE as STRICT;
use crate::profile::{
    AudienceCheck, AuthorizationHost, Cause, DataRules, Discovery, ErrorBody, ErrorRow, Issuer, OauthUris,
    Pkce, Profile, RefreshStyle, SearchRules, Total, UnknownParameter,
};

pub(super) const PROFILE: Profile = Profile {
    name: "veradigm",
    title: "Veradigm",
    vendor: "veradigm",
    releases: &["24.1"],
    discovery: Discovery {
        omits: &["token_endpoint_auth_signing_alg_values_supported"],
        renames: &[("token_endpoint_auth_methods_supported", "token_endpoint_auth_methods")],
        oauth_uris: OauthUris::AuthorizeAndToken,
        host: AuthorizationHost::Same,
        issuer: Issuer::Elsewhere("https://identity.veradigm.example/authorization"),
    },
    refresh: RefreshStyle::Rolling,
    audience: AudienceCheck::SlashTolerant,
    pkce: Pkce::Optional,
    answers_with_iss: false,
    auth_methods: &["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
    search: SearchRules {
        total: Total::Absent,
        unknown: UnknownParameter::IgnoredExceptOf(&[]),
        denied_types: &["Coverage"],
        has_bundle_id: true,
        ..STRICT.search
    },
    errors: &[
        ErrorRow::new(
            Cause::DeniedType,
            403,
            ErrorBody::Outcome("forbidden", "The site has not licensed this resource"),
        ),
        ErrorRow::new(Cause::Body, 413, ErrorBody::Outcome("too-costly", "The request is too large")),
    ],
    data: DataRules {
        media_type: "application/fhir+json",
        claims_writes: &[
            "AllergyIntolerance",
            "Condition",
            "DocumentReference",
            "Immunization",
            "MedicationRequest",
            "Observation",
            "Patient",
            "Procedure",
        ],
        ..STRICT.data
    },
    writes: None,
    ..STRICT
};
