//! `production-like`: as strict about the protocol, but with the data and the pace of a hospital: 10,000
//! patients, a chart of twenty years, 25 matches a page, slow pages, dirty codes, a limit on concurrency.

use super::strict::PROFILE as STRICT;
use crate::profile::{
    Cause, DataRules, ErrorBody, ErrorRow, Limit, PageSizes, Population, Profile, Required, SearchRules,
    Told, Window,
};

const PATIENT_MISSING: ErrorRow = ErrorRow::new(
    Cause::MissingParameter,
    422,
    ErrorBody::Outcome("too-costly", "without a patient too many records match: give patient or _id"),
);

const fn of_patient(kind: &'static str) -> Required {
    Required {
        kind,
        any_of: &[&["patient"], &["subject"], &["beneficiary"], &["_id"]],
        else_answer: PATIENT_MISSING,
    }
}

pub(super) const PROFILE: Profile = Profile {
    name: "production-like",
    title: "Production-like",
    search: SearchRules {
        sizes: PageSizes { usual: 25, largest: 25, ..STRICT.search.sizes },
        required: &[
            of_patient("AllergyIntolerance"),
            of_patient("CarePlan"),
            of_patient("CareTeam"),
            of_patient("Condition"),
            of_patient("Coverage"),
            of_patient("DiagnosticReport"),
            of_patient("DocumentReference"),
            of_patient("Encounter"),
            of_patient("Goal"),
            of_patient("Immunization"),
            of_patient("MedicationRequest"),
            of_patient("Observation"),
            of_patient("Procedure"),
        ],
        page_millis: 20,
        ..STRICT.search
    },
    data: DataRules {
        population: Population::Large { patients: 10_000, observations: 5_000 },
        ..STRICT.data
    },
    limits: &[Limit {
        window: Window::Concurrent,
        count: 30,
        counts_auth: false,
        status: 429,
        told: Told::Text,
    }],
    ..STRICT
};
