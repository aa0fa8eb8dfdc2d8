//! Orders: MedicationRequest, which was MedicationOrder in DSTU2.

use super::{
    Medication, OrderState,
    dosage::{self, Dosage},
    medicine::{Known, Named, Paths, Said},
};
use crate::{
    concept::Wanted,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Reference, resource},
        primitives::{List, Str, owned, text},
    },
    record::{Record, Standing},
    value::Value,
};

resource! {
    Resource {
        contained: List<Named<'a>>,
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        intent: Option<Str<'a>>,
        do_not_perform: Option<bool>,
        reported_boolean: Option<bool>,
        reported_reference: Option<Reference<'a>>,
        medication_codeable_concept: Option<CodeableConcept<'a>>,
        medication_reference: Option<Reference<'a>>,
        authored_on: Option<Str<'a>>,
        #[serde(rename = "_authoredOn")]
        authored_element: Option<Element<'a>>,
        requester: Option<Reference<'a>>,
        reason_code: List<CodeableConcept<'a>>,
        reason_reference: List<Reference<'a>>,
        dosage_instruction: List<Dosage<'a>>,
        note: List<Annotation<'a>>,
    }
}

const MEDICINE: Paths = Paths {
    concept: "MedicationRequest.medicationCodeableConcept",
    contained: "MedicationRequest.contained.code",
    reference: "MedicationRequest.medicationReference",
    display: "MedicationRequest.medicationReference.display",
    none: "MedicationRequest.medication",
};

const DOSAGE: dosage::Paths = dosage::Paths {
    text: "MedicationRequest.dosageInstruction.text",
    patient_instruction: "MedicationRequest.dosageInstruction.patientInstruction",
    parts: "MedicationRequest.dosageInstruction (its parts)",
};

pub(super) fn read(reading: &Reading<'_>, known: &Known<'_>) -> Vec<Medication> {
    reading.each("MedicationRequest", |source, record, r| order(source, record, r, known))
}

fn order(source: &Source, record: Record, r: &Resource<'_>, known: &Known<'_>) -> Medication {
    // `ended` is R5's.
    let (state, standing) = match text(&r.status) {
        Some("active") => (OrderState::Active, Standing::Valid),
        Some("completed" | "stopped" | "cancelled" | "ended") => (OrderState::Ended, Standing::Valid),
        Some("entered-in-error") => (OrderState::Ended, Standing::EnteredInError),
        _ => (OrderState::Unsettled, Standing::Valid),
    };
    let mut record = record.with(standing);
    let said = Said {
        concept: &r.medication_codeable_concept,
        reference: &r.medication_reference,
        contained: &r.contained,
        paths: &MEDICINE,
    };
    let mut reasons: Vec<Value<String>> = source
        .concepts("MedicationRequest.reasonCode", &r.reason_code, Wanted::Condition)
        .into_iter()
        .filter_map(|c| Some(Value::known(c.value?.name, c.source)))
        .collect();
    reasons.extend(r.reason_reference.iter().filter_map(|reference| {
        Some(Value::known(owned(&reference.display)?, source.core("MedicationRequest.reasonReference")))
    }));
    Medication {
        what: known.medicine(source, &said, &mut record),
        record,
        state,
        status: source.string("MedicationRequest.status", &r.status, &r.status_element),
        intent: source.string("MedicationRequest.intent", &r.intent, &None),
        must_not_give: r.do_not_perform == Some(true),
        is_reported: r.reported_boolean == Some(true) || r.reported_reference.is_some(),
        dosage: dosage::all(source, &DOSAGE, &r.dosage_instruction),
        as_needed: r.dosage_instruction.iter().any(Dosage::is_as_needed),
        authored: source.moment("MedicationRequest.authoredOn", &r.authored_on, &r.authored_element),
        requester: source.named("MedicationRequest.requester", &r.requester),
        taken: None,
        reasons,
        notes: source.annotations("MedicationRequest.note", &r.note),
    }
}
