//! Statements that a medicine is or was used: what patients report, and what DSTU2 and STU3 servers hold most of.

use super::{
    Medication, OrderState,
    dosage::{self, Dosage},
    medicine::{Known, Named, Paths, Said},
};
use crate::{
    concept::Wanted,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Period, Reference, resource},
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
        medication_codeable_concept: Option<CodeableConcept<'a>>,
        medication_reference: Option<Reference<'a>>,
        effective_date_time: Option<Str<'a>>,
        #[serde(rename = "_effectiveDateTime")]
        effective_element: Option<Element<'a>>,
        effective_period: Option<Period<'a>>,
        date_asserted: Option<Str<'a>>,
        #[serde(rename = "_dateAsserted")]
        asserted_element: Option<Element<'a>>,
        reason_code: List<CodeableConcept<'a>>,
        reason_reference: List<Reference<'a>>,
        dosage: List<Dosage<'a>>,
        note: List<Annotation<'a>>,
    }
}

const MEDICINE: Paths = Paths {
    concept: "MedicationStatement.medicationCodeableConcept",
    contained: "MedicationStatement.contained.code",
    reference: "MedicationStatement.medicationReference",
    display: "MedicationStatement.medicationReference.display",
    none: "MedicationStatement.medication",
};

const DOSAGE: dosage::Paths = dosage::Paths {
    text: "MedicationStatement.dosage.text",
    patient_instruction: "MedicationStatement.dosage.patientInstruction",
    parts: "MedicationStatement.dosage (its parts)",
};

pub(super) fn read(reading: &Reading<'_>, known: &Known<'_>) -> Vec<Medication> {
    reading.each("MedicationStatement", |source, record, r| statement(source, record, r, known))
}

fn statement(source: &Source, record: Record, r: &Resource<'_>, known: &Known<'_>) -> Medication {
    let (state, standing) = match text(&r.status) {
        Some("active") => (OrderState::Active, Standing::Valid),
        Some("completed" | "stopped" | "not-taken") => (OrderState::Ended, Standing::Valid),
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
        .concepts("MedicationStatement.reasonCode", &r.reason_code, Wanted::Condition)
        .into_iter()
        .filter_map(|c| Some(Value::known(c.value?.name, c.source)))
        .collect();
    reasons.extend(r.reason_reference.iter().filter_map(|reference| {
        Some(Value::known(owned(&reference.display)?, source.core("MedicationStatement.reasonReference")))
    }));
    Medication {
        what: known.medicine(source, &said, &mut record),
        record,
        state,
        status: source.string("MedicationStatement.status", &r.status, &r.status_element),
        intent: None,
        must_not_give: false,
        is_reported: true,
        dosage: dosage::all(source, &DOSAGE, &r.dosage),
        as_needed: r.dosage.iter().any(Dosage::is_as_needed),
        authored: source.moment("MedicationStatement.dateAsserted", &r.date_asserted, &r.asserted_element),
        requester: None,
        taken: source
            .moment("MedicationStatement.effectiveDateTime", &r.effective_date_time, &r.effective_element)
            .or_else(|| source.period("MedicationStatement.effectivePeriod", &r.effective_period)),
        reasons,
        notes: source.annotations("MedicationStatement.note", &r.note),
    }
}
