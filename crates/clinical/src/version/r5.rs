//! R5 (5.0.0): references and concepts in one member, other names for times, participants instead of recorders.

use std::borrow::Cow;

use super::{
    TypeRules,
    members::{Members, entries, joined, quoted},
    stu3::attached,
};

pub(super) const RULES: &[TypeRules] = &[
    TypeRules {
        sent: "Condition",
        r4: "Condition",
        renames: &[],
        reshape: recorder,
        paths: &[("recorder", "participant.actor")],
    },
    TypeRules {
        sent: "AllergyIntolerance",
        r4: "AllergyIntolerance",
        renames: &[],
        reshape: |allergy| {
            allergy.change("type", first_code);
            allergy.each("reaction", |reaction| reaction.change("manifestation", concepts));
        },
        paths: &[],
    },
    TypeRules {
        sent: "MedicationRequest",
        r4: "MedicationRequest",
        renames: &[("reported", "reportedBoolean")],
        reshape: |order| {
            medicine(order);
            reasons(order, "reason");
            order.each("dosageInstruction", as_needed);
        },
        paths: MEDICINE_PATHS,
    },
    TypeRules {
        sent: "MedicationStatement",
        r4: "MedicationStatement",
        renames: &[],
        reshape: |statement| {
            medicine(statement);
            reasons(statement, "reason");
            statement.each("dosage", as_needed);
        },
        paths: MEDICINE_PATHS,
    },
    TypeRules {
        sent: "Observation",
        r4: "Observation",
        renames: &[],
        reshape: |observation| {
            attached(observation);
            if let Some(target) = observation.take("valueReference") {
                let display =
                    Members::parse(&target).and_then(|mut t| t.take("display").map(Cow::into_owned));
                let words = display.unwrap_or_else(|| quoted("another record; see the source"));
                observation.put("valueString", words);
            }
            observation.each("referenceRange", normal_value);
        },
        paths: &[("valueString", "value[x]")],
    },
    TypeRules {
        sent: "Encounter",
        r4: "Encounter",
        renames: &[("actualPeriod", "period")],
        reshape: |encounter| {
            encounter.change("class", |raw| {
                let coding = entries(raw).into_iter().find_map(|c| Members::parse(c)?.take("coding"))?;
                entries(&coding).first().map(|c| (*c).to_owned())
            });
            if let Some(reason) = encounter.take("reason") {
                let values = entries(&reason).into_iter().filter_map(|r| Members::parse(r)?.take("value"));
                let values: Vec<Cow<'_, str>> = values.collect();
                let flat = values.iter().flat_map(|v| entries(v)).map(Cow::Borrowed);
                encounter.put("reasonCode", joined(flat).as_deref().and_then(concepts).unwrap_or_default());
            }
            encounter.each("participant", |participant| participant.rename("actor", "individual"));
        },
        paths: &[("reasonCode", "reason.value"), ("participant.individual", "participant.actor")],
    },
    TypeRules {
        sent: "DocumentReference",
        r4: "DocumentReference",
        renames: &[],
        reshape: |document| {
            // `context` became a list of references; its period moved up.
            let _encounters = document.take("context");
            if let Some(period) = document.take("period") {
                document.put("context", format!(r#"{{"period":{period}}}"#));
            }
        },
        paths: &[("context.period", "period")],
    },
    TypeRules {
        sent: "Immunization",
        r4: "Immunization",
        renames: &[],
        reshape: |immunization| {
            immunization.each("protocolApplied", |p| p.rename("doseNumber", "doseNumberString"));
        },
        paths: &[],
    },
    TypeRules {
        sent: "Procedure",
        r4: "Procedure",
        renames: &[
            ("occurrenceDateTime", "performedDateTime"),
            ("occurrencePeriod", "performedPeriod"),
            ("occurrenceString", "performedString"),
            ("occurrenceAge", "performedAge"),
            ("occurrenceRange", "performedRange"),
        ],
        reshape: |procedure| reasons(procedure, "reason"),
        paths: &[("reasonCode", "reason.concept")],
    },
    TypeRules {
        sent: "CareTeam",
        r4: "CareTeam",
        renames: &[],
        reshape: |team| {
            team.each("participant", |participant| {
                participant.rename("coveragePeriod", "period");
                participant.listed("role");
            });
        },
        paths: &[("participant.period", "participant.coveragePeriod")],
    },
    TypeRules {
        sent: "Coverage",
        r4: "Coverage",
        renames: &[("insurer", "payor")],
        reshape: |coverage| {
            coverage.listed("payor");
            coverage.change("subscriberId", |raw| {
                let first = entries(raw).into_iter().find_map(|id| Members::parse(id)?.take("value"));
                first.map(Cow::into_owned)
            });
        },
        paths: &[("subscriberId", "subscriberId.value")],
    },
];

const MEDICINE_PATHS: &[(&str, &str)] = &[
    ("medicationCodeableConcept", "medication.concept"),
    ("medicationReference", "medication.reference"),
    ("reasonCode", "reason.concept"),
    ("reasonReference", "reason.reference"),
];

/// Whoever recorded it, among those who took part (value set participation-role-type).
fn recorder(condition: &mut Members<'_>) {
    let Some(participants) = condition.take("participant") else { return };
    let found = entries(&participants).into_iter().find_map(|participant| {
        let mut participant = Members::parse(participant)?;
        let role = participant.take("function").as_deref().and_then(first_code)?;
        let is_recorder = [r#""enterer""#, r#""author""#].contains(&role.as_str());
        participant.take("actor").filter(|_| is_recorder).map(Cow::into_owned)
    });
    if let Some(actor) = found {
        condition.put("recorder", actor);
    }
}

/// The code (as JSON) where R4 has a code and R5 a concept; the text when no code was sent.
fn first_code(raw: &str) -> Option<String> {
    let mut concept = Members::parse(raw)?;
    let coding = concept.take("coding");
    let codes = coding.as_deref().map(entries).unwrap_or_default();
    let code = codes.into_iter().find_map(|c| Members::parse(c)?.take("code").map(Cow::into_owned));
    code.or_else(|| concept.take("text").map(Cow::into_owned))
}

/// Of a list of CodeableReference, each concept; a reference stands with its display.
fn concepts(raw: &str) -> Option<String> {
    joined(entries(raw).into_iter().filter_map(|entry| {
        let mut entry = Members::parse(entry)?;
        entry.take("concept").map(|c| Cow::Owned(c.into_owned())).or_else(|| {
            let display = Members::parse(&entry.take("reference")?)?.take("display")?.into_owned();
            Some(Cow::Owned(format!(r#"{{"text":{display}}}"#)))
        })
    }))
}

fn medicine(order: &mut Members<'_>) {
    let Some(medication) = order.take("medication") else { return };
    let Some(mut medication) = Members::parse(&medication) else { return };
    if let Some(concept) = medication.take("concept") {
        order.put("medicationCodeableConcept", concept.into_owned());
    }
    if let Some(reference) = medication.take("reference") {
        order.put("medicationReference", reference.into_owned());
    }
}

fn reasons(resource: &mut Members<'_>, name: &str) {
    let Some(reason) = resource.take(name) else { return };
    let (mut codes, mut references) = (Vec::new(), Vec::new());
    for entry in entries(&reason) {
        let Some(mut entry) = Members::parse(entry) else { continue };
        codes.extend(entry.take("concept").map(|c| Cow::Owned(c.into_owned())));
        references.extend(entry.take("reference").map(|c| Cow::Owned(c.into_owned())));
    }
    resource.put("reasonCode", joined(codes).unwrap_or_default());
    resource.put("reasonReference", joined(references).unwrap_or_default());
}

fn as_needed(dosage: &mut Members<'_>) {
    dosage.rename("asNeeded", "asNeededBoolean");
    if let Some(first) = dosage.take("asNeededFor").and_then(|f| entries(&f).first().map(|c| (*c).to_owned()))
    {
        dosage.put("asNeededCodeableConcept", first);
    }
}

/// What is normal as a concept, where the range has no text.
fn normal_value(range: &mut Members<'_>) {
    if let Some(words) = range.take("normalValue").as_deref().and_then(|raw| {
        let mut concept = Members::parse(raw)?;
        concept.take("text").map(Cow::into_owned).or_else(|| first_code(raw))
    }) {
        range.put("text", words);
    }
}
