//! DSTU2 (1.0.2): single entries for lists, family names as lists, one status for what later were two, other names.

use super::{
    TypeRules,
    members::{Members, quoted, unquoted},
    stu3::{condition, dose, not_taken, observation},
};

pub(super) const RULES: &[TypeRules] = &[
    TypeRules {
        sent: "Patient",
        r4: "Patient",
        renames: &[("careProvider", "generalPractitioner")],
        reshape: |patient| {
            patient.each("name", |name| name.change("family", family));
            patient.each("link", |link| {
                link.change("type", |raw| {
                    (unquoted(raw) == Some("replace")).then(|| r#""replaced-by""#.to_owned())
                });
            });
        },
        paths: &[],
    },
    TypeRules {
        sent: "Condition",
        r4: "Condition",
        renames: &[
            ("dateRecorded", "recordedDate"),
            ("asserter", "recorder"),
            ("onsetQuantity", "onsetAge"),
            ("abatementQuantity", "abatementAge"),
            ("notes", "note"),
        ],
        reshape: |resource| {
            condition(resource);
            resource.listed("category");
            resource.annotation("note");
        },
        paths: &[("abatementString", "abatementBoolean")],
    },
    TypeRules {
        sent: "AllergyIntolerance",
        r4: "AllergyIntolerance",
        renames: &[("substance", "code"), ("onset", "onsetDateTime")],
        reshape: allergy,
        paths: &[("clinicalStatus", "status"), ("verificationStatus", "status")],
    },
    TypeRules {
        sent: "MedicationOrder",
        r4: "MedicationRequest",
        renames: &[
            ("dateWritten", "authoredOn"),
            ("prescriber", "requester"),
            ("reasonCodeableConcept", "reasonCode"),
        ],
        reshape: |order| {
            reasons(order);
            order.each("dosageInstruction", instruction);
        },
        paths: &[],
    },
    TypeRules {
        sent: "MedicationStatement",
        r4: "MedicationStatement",
        renames: &[
            ("reasonNotTaken", "statusReason"),
            ("reasonForUseCodeableConcept", "reasonCode"),
            ("reasonForUseReference", "reasonReference"),
        ],
        reshape: |statement| {
            reasons(statement);
            statement.each("dosage", |dosage| {
                dosage.rename("quantityQuantity", "doseQuantity");
                dosage.rename("quantityRange", "doseRange");
                instruction(dosage);
            });
            if statement.take("wasNotTaken").as_deref() == Some("true") {
                not_taken(statement);
            }
        },
        paths: &[],
    },
    TypeRules {
        sent: "Observation",
        r4: "Observation",
        renames: &[("comments", "note")],
        reshape: |resource| {
            observation(resource);
            let meaning = |range: &mut Members<'_>| range.rename("meaning", "type");
            resource.each("referenceRange", meaning);
            resource.each("component", |part| part.each("referenceRange", meaning));
        },
        paths: &[("hasMember", "related"), ("valueString", "valueAttachment")],
    },
    TypeRules {
        sent: "Encounter",
        r4: "Encounter",
        renames: &[("reason", "reasonCode")],
        reshape: |encounter| {
            encounter.change("class", |raw| raw.starts_with('"').then(|| format!(r#"{{"code":{raw}}}"#)));
        },
        paths: &[],
    },
];

/// Family names were a list, "de la" and "Cruz": one name with blanks between.
fn family(raw: &str) -> Option<String> {
    let parts: Vec<String> =
        serde_json::from_str::<Vec<Option<String>>>(raw).ok()?.into_iter().flatten().collect();
    Some(quoted(&parts.join(" ")))
}

/// One status said what are two since STU3; only what it says is said.
fn allergy(allergy: &mut Members<'_>) {
    if let Some(status) = allergy.take("status") {
        let name = match unquoted(&status) {
            Some("active" | "inactive" | "resolved") => "clinicalStatus",
            _ => "verificationStatus",
        };
        allergy.put(name, format!(r#"{{"coding":[{{"code":{status}}}]}}"#));
    }
    allergy.change("criticality", |raw| {
        let code = match unquoted(raw)? {
            "CRITH" => "high",
            "CRITL" => "low",
            "CRITU" => "unable-to-assess",
            _ => return None,
        };
        Some(quoted(code))
    });
    allergy.listed("category");
    allergy.listed("note");
}

fn reasons(resource: &mut Members<'_>) {
    resource.listed("reasonCode");
    resource.listed("reasonReference");
    resource.listed("statusReason");
    resource.annotation("note");
}

fn instruction(dosage: &mut Members<'_>) {
    dose(dosage);
    dosage.inside("timing", |timing| {
        timing.inside("repeat", |repeat| repeat.rename("periodUnits", "periodUnit"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_name_of_several_parts_is_one_name() {
        assert_eq!(family(r#"["de la","Cru\u007a"]"#).as_deref(), Some(r#""de la Cruz""#));
        assert_eq!(family(r#""Cruz""#), None);
    }
}
