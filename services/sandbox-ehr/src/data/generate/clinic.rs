//! The hospital itself: organisations, places, clinicians and the formulary, shared by all charts.

use serde_json::Value;

use super::{
    code::{Code, NUCC, RXNORM, US_CORE, coding, concept, hl7, named, reference},
    drug::FORMULARY,
    tree::tree,
};
use crate::data::{CHART_INSTANT, Records};

/// A clinician on the staff.
pub(super) struct Clinician {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    given: &'static str,
    family: &'static str,
    degree: &'static str,
    gender: &'static str,
    specialty: Code,
    location: &'static str,
}

pub(super) static REYES: Clinician = Clinician {
    id: "pract-reyes",
    name: "Elena Reyes, MD",
    given: "Elena",
    family: "Reyes",
    degree: "MD",
    gender: "female",
    specialty: ("207Q00000X", "Family Medicine Physician"),
    location: "loc-primary",
};
pub(super) static OKAFOR: Clinician = Clinician {
    id: "pract-okafor",
    name: "Chidi Okafor, MD",
    given: "Chidi",
    family: "Okafor",
    degree: "MD",
    gender: "male",
    specialty: ("207RC0000X", "Cardiovascular Disease Physician"),
    location: "loc-cardiology",
};
pub(super) static LINDQVIST: Clinician = Clinician {
    id: "pract-lindqvist",
    name: "Anna Lindqvist, MD",
    given: "Anna",
    family: "Lindqvist",
    degree: "MD",
    gender: "female",
    specialty: ("208000000X", "Pediatrics Physician"),
    location: "loc-primary",
};
pub(super) static HADDAD: Clinician = Clinician {
    id: "pract-haddad",
    name: "Samir Haddad, MD",
    given: "Samir",
    family: "Haddad",
    degree: "MD",
    gender: "male",
    specialty: ("207RE0101X", "Endocrinology, Diabetes & Metabolism Physician"),
    location: "loc-primary",
};
pub(super) static NOVAK: Clinician = Clinician {
    id: "pract-novak",
    name: "Petra Novak, NP",
    given: "Petra",
    family: "Novak",
    degree: "NP",
    gender: "female",
    specialty: ("363LF0000X", "Family Nurse Practitioner"),
    location: "loc-emergency",
};

static STAFF: [&Clinician; 5] = [&REYES, &OKAFOR, &LINDQVIST, &HADDAD, &NOVAK];

/// Name of the hospital, as displayed in references to it.
pub(super) const HOSPITAL: &str = "Harborlight General Hospital";
pub(super) const PAYER: &str = "Evergreen Mutual Health Plan";

const PLACES: [(&str, &str, Code); 4] = [
    ("loc-primary", "Harborlight Primary Care", ("PC", "Primary care clinic")),
    (
        "loc-cardiology",
        "Harborlight Cardiology",
        ("CARD", "Ambulatory Health Care Facilities; Clinic/Center; Cardiology"),
    ),
    ("loc-emergency", "Harborlight Emergency Department", ("ER", "Emergency room")),
    ("loc-ward", "Harborlight Ward 4 West", ("HU", "Hospital unit")),
];

/// The display of a location.
pub(super) fn place_name(id: &str) -> &'static str {
    PLACES.iter().find(|place| place.0 == id).map_or("", |place| place.1)
}

/// Stores everything that is there before the first patient comes.
pub(super) fn open(records: &mut Records) {
    let mut put = |profile: &str, resource: Value| {
        let mut resource = resource;
        if let Some(body) = resource.as_object_mut() {
            let url = format!("{US_CORE}{profile}");
            body.insert("meta".to_owned(), tree!({ "lastUpdated": CHART_INSTANT, "profile": [url] }));
        }
        let stored = records.insert(resource);
        debug_assert!(stored.is_ok(), "a generated resource cannot be stored: {stored:?}");
    };
    put(
        "us-core-organization",
        organization("org-harborlight", HOSPITAL, ("prov", "Healthcare Provider"), 190_000_001),
    );
    put(
        "us-core-organization",
        organization("org-evergreen", PAYER, ("ins", "Insurance Company"), 190_000_002),
    );
    for (id, name, kind) in PLACES {
        put("us-core-location", location(id, name, kind));
    }
    for (index, clinician) in STAFF.iter().enumerate() {
        put("us-core-practitioner", practitioner(clinician, 123_456_700 + index as u64));
        put("us-core-practitionerrole", practitioner_role(clinician));
    }
    for drug in FORMULARY {
        put(
            "us-core-medication",
            tree!({
                "resourceType": "Medication",
                "id": format!("med-{}", drug.rxnorm.0),
                "code": concept(RXNORM, drug.rxnorm),
                "status": "active",
            }),
        );
    }
}

fn organization(id: &str, name: &str, kind: Code, npi: u64) -> Value {
    tree!({
        "resourceType": "Organization", "id": id, "active": true, "name": name,
        "identifier": [{ "system": "http://hl7.org/fhir/sid/us-npi", "value": with_check_digit(npi) }],
        "type": [hl7("organization-type", kind)],
        "telecom": [{ "system": "phone", "value": "+1 555 555 0100", "use": "work" }],
        "address": [{ "line": ["100 Quayside Avenue"], "city": "Port Ellery", "state": "WA",
                      "postalCode": "98000", "country": "US" }],
    })
}

fn location(id: &str, name: &str, kind: Code) -> Value {
    tree!({
        "resourceType": "Location", "id": id, "status": "active", "name": name, "mode": "instance",
        "type": [hl7("v3-RoleCode", kind)],
        "address": { "line": ["100 Quayside Avenue"], "city": "Port Ellery", "state": "WA", "postalCode": "98000" },
        "managingOrganization": named("Organization", "org-harborlight", HOSPITAL),
    })
}

fn practitioner(clinician: &Clinician, npi: u64) -> Value {
    tree!({
        "resourceType": "Practitioner", "id": clinician.id, "active": true, "gender": clinician.gender,
        "identifier": [{ "system": "http://hl7.org/fhir/sid/us-npi", "value": with_check_digit(npi) }],
        "name": [{ "use": "official", "text": clinician.name, "family": clinician.family,
                   "given": [clinician.given], "suffix": [clinician.degree] }],
        "telecom": [{ "system": "email", "use": "work",
                      "value": format!("{}@harborlight.example", clinician.family.to_lowercase()) }],
    })
}

fn practitioner_role(clinician: &Clinician) -> Value {
    tree!({
        "resourceType": "PractitionerRole",
        "id": clinician.id.replace("pract-", "role-"),
        "active": true,
        "practitioner": named("Practitioner", clinician.id, clinician.name),
        "organization": named("Organization", "org-harborlight", HOSPITAL),
        "specialty": [{ "coding": [coding(NUCC, clinician.specialty)], "text": clinician.specialty.1 }],
        "location": [reference("Location", clinician.location)],
        "telecom": [{ "system": "phone", "value": "+1 555 555 0101", "use": "work" }],
    })
}

/// A National Provider Identifier: nine digits and the Luhn digit computed with the prefix 80840.
fn with_check_digit(nine: u64) -> String {
    let digits = format!("80840{nine:09}");
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            let doubled = if place % 2 == 0 { value * 2 } else { value };
            doubled / 10 + doubled % 10
        })
        .sum();
    format!("{nine:09}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_identifiers_carry_the_luhn_digit() {
        // 1234567893 is the example in the NPI check digit specification.
        assert_eq!(with_check_digit(123_456_789), "1234567893");
    }
}
