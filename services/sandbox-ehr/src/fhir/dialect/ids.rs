//! Ids as a product writes them, and back. Nothing is kept: what is written holds what was stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::params;
use crate::{
    data::is_id,
    digest::s256,
    profile::{Ids, Profile},
};

/// The practice of what belongs to no patient.
const NO_PRACTICE: &str = "1";

/// A stored id as the product writes it.
pub(crate) fn id_out(profile: &Profile, kind: &str, id: &str) -> String {
    match profile.data.ids {
        Ids::AsStored => id.to_owned(),
        Ids::Padded { usual, by_type } => {
            let length =
                by_type.iter().find(|(listed, _)| *listed == kind).map_or(usual, |(_, length)| *length);
            padded(id, length)
        }
        Ids::Prefixed(table) => {
            let prefix = table.iter().find(|(listed, _)| *listed == kind).map_or("", |(_, prefix)| *prefix);
            format!("{prefix}{id}")
        }
        Ids::OfPractice(_) => format!("a-{}.{kind}-{id}", practice(profile.data.ids, id)),
    }
}

/// The stored id behind one that the product gave out; none for what it never gave out.
pub(crate) fn id_in(profile: &Profile, kind: &str, written: &str) -> Option<String> {
    let id = match profile.data.ids {
        Ids::AsStored => written.to_owned(),
        Ids::Padded { .. } => written.strip_prefix('e')?.rsplit_once('.')?.0.to_owned(),
        Ids::Prefixed(table) => {
            let prefix = table.iter().find(|(listed, _)| *listed == kind).map_or("", |(_, prefix)| *prefix);
            written.strip_prefix(prefix)?.to_owned()
        }
        Ids::OfPractice(_) => written.split_once('.')?.1.split_once('-')?.1.to_owned(),
    };
    (is_id(&id) && id_out(profile, kind, &id) == written).then_some(id)
}

/// `e`, the id, a dot, and letters up to the length: at least one.
fn padded(id: &str, length: usize) -> String {
    let mut filler = s256(id);
    while filler.len() < length {
        filler.push_str(&URL_SAFE_NO_PAD.encode(id));
        filler.push_str(&s256(&filler));
    }
    let wanted = length.saturating_sub(id.len() + 2).max(1);
    format!("e{id}.{}", filler.get(..wanted).unwrap_or("x"))
}

/// The practice that a resource's patient goes to, by the patient's number in the id.
pub(super) fn practice(ids: Ids, id: &str) -> &'static str {
    let Ids::OfPractice(practices) = ids else { return NO_PRACTICE };
    let number = crate::data::chart_number(id);
    let dealt = number.and_then(|number| practices.get(number % practices.len().max(1)));
    dealt.copied().unwrap_or(NO_PRACTICE)
}

/// Writes every literal reference within a value as the product does.
pub(crate) fn refer_out(profile: &Profile, value: &mut Value) {
    if profile.data.ids != Ids::AsStored {
        refer(value, &|reference| reference_out(profile, reference));
    }
}

/// Reads every reference within a value that a client wrote: those below `base` as they are stored, others as they are.
pub(crate) fn refer_in(profile: &Profile, base: &str, value: &mut Value) {
    refer(value, &|reference| {
        let local = reference.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(reference);
        let (kind, id) = local.split_once('/')?;
        params::definition(kind)?;
        Some(format!("{kind}/{}", id_in(profile, kind, id)?))
    });
}

fn refer(value: &mut Value, one: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, one)),
        Value::Object(members) => {
            for name in ["reference", "url"] {
                let Some(reference) = members.get(name).and_then(Value::as_str) else { continue };
                if let Some(written) = one(reference) {
                    members.insert(name.to_owned(), json!(written));
                }
            }
            members.values_mut().for_each(|member| refer(member, one));
        }
        _ => {}
    }
}

/// A relative reference, or the relative end of an absolute one, as the product writes it.
fn reference_out(profile: &Profile, reference: &str) -> Option<String> {
    let (kind, id) = crate::data::target(reference)?;
    let before = reference.strip_suffix(id)?;
    params::definition(kind).is_some().then(|| format!("{before}{}", id_out(profile, kind, id)))
}

/// Search parameters as the product's clients send them, with ids as they are stored.
pub(crate) fn params_in(profile: &Profile, base: &str, kind: &str, params: &mut [(String, String)]) {
    rewrite(profile, base, kind, params, &|kind, id| id_in(profile, kind, id));
}

/// The same back, for links.
pub(crate) fn params_out(profile: &Profile, base: &str, kind: &str, params: &mut [(String, String)]) {
    rewrite(profile, base, kind, params, &|kind, id| Some(id_out(profile, kind, id)));
}

fn rewrite(
    profile: &Profile,
    base: &str,
    kind: &str,
    params: &mut [(String, String)],
    one: &dyn Fn(&str, &str) -> Option<String>,
) {
    if profile.data.ids == Ids::AsStored {
        return;
    }
    for (name, value) in params {
        let plain = name.split(':').next().unwrap_or_default();
        let target = match plain {
            "_id" => kind,
            "patient" | "subject" | "beneficiary" => "Patient",
            "encounter" => "Encounter",
            "practitioner" | "performer" | "author" => "Practitioner",
            "medication" => "Medication",
            _ => continue,
        };
        let rewritten = value.split(',').map(|part| {
            let local = part.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(part);
            let (kind, id) = local.split_once('/').unwrap_or((target, local));
            let Some(id) = one(kind, id) else { return part.to_owned() };
            if local.contains('/') { format!("{kind}/{id}") } else { id }
        });
        *value = rewritten.collect::<Vec<_>>().join(",");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_reads_back_the_ids_it_writes_and_no_others() {
        for profile in Profile::all() {
            for (kind, id) in [
                ("Patient", "pat-0001"),
                ("Observation", "obs-0012-07"),
                ("Condition", "a.dotted.id"),
                ("Practitioner", "pract-reyes"),
            ] {
                let written = id_out(profile, kind, id);
                assert_eq!(id_in(profile, kind, &written).as_deref(), Some(id), "{} {kind}", profile.name);
                if profile.data.ids != Ids::AsStored && written != id {
                    assert_eq!(
                        id_in(profile, kind, &format!("{written}x")).as_deref().filter(|i| *i == id),
                        None
                    );
                }
            }
        }
    }

    #[test]
    fn padded_ids_have_the_length_asked_for() {
        assert_eq!(padded("obs-0012-07", 130).len(), 130);
        assert_eq!(padded("obs-0012-07", 64).len(), 64);
        assert!(padded(&"a".repeat(64), 45).len() == 67, "an id that is too long is not cut");
    }

    #[test]
    fn references_are_rewritten_wherever_they_stand_and_canaries_are_not() {
        let athena = Profile::named("athena").unwrap();
        let mut body = json!({"subject": {"reference": "Patient/pat-0001"}, "meta": {"tag": [{"code": "canary-pat-0001"}]},
            "url": "Binary/bin-0001-01", "system": {"url": "http://hl7.org/fhir/us"}});
        refer_out(athena, &mut body);
        assert_eq!(body["subject"]["reference"], "Patient/a-195900.Patient-pat-0001");
        assert_eq!(body["url"], "Binary/a-195900.Binary-bin-0001-01");
        assert_eq!(body["meta"]["tag"][0]["code"], "canary-pat-0001");
        assert_eq!(body["system"]["url"], "http://hl7.org/fhir/us");
    }
}
