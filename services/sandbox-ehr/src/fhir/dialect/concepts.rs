//! Concepts as a product codes them, and how a prescription names its drug.

use serde_json::{Map, Value, json};

use super::super::Context;
use crate::profile::{Codings, Medications};

/// The members that hold what a resource is about.
const CONCEPTS: [&str; 3] = ["code", "vaccineCode", "medicationCodeableConcept"];

/// Writes the concepts of one resource.
pub(super) fn write(context: &Context, kind: &str, members: &mut Map<String, Value>) {
    match context.profile.data.medications {
        Medications::AsStored => {}
        Medications::Reference => by_reference(context, members),
        Medications::Concept => by_concept(context, members),
    }
    match context.profile.data.codings {
        Codings::AsStored => {}
        Codings::Twin(system) => add(context, members, system, false),
        Codings::ChosenByUser(system) => add(context, members, system, true),
        Codings::DocumentTypesUnder(system) if kind == "DocumentReference" => {
            let codings = members.get_mut("type").and_then(|concept| concept.get_mut("coding"));
            for coding in codings.and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(coding) = coding.as_object_mut() {
                    coding.insert("system".to_owned(), json!(system));
                }
            }
        }
        Codings::DocumentTypesUnder(_) => {}
    }
}

/// A concept whose Medication is there becomes a reference to it.
fn by_reference(context: &Context, members: &mut Map<String, Value>) {
    let Some(concept) = members.get("medicationCodeableConcept") else { return };
    let Some(code) = concept.pointer("/coding/0/code").and_then(Value::as_str) else { return };
    let id = format!("med-{code}");
    if context.records.record("Medication", &id).is_some() {
        let display = concept.get("text").cloned().unwrap_or_default();
        members.remove("medicationCodeableConcept");
        let reference = json!({ "reference": format!("Medication/{id}"), "display": display });
        members.insert("medicationReference".to_owned(), reference);
    }
}

/// A reference becomes the concept of the Medication it leads to.
fn by_concept(context: &Context, members: &mut Map<String, Value>) {
    let reference = members.get("medicationReference").and_then(|found| found.get("reference"));
    let Some((kind, id)) = reference.and_then(Value::as_str).and_then(crate::data::target) else { return };
    let code = context.records.read(kind, id).and_then(|medication| medication.get("code")).cloned();
    if let Some(code) = code {
        members.remove("medicationReference");
        members.insert("medicationCodeableConcept".to_owned(), code);
    }
}

/// Adds a local coding to each concept: last, or first and marked as the user's choice.
fn add(context: &Context, members: &mut Map<String, Value>, system: &str, is_chosen: bool) {
    let system = system.replace("{tenant}", &(context.tenant + 1).to_string());
    for name in CONCEPTS {
        let codings = members.get_mut(name).and_then(|concept| concept.get_mut("coding"));
        let Some(codings) = codings.and_then(Value::as_array_mut) else { continue };
        let Some(first) = codings.first() else { continue };
        let standard = first.get("code").and_then(Value::as_str).unwrap_or_default();
        let mut local = json!({ "system": system, "code": local_code(standard) });
        if let (Some(local), Some(display)) = (local.as_object_mut(), first.get("display")) {
            local.insert("display".to_owned(), display.clone());
            if is_chosen {
                local.insert("userSelected".to_owned(), json!(true));
            }
        }
        codings.insert(if is_chosen { 0 } else { codings.len() }, local);
    }
}

/// A number of the product's own for a code: the same for the same code.
fn local_code(standard: &str) -> String {
    let fold = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte));
    (standard.bytes().fold(7, fold) % 9_000_000 + 1_000_000).to_string()
}
