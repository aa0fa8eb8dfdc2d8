//! The table of search parameters: a row for each resource type known by name.

use super::{Definition, Param, Shape};

const fn token(name: &'static str, paths: &'static [&'static str]) -> Param {
    Param { name, shape: Shape::Token, paths }
}
const fn date(name: &'static str, paths: &'static [&'static str]) -> Param {
    Param { name, shape: Shape::Date, paths }
}
const fn text(name: &'static str, paths: &'static [&'static str]) -> Param {
    Param { name, shape: Shape::Text, paths }
}
const fn refer(name: &'static str, paths: &'static [&'static str]) -> Param {
    Param { name, shape: Shape::Reference(None), paths }
}
const fn patient(paths: &'static [&'static str]) -> Param {
    Param { name: "patient", shape: Shape::Reference(Some("Patient")), paths }
}
const SUBJECT: Param = refer("subject", &["subject"]);
const OF_SUBJECT: Param = patient(&["subject"]);
const OF_PATIENT: Param = patient(&["patient"]);
const ENCOUNTER: Param =
    Param { name: "encounter", shape: Shape::Reference(Some("Encounter")), paths: &["encounter"] };
const STATUS: Param = token("status", &["status"]);
const CATEGORY: Param = token("category", &["category"]);
const CODE: Param = token("code", &["code"]);
const TYPE: Param = token("type", &["type"]);
const IDENTIFIER: Param = token("identifier", &["identifier"]);
const ACTIVE: Param = token("active", &["active"]);
const NAME: Param = text("name", &["name"]);
const ADDRESS: Param = text("address", &["address"]);
const CITY: Param = text("address-city", &["address.city"]);
const STATE: Param = text("address-state", &["address.state"]);
const POSTCODE: Param = text("address-postalcode", &["address.postalCode"]);
const FAMILY: Param = text("family", &["name.family"]);
const GIVEN: Param = text("given", &["name.given"]);
const CLINICAL: Param = token("clinical-status", &["clinicalStatus"]);
const VERIFICATION: Param = token("verification-status", &["verificationStatus"]);

/// Parameters that every type has.
pub(crate) static COMMON: [Param; 4] = [
    token("_id", &["id"]),
    date("_lastUpdated", &["meta.lastUpdated"]),
    token("_tag", &["meta.tag"]),
    token("_security", &["meta.security"]),
];

/// The types this server knows by name.
pub(crate) static DEFINITIONS: [Definition; 22] = [
    Definition {
        kind: "Patient",
        profiles: &["us-core-patient"],
        params: &[
            IDENTIFIER,
            NAME,
            FAMILY,
            GIVEN,
            date("birthdate", &["birthDate"]),
            token("gender", &["gender"]),
            date("death-date", &["deceasedDateTime"]),
            ADDRESS,
            CITY,
            STATE,
            POSTCODE,
            token("telecom", &["telecom"]),
            ACTIVE,
            token("language", &["communication.language"]),
            refer("general-practitioner", &["generalPractitioner"]),
            refer("organization", &["managingOrganization"]),
        ],
        includes: &["general-practitioner", "organization"],
    },
    Definition {
        kind: "AllergyIntolerance",
        profiles: &["us-core-allergyintolerance"],
        params: &[
            OF_PATIENT,
            CLINICAL,
            VERIFICATION,
            CATEGORY,
            CODE,
            TYPE,
            token("criticality", &["criticality"]),
            date("date", &["recordedDate"]),
            IDENTIFIER,
        ],
        includes: &["patient"],
    },
    Definition { kind: "Binary", profiles: &[], params: &[], includes: &[] },
    Definition {
        kind: "CarePlan",
        profiles: &["us-core-careplan"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CATEGORY,
            STATUS,
            date("date", &["period"]),
            ENCOUNTER,
            refer("goal", &["goal"]),
        ],
        includes: &["patient", "goal"],
    },
    Definition {
        kind: "CareTeam",
        profiles: &["us-core-careteam"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            STATUS,
            CATEGORY,
            token("role", &["participant.role"]),
            refer("participant", &["participant.member"]),
        ],
        includes: &["patient", "participant"],
    },
    Definition {
        kind: "Condition",
        profiles: &["us-core-condition-problems-health-concerns", "us-core-condition-encounter-diagnosis"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CATEGORY,
            CLINICAL,
            VERIFICATION,
            CODE,
            ENCOUNTER,
            IDENTIFIER,
            date("onset-date", &["onsetDateTime", "onsetPeriod"]),
            date("abatement-date", &["abatementDateTime", "abatementPeriod"]),
            date("recorded-date", &["recordedDate"]),
        ],
        includes: &["patient", "encounter"],
    },
    Definition {
        kind: "Coverage",
        profiles: &["us-core-coverage"],
        params: &[
            patient(&["beneficiary"]),
            refer("beneficiary", &["beneficiary"]),
            refer("payor", &["payor"]),
            STATUS,
            TYPE,
            IDENTIFIER,
        ],
        includes: &["patient", "payor"],
    },
    Definition {
        kind: "DiagnosticReport",
        profiles: &["us-core-diagnosticreport-lab", "us-core-diagnosticreport-note"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CATEGORY,
            CODE,
            STATUS,
            ENCOUNTER,
            IDENTIFIER,
            date("date", &["effectiveDateTime", "effectivePeriod"]),
            date("issued", &["issued"]),
            refer("result", &["result"]),
            refer("performer", &["performer"]),
        ],
        includes: &["patient", "encounter", "result", "performer"],
    },
    Definition {
        kind: "DocumentReference",
        profiles: &["us-core-documentreference"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CATEGORY,
            TYPE,
            STATUS,
            IDENTIFIER,
            date("date", &["date"]),
            date("period", &["context.period"]),
            refer("author", &["author"]),
            Param {
                name: "encounter",
                shape: Shape::Reference(Some("Encounter")),
                paths: &["context.encounter"],
            },
        ],
        includes: &["patient", "author", "encounter"],
    },
    Definition {
        kind: "Encounter",
        profiles: &["us-core-encounter"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            token("class", &["class"]),
            TYPE,
            STATUS,
            IDENTIFIER,
            date("date", &["period"]),
            refer("participant", &["participant.individual"]),
            refer("location", &["location.location"]),
            refer("service-provider", &["serviceProvider"]),
            token("discharge-disposition", &["hospitalization.dischargeDisposition"]),
        ],
        includes: &["patient", "participant", "location", "service-provider"],
    },
    Definition {
        kind: "Goal",
        profiles: &["us-core-goal"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            token("lifecycle-status", &["lifecycleStatus"]),
            date("start-date", &["startDate"]),
            date("target-date", &["target.dueDate"]),
            text("description", &["description.text"]),
        ],
        includes: &["patient"],
    },
    Definition {
        kind: "Immunization",
        profiles: &["us-core-immunization"],
        params: &[
            OF_PATIENT,
            STATUS,
            date("date", &["occurrenceDateTime"]),
            token("vaccine-code", &["vaccineCode"]),
            refer("location", &["location"]),
            refer("performer", &["performer.actor"]),
        ],
        includes: &["patient", "location", "performer"],
    },
    Definition {
        kind: "Location",
        profiles: &["us-core-location"],
        params: &[
            NAME,
            ADDRESS,
            CITY,
            STATE,
            POSTCODE,
            TYPE,
            STATUS,
            IDENTIFIER,
            refer("organization", &["managingOrganization"]),
        ],
        includes: &["organization"],
    },
    Definition {
        kind: "Medication",
        profiles: &["us-core-medication"],
        params: &[CODE, STATUS],
        includes: &[],
    },
    Definition {
        kind: "MedicationRequest",
        profiles: &["us-core-medicationrequest"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            STATUS,
            token("intent", &["intent"]),
            CATEGORY,
            ENCOUNTER,
            IDENTIFIER,
            token("code", &["medicationCodeableConcept"]),
            date("authoredon", &["authoredOn"]),
            Param {
                name: "medication",
                shape: Shape::Reference(Some("Medication")),
                paths: &["medicationReference"],
            },
            refer("requester", &["requester"]),
        ],
        includes: &["medication", "patient", "encounter", "requester"],
    },
    Definition {
        kind: "Observation",
        profiles: &["us-core-observation-lab", "us-core-vital-signs", "us-core-smokingstatus"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CATEGORY,
            CODE,
            STATUS,
            ENCOUNTER,
            IDENTIFIER,
            date("date", &["effectiveDateTime", "effectivePeriod", "effectiveInstant"]),
            token("component-code", &["component.code"]),
            token("combo-code", &["code", "component.code"]),
            token("value-concept", &["valueCodeableConcept"]),
            token("data-absent-reason", &["dataAbsentReason"]),
            refer("performer", &["performer"]),
        ],
        includes: &["patient", "encounter", "performer"],
    },
    Definition {
        kind: "Organization",
        profiles: &["us-core-organization"],
        params: &[NAME, ADDRESS, CITY, STATE, POSTCODE, TYPE, ACTIVE, IDENTIFIER],
        includes: &[],
    },
    Definition {
        kind: "Practitioner",
        profiles: &["us-core-practitioner"],
        params: &[NAME, FAMILY, GIVEN, IDENTIFIER, ACTIVE, token("telecom", &["telecom"])],
        includes: &[],
    },
    Definition {
        kind: "PractitionerRole",
        profiles: &["us-core-practitionerrole"],
        params: &[
            refer("practitioner", &["practitioner"]),
            refer("organization", &["organization"]),
            refer("location", &["location"]),
            token("specialty", &["specialty"]),
            token("role", &["code"]),
            ACTIVE,
            IDENTIFIER,
        ],
        includes: &["practitioner", "organization", "location"],
    },
    Definition {
        kind: "Procedure",
        profiles: &["us-core-procedure"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CODE,
            STATUS,
            CATEGORY,
            ENCOUNTER,
            IDENTIFIER,
            date("date", &["performedDateTime", "performedPeriod"]),
            refer("performer", &["performer.actor"]),
        ],
        includes: &["patient", "encounter", "performer"],
    },
    Definition {
        kind: "RelatedPerson",
        profiles: &["us-core-relatedperson"],
        params: &[OF_PATIENT, NAME, ACTIVE, IDENTIFIER, token("relationship", &["relationship"])],
        includes: &["patient"],
    },
    Definition {
        kind: "ServiceRequest",
        profiles: &["us-core-servicerequest"],
        params: &[
            OF_SUBJECT,
            SUBJECT,
            CODE,
            STATUS,
            CATEGORY,
            ENCOUNTER,
            IDENTIFIER,
            date("authored", &["authoredOn"]),
            refer("requester", &["requester"]),
        ],
        includes: &["patient", "encounter", "requester"],
    },
];

/// What can be asked of types that came in by import and have no row above.
pub(crate) static OTHERS: [Param; 5] =
    [patient(&["subject", "patient", "beneficiary", "for"]), STATUS, CODE, IDENTIFIER, ENCOUNTER];
