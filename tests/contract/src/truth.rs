//! What the EHR holds, read from the records themselves and not over any wire.

use std::collections::BTreeSet;

use sallyport_sandbox_ehr::data::{CANARY_SYSTEM, Records};
use serde_json::Value;

/// Seed and patients of an instance's own sandbox (`defaults.toml`).
const SEED: u64 = 1;
const PATIENTS: usize = 20;

/// The patient that the suite launches with.
pub const PATIENT: &str = "pat-0001";

/// The charts of the instance's sandbox.
pub fn records() -> Records {
    Records::generate(SEED, PATIENTS)
}

/// How many resources of a type the patient has, of a category where one is named.
pub fn held(records: &Records, kind: &str, category: Option<&str>) -> usize {
    let bodies = records.of_patient(kind, PATIENT).filter_map(|record| record.current());
    bodies.filter(|body| category.is_none_or(|category| has_category(body, category))).count()
}

fn has_category(body: &Value, wanted: &str) -> bool {
    let concepts = body.get("category").and_then(Value::as_array).into_iter().flatten();
    let codings = concepts.filter_map(|concept| concept.get("coding")?.as_array()).flatten();
    codings.into_iter().any(|coding| coding.get("code").and_then(Value::as_str) == Some(wanted))
}

/// The canaries of other patients in an answer, wherever they stand.
pub fn foreign_canaries(answer: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    look(answer, &mut found);
    found
}

fn look(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| look(item, found)),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            if let (Some(CANARY_SYSTEM), Some(code)) = (text("system"), text("code"))
                && code != format!("canary-{PATIENT}")
                && code != "canary-shared"
            {
                found.insert(code.to_owned());
            }
            members.values().for_each(|member| look(member, found));
        }
        _ => {}
    }
}
