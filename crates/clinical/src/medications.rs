//! Medication orders, with the medicine's name from the order itself or from the Medication it refers to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    Input,
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{Annotation, CodeableConcept, Element, Reference, from_json, shape, target},
        primitives::{List, Str, owned, text},
        references::local_reference,
    },
    record::{Record, Standing},
    value::{Absent, Value},
};

/// Whether an order is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Active.
    Active,
    /// On hold, draft, or status unknown: to be looked at.
    Unsettled,
    /// Completed, stopped or cancelled.
    Ended,
}

/// One medication order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Medication {
    /// The resource.
    pub record: Record,
    /// The medicine.
    pub what: Value<Concept>,
    /// Whether it is in force.
    pub state: OrderState,
    /// The status as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// Order, plan, proposal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub intent: Option<Value<String>>,
    /// The order says that the medicine must not be given.
    pub must_not_give: bool,
    /// Reported by someone else than the prescriber (a home medicine, for instance).
    pub is_reported: bool,
    /// How it is to be taken, one entry per instruction, as text.
    pub dosage: Vec<Value<String>>,
    /// Any instruction says "as needed".
    pub as_needed: bool,
    /// When it was ordered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authored: Option<Value<When>>,
    /// Who ordered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requester: Option<Value<String>>,
    /// What for.
    pub reasons: Vec<Value<String>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

shape! {
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

shape! {
    Named { resource_type: Option<Str<'a>>, id: Option<Str<'a>>, code: Option<CodeableConcept<'a>> }
}

shape! {
    Dosage {
        text: Option<Str<'a>>,
        patient_instruction: Option<Str<'a>>,
        as_needed_boolean: Option<bool>,
        as_needed_codeable_concept: Option<CodeableConcept<'a>>,
        timing: Option<Timing<'a>>,
        route: Option<CodeableConcept<'a>>,
        dose_and_rate: List<DoseAndRate<'a>>,
    }
}

shape! { Timing { code: Option<CodeableConcept<'a>>, repeat: Option<Repeat<'a>> } }

shape! {
    Repeat {
        frequency: Option<crate::parse::primitives::Number<'a>>,
        period: Option<crate::parse::primitives::Number<'a>>,
        period_unit: Option<Str<'a>>,
    }
}

shape! {
    DoseAndRate {
        dose_quantity: Option<crate::parse::datatypes::Quantity<'a>>,
        dose_range: Option<crate::parse::datatypes::Range<'a>>,
    }
}

/// The Medication an order names by reference instead of saying what it is.
pub(crate) fn medication_reference(input: &Input<'_>) -> Option<String> {
    shape! { Order {
        resource_type: Option<Str<'a>>,
        medication_codeable_concept: Option<CodeableConcept<'a>>,
        medication_reference: Option<Reference<'a>>,
    } }
    let order: Order<'_> = from_json(input.resource)?;
    let is_order = text(&order.resource_type) == Some("MedicationRequest")
        && order.medication_codeable_concept.is_none();
    if is_order { target(&order.medication_reference).map(ToOwned::to_owned) } else { None }
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Vec<Medication> {
    let mut medicines = HashMap::new();
    for (source, medicine) in reading.take::<Named<'_>>("Medication") {
        if let Some(what) = source.concept("code", &medicine.code, Wanted::Medication) {
            medicines.insert(source.reference(), what);
        }
    }
    let base = reading.context.fhir_base;
    let mut items: Vec<Medication> = reading
        .take::<Resource<'_>>("MedicationRequest")
        .iter()
        .map(|(source, r)| {
            let local = target(&r.medication_reference).and_then(|t| local_reference(t, base));
            let second_read =
                local.and_then(|(kind, id)| medicines.get(format!("{kind}/{id}").as_str()).cloned());
            order(source, r, second_read)
        })
        .collect();
    items.sort_by_key(|item| {
        let newest = item.authored.as_ref().and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), item.state, std::cmp::Reverse(newest))
    });
    items
}

