//! Code systems, US Core profiles and the small JSON shapes that every resource repeats.

use serde_json::Value;

use super::tree::tree;

pub(super) const SNOMED: &str = "http://snomed.info/sct";
pub(super) const ICD10: &str = "http://hl7.org/fhir/sid/icd-10-cm";
pub(super) const LOINC: &str = "http://loinc.org";
pub(super) const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
pub(super) const CVX: &str = "http://hl7.org/fhir/sid/cvx";
pub(super) const UCUM: &str = "http://unitsofmeasure.org";
pub(super) const NUCC: &str = "http://nucc.org/provider-taxonomy";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(super) const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/";

/// A code with its display.
pub(super) type Code = (&'static str, &'static str);

pub(super) fn coding(system: &str, (code, display): (&str, &str)) -> Value {
    tree!({ "system": system, "code": code, "display": display })
}

/// A concept of one coding whose text is its display.
pub(super) fn concept(system: &str, code: (&str, &str)) -> Value {
    tree!({ "coding": [coding(system, code)], "text": code.1 })
}

/// A concept of an HL7 terminology system, by the system's short name.
pub(super) fn hl7(name: &str, code: (&str, &str)) -> Value {
    tree!({ "coding": [coding(&format!("http://terminology.hl7.org/CodeSystem/{name}"), code)] })
}

pub(super) fn quantity(value: f64, decimals: i32, unit: &str, ucum: &str) -> Value {
    tree!({ "value": number(value, decimals), "unit": unit, "system": UCUM, "code": ucum })
}

/// A decimal rounded as the measuring device would; whole numbers are written without a fraction.
pub(super) fn number(value: f64, decimals: i32) -> Value {
    let rounded = round(value, decimals);
    if decimals == 0 { tree!(rounded as i64) } else { tree!(rounded) }
}

pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}

pub(super) fn reference(kind: &str, id: &str) -> Value {
    tree!({ "reference": format!("{kind}/{id}") })
}

pub(super) fn named(kind: &str, id: &str, display: &str) -> Value {
    tree!({ "reference": format!("{kind}/{id}"), "display": display })
}
