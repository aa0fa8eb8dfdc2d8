//! STU3 (3.0.2): statuses were codes, doses stood in the instruction itself, comments were strings.

use std::borrow::Cow;

use super::{
    TypeRules,
    members::{Members, entries, joined, quoted, unquoted},
};

pub(super) const RULES: &[TypeRules] = &[
    TypeRules {
        sent: "Condition",
        r4: "Condition",
        renames: &[("assertedDate", "recordedDate"), ("asserter", "recorder")],
        reshape: condition,
        paths: &[("abatementString", "abatementBoolean")],
    },
    TypeRules {
        sent: "AllergyIntolerance",
        r4: "AllergyIntolerance",
        renames: &[("assertedDate", "recordedDate")],
        reshape: statuses,
        paths: &[],
    },
    TypeRules {
        sent: "MedicationRequest",
        r4: "MedicationRequest",
        renames: &[],
        reshape: |order| {
            order.change("requester", |raw| Members::parse(raw)?.take("agent").map(Cow::into_owned));
            order.each("dosageInstruction", dose);
        },
        paths: &[("requester", "requester.agent")],
    },
    TypeRules {
        sent: "MedicationStatement",
        r4: "MedicationStatement",
        renames: &[("reasonNotTaken", "statusReason")],
        reshape: |statement| {
            statement.each("dosage", dose);
            if statement.code("taken") == Some("n") {
                not_taken(statement);
            }
        },
        paths: &[],
    },
    TypeRules {
        sent: "Observation",
        r4: "Observation",
        renames: &[("comment", "note")],
        reshape: observation,
        paths: &[("hasMember", "related"), ("valueString", "valueAttachment")],
    },
    TypeRules {
        sent: "Encounter",
        r4: "Encounter",
        renames: &[("reason", "reasonCode")],
        reshape: |_| {},
        paths: &[],
    },
];

pub(super) fn statuses(resource: &mut Members<'_>) {
    resource.concept("clinicalStatus");
    resource.concept("verificationStatus");
}

pub(super) fn condition(condition: &mut Members<'_>) {
    statuses(condition);
    if condition.take("abatementBoolean").as_deref() == Some("true") {
        condition.put("abatementString", r#""ended; when was not sent""#);
    }
}

/// The dose beside the instruction's other members, where R4 has a list of doses and rates.
pub(super) fn dose(instruction: &mut Members<'_>) {
    for name in ["doseQuantity", "doseRange"] {
        if let Some(dose) = instruction.take(name) {
            instruction.put("doseAndRate", format!(r#"[{{"{name}":{dose}}}]"#));
        }
    }
}

/// R4 says in the status what stood in a member of its own. What was entered in error stays that.
pub(super) fn not_taken(statement: &mut Members<'_>) {
    statement.change("status", |raw| {
        (unquoted(raw) != Some("entered-in-error")).then(|| r#""not-taken""#.to_owned())
    });
}

pub(super) fn observation(observation: &mut Members<'_>) {
    observation.annotation("note");
    observation.listed("interpretation");
    observation.each("component", |part| part.listed("interpretation"));
    if let Some(related) = observation.take("related") {
        let members = entries(&related).into_iter().filter_map(|entry| {
            let mut entry = Members::parse(entry)?;
            let is_member = entry.code("type") == Some("has-member");
            entry.take("target").filter(|_| is_member)
        });
        let members: Vec<Cow<'_, str>> = members.collect();
        if !members.is_empty() {
            observation.put("hasMember", joined(members).unwrap_or_default());
        }
    }
    attached(observation);
}

/// A file as a value: R4 has none; the chart says that there is one.
pub(super) fn attached(observation: &mut Members<'_>) {
    if let Some(file) = observation.take("valueAttachment") {
        let title = Members::parse(&file).and_then(|mut file| file.take("title").map(Cow::into_owned));
        let words = title.unwrap_or_else(|| quoted("an attached file; see the source"));
        observation.put("valueString", words);
    }
}