fn order(source: &Source, r: &Resource<'_>, second_read: Option<Value<Concept>>) -> Medication {
    let status = source.string("status", &r.status, &r.status_element);
    let (state, standing) = match text(&r.status) {
        Some("active") => (OrderState::Active, Standing::Valid),
        Some("completed" | "stopped" | "cancelled") => (OrderState::Ended, Standing::Valid),
        Some("entered-in-error") => (OrderState::Ended, Standing::EnteredInError),
        _ => (OrderState::Unsettled, Standing::Valid),
    };
    let mut record = source.record(standing);
    let what = medicine(source, r, second_read, &mut record);
    let as_needed =
        |d: &Dosage<'_>| d.as_needed_boolean == Some(true) || d.as_needed_codeable_concept.is_some();
    let mut reasons: Vec<Value<String>> = source
        .concepts("reasonCode", &r.reason_code, Wanted::Condition)
        .into_iter()
        .filter_map(|c| Some(Value::known(c.value?.name, c.source)))
        .collect();
    reasons.extend(r.reason_reference.iter().filter_map(|reference| {
        Some(Value::known(owned(&reference.display)?, source.core("reasonReference")))
    }));
    Medication {
        record,
        what,
        state,
        status,
        intent: source.string("intent", &r.intent, &None),
        must_not_give: r.do_not_perform == Some(true),
        is_reported: r.reported_boolean == Some(true) || r.reported_reference.is_some(),
        dosage: r.dosage_instruction.iter().filter_map(|d| dosage(source, d)).collect(),
        as_needed: r.dosage_instruction.iter().any(as_needed),
        authored: source.moment("authoredOn", &r.authored_on, &r.authored_element),
        requester: source.named("requester", &r.requester),
        reasons,
        notes: source.annotations(&r.note),
    }
}

/// The name: the order's own concept, a contained Medication, the Medication read in the second round, else the
/// reference's display, which is marked as such.
fn medicine(
    source: &Source,
    r: &Resource<'_>,
    second_read: Option<Value<Concept>>,
    record: &mut Record,
) -> Value<Concept> {
    if let Some(own) =
        source.concept("medicationCodeableConcept", &r.medication_codeable_concept, Wanted::Medication)
    {
        return own;
    }
    let contained_id = target(&r.medication_reference).and_then(|t| t.strip_prefix('#'));
    let contained = r.contained.iter().find(|c| contained_id.is_some() && text(&c.id) == contained_id);
    if let Some(found) = contained.and_then(|c| source.concept("contained.code", &c.code, Wanted::Medication))
    {
        return found;
    }
    if let Some(found) = second_read {
        record.notes.push(
            "The order names its medicine by reference; the name was read from that record.".to_owned(),
        );
        return found;
    }
    let display = source.named("medicationReference", &r.medication_reference);
    match display.and_then(|d| d.value) {
        Some(name) => {
            record
                .notes
                .push("The name is the order's own label; the medicine's record was not read.".to_owned());
            Value::known(Concept::from_name(name), source.core("medicationReference.display"))
        }
        None => Value::absent(Absent::NotSent, source.core("medication")),
    }
}

/// An instruction: its text, else what the parts say, put together plainly and marked by its path.
fn dosage(source: &Source, d: &Dosage<'_>) -> Option<Value<String>> {
    if let Some(sig) = owned(&d.text) {
        return Some(Value::known(sig, source.core("dosageInstruction.text")));
    }
    if let Some(sig) = owned(&d.patient_instruction) {
        return Some(Value::known(sig, source.core("dosageInstruction.patientInstruction")));
    }
    let dose = d.dose_and_rate.iter().find_map(|dose| {
        crate::observations::quantity_words(&dose.dose_quantity)
            .or_else(|| crate::observations::range_words(&dose.dose_range))
    });
    let name = |c: &Option<CodeableConcept<'_>>| {
        c.as_ref().and_then(|c| Concept::choose(c, Wanted::Any)).map(|c| c.name)
    };
    let timing = d.timing.as_ref();
    let frequency = timing.and_then(|t| t.repeat.as_ref()).and_then(|repeat| {
        let (times, every) = (repeat.frequency?.as_str(), repeat.period.map_or("1", |p| p.as_str()));
        let unit = unit_of_time(text(&repeat.period_unit)?, every != "1")?;
        Some(if every == "1" {
            format!("{times} × per {unit}")
        } else {
            format!("{times} × every {every} {unit}")
        })
    });
    let parts = [dose, name(&d.route), timing.and_then(|t| name(&t.code)).or(frequency)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| Value::known(parts.join(", "), source.core("dosageInstruction (its parts)")))
}

/// UCUM units of time (R4 value set units-of-time).
fn unit_of_time(code: &str, plural: bool) -> Option<&'static str> {
    Some(match (code, plural) {
        ("s", _) => "s",
        ("min", _) => "min",
        ("h", false) => "hour",
        ("h", true) => "hours",
        ("d", false) => "day",
        ("d", true) => "days",
        ("wk", false) => "week",
        ("wk", true) => "weeks",
        ("mo", false) => "month",
        ("mo", true) => "months",
        ("a", false) => "year",
        ("a", true) => "years",
        _ => return None,
    })
}
