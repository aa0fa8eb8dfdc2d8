//! How a product writes its resources: what is stored once is served in each product's way. Ids and
//! references are in `ids.rs`, concepts and drugs in `concepts.rs`, documents in `documents.rs`.

mod concepts;
mod documents;
mod ids;
mod masking;
mod xml;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub(crate) use self::{
    documents::{DOCUMENT, raw},
    ids::{id_in, id_out, params_in, params_out, refer_in, refer_out},
    xml::to_xml,
};
use super::Context;
use crate::faults::FhirFault;
use crate::profile::{Attachments, Codings, DataRules, Ids, Medications, Meta};

/// The members of `meta` that say nothing about version, date or profile: labels and the canary stay.
const LASTING: [&str; 2] = ["tag", "security"];
const NULL_FLAVOR: &str = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";

/// A resource as the product of this place writes it.
pub(crate) fn served<'v>(context: &Context, body: &'v Value) -> Cow<'v, Value> {
    let rules = &context.profile.data;
    let is_masked = context.has(FhirFault::Masked);
    if is_plain(rules) && !is_masked {
        return Cow::Borrowed(body);
    }
    let mut written = body.clone();
    if let Some(members) = written.as_object_mut() {
        let kind = text(members, "resourceType");
        let id = text(members, "id");
        concepts::write(context, &kind, members);
        documents::write(context, &kind, &id, members);
        if rules.encounter_diagnoses_lack_status && kind == "Condition" && has_category(members) {
            members.remove("clinicalStatus");
        }
        if rules.refers_to_null_flavor && kind == "Observation" {
            members.insert("performer".to_owned(), json!([{ "reference": NULL_FLAVOR }]));
        }
        write_meta(rules.meta, &kind, members);
        if is_masked {
            masking::mask(members);
        }
        members.insert("id".to_owned(), json!(id_out(context.profile, &kind, &id)));
    }
    refer_out(context.profile, &mut written);
    // After the references: this one is written as it stands.
    extend(context, body, &mut written);
    Cow::Owned(written)
}

/// Whether everything is served as it is stored.
fn is_plain(rules: &DataRules) -> bool {
    rules.ids == Ids::AsStored
        && rules.meta == Meta::Full
        && rules.medications == Medications::AsStored
        && rules.codings == Codings::AsStored
        && rules.attachments == Attachments::AsStored
        && rules.extensions.is_empty()
        && !rules.encounter_diagnoses_lack_status
        && !rules.refers_to_null_flavor
}

fn text(members: &Map<String, Value>, name: &str) -> String {
    members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn has_category(members: &Map<String, Value>) -> bool {
    super::matching::has_code(members.get("category"), "encounter-diagnosis")
}

fn extend(context: &Context, stored: &Value, written: &mut Value) {
    let rules = &context.profile.data;
    let id = stored.get("id").and_then(Value::as_str).unwrap_or_default();
    let practice = ids::practice(rules.ids, id);
    let Some(members) = written.as_object_mut() else { return };
    for (url, reference) in rules.extensions {
        let reference = reference.replace("{practice}", practice);
        let added = json!({ "url": url, "valueReference": { "reference": reference } });
        if let Some(list) = members.entry("extension").or_insert_with(|| json!([])).as_array_mut() {
            list.push(added);
        }
    }
}

fn write_meta(style: Meta, kind: &str, members: &mut Map<String, Value>) {
    let Some(meta) = members.get_mut("meta").and_then(Value::as_object_mut) else { return };
    match style {
        Meta::Full => {}
        Meta::Bare => meta.retain(|name, _| LASTING.contains(&name.as_str())),
        Meta::ObservationsUndated if kind == "Observation" => {
            meta.remove("lastUpdated");
        }
        Meta::ObservationsUndated => {}
    }
}
