//! Medication orders and statements of use, with the medicine's name from the resource itself or from the Medication it
//! refers to.

mod dosage;
mod medicine;
mod order;
mod statement;

use serde::{Deserialize, Serialize};

use crate::{
    Context, Input,
    concept::Concept,
    date::When,
    parse::{
        Reading,
        datatypes::{CodeableConcept, Reference, from_json, shape, target},
    },
    record::Record,
    value::Value,
    version,
};

/// Whether an order is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Active.
    Active,
    /// On hold, draft, or status unknown: to be looked at.
    Unsettled,
    /// Completed, stopped, cancelled or not taken.
    Ended,
}

/// One medication order, or a statement that a medicine is or was used.
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
    /// When it is or was taken, as a statement of use says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken: Option<Value<When>>,
    /// What for.
    pub reasons: Vec<Value<String>>,
    /// Remarks.
    pub notes: Vec<Value<String>>,
}

/// The Medication an order or statement names by reference instead of saying what it is.
pub(crate) fn medication_reference(context: &Context<'_>, input: &Input<'_>) -> Option<String> {
    shape! { Order {
        medication_codeable_concept: Option<CodeableConcept<'a>>,
        medication_reference: Option<Reference<'a>>,
    } }
    let sent_type = crate::parse::type_of(input.resource)?;
    let r4_type = version::r4_type(context.fhir_version, &sent_type);
    if !["MedicationRequest", "MedicationStatement"].contains(&r4_type) {
        return None;
    }
    let json = version::to_r4(context.fhir_version, &sent_type, input.resource)?;
    let order: Order<'_> = from_json(&json)?;
    target(&order.medication_reference)
        .filter(|_| order.medication_codeable_concept.is_none())
        .map(ToOwned::to_owned)
}

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Medication> {
    let known = medicine::Known::read(reading);
    let mut items = order::read(reading, &known);
    items.extend(statement::read(reading, &known));
    items.sort_by_cached_key(|item| {
        let when = item.authored.as_ref().or(item.taken.as_ref());
        let newest = when.and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), item.state, std::cmp::Reverse(newest))
    });
    items
}
