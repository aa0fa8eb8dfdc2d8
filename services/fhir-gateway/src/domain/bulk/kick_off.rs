//! What asks for an export: the operation's address and parameters, as the EHR's product takes them. What the product
//! cannot do is refused here; it is not found out there, where a filter that is ignored means more than was asked for.

use sallyport_egress::Url;
use sallyport_fhir::{Interaction, Method, RawRequest, ResourceType, Target, params::TypeRule};
use sallyport_model::{Code, PatientId, Patients};
use sallyport_vendors::{
    Profile,
    bulk::{KickOff as Way, TypeList},
};
use serde_json::json;

use crate::{
    domain::{
        place::Place,
        run::{Run, Whose},
    },
    error::Refusal,
};

/// What a run wants exported.
pub(crate) struct KickOff {
    pub(crate) types: Vec<String>,
    pub(crate) since: String,
    pub(crate) type_filters: Vec<String>,
}

/// A kick-off as it is sent.
pub(super) struct Asked {
    pub(super) url: Url,
    /// The body of a POST.
    pub(super) body: Option<String>,
    pub(super) types: Vec<ResourceType>,
}

/// The longest instant worth reading.
const MAX_INSTANT: usize = 64;

fn not_offered(what: &'static str) -> Refusal {
    Refusal::because(Code::BulkNotOffered, what)
}

/// Builds the kick-off of a run's cohort.
pub(super) fn ask(run: &Run, place: &Place, profile: &Profile, wanted: &KickOff) -> Result<Asked, Refusal> {
    let bulk = &profile.bulk;
    let types = types(wanted)?;
    if !wanted.since.is_empty() {
        if !is_instant(&wanted.since) {
            return Err(Refusal::because(Code::RequestInvalid, "since is no instant"));
        }
        if !*bulk.since {
            return Err(not_offered("this EHR's _since selects nothing"));
        }
    }
    let filters = wanted.type_filters.iter().map(|filter| type_filter(filter, &types, place));
    let filters = filters.collect::<Result<Vec<_>, _>>()?;
    if !filters.is_empty() && !*bulk.type_filter {
        return Err(not_offered("this EHR ignores _typeFilter"));
    }
    let names: Vec<&str> = types.iter().map(|t| t.as_str()).collect();
    let offers =
        |way| if bulk.kick_offs.contains(&way) { Ok(()) } else { Err(not_offered("no such kick-off")) };
    let (path, patients) = match &run.whose {
        Whose::Group(id) => {
            offers(Way::Group)?;
            (format!("Group/{}/$export", id.expose()), None)
        }
        Whose::Everyone => {
            offers(Way::AllPatients)?;
            ("Patient/$export".to_owned(), None)
        }
        Whose::Patients(patients) => {
            offers(Way::PatientList)?;
            let patients = list(patients)?;
            let most = bulk.max_patients.and_then(|most| usize::try_from(most).ok());
            if most.is_some_and(|most| patients.len() > most) {
                return Err(not_offered("more patients than this EHR exports at once"));
            }
            ("Patient/$export".to_owned(), Some(patients))
        }
    };
    let mut address = format!("{}/{path}", place.fhir_base);
    let body = match patients {
        Some(patients) => Some(parameters(&names, &wanted.since, &filters, &patients)),
        None => {
            address.push('?');
            address.push_str(&query(&names, *bulk.type_list, &wanted.since, &filters));
            None
        }
    };
    let url = Url::parse(&address).map_err(|_base| Code::Internal)?;
    Ok(Asked { url, body, types })
}

fn types(wanted: &KickOff) -> Result<Vec<ResourceType>, Refusal> {
    let mut types = Vec::new();
    for name in &wanted.types {
        let known = ResourceType::parse(name).filter(|t| TypeRule::of(*t).is_some());
        let resource_type = known.ok_or(Code::TypeDenied)?;
        if !types.contains(&resource_type) {
            types.push(resource_type);
        }
    }
    // Left out, `_type` would mean every type (invariant 10).
    if types.is_empty() {
        return Err(Refusal::because(Code::RequestInvalid, "no type is named"));
    }
    Ok(types)
}

fn list(patients: &Patients) -> Result<Vec<&PatientId>, Refusal> {
    match patients {
        Patients::One(one) => Ok(vec![one]),
        Patients::Cohort(many) if !many.is_empty() => Ok(many.iter().collect()),
        Patients::Cohort(_) | Patients::None => Err(Refusal::because(Code::RunDenied, "the cohort is empty")),
    }
}

/// A `_typeFilter`: one search on one of the types, through the same table as every other search (BULK-04).
fn type_filter(text: &str, types: &[ResourceType], place: &Place) -> Result<String, Refusal> {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let request =
        RawRequest { method: Method::Get, path: &format!("/{name}"), query: Some(query), form: None };
    let interaction = Interaction::parse(&request, place.max_id_length)?;
    let Interaction::Search(search) = &interaction else { return Err(Code::ParameterInvalid.into()) };
    let rule = TypeRule::of(search.resource_type).ok_or(Code::TypeDenied)?;
    if !types.contains(&search.resource_type) {
        return Err(Refusal::because(Code::ParameterDenied, "a filter is on a type that is not exported"));
    }
    let selects = |name: &str| rule.param(name).is_some() && !rule.names_patient(name);
    if search.params.is_empty() || !search.params.iter().all(|p| selects(p.name)) {
        let what = "a filter selects by parameters of its type, and not by patient, order or count";
        return Err(Refusal::because(Code::ParameterDenied, what));
    }
    let target = Target::of(&interaction).ok_or(Code::ParameterInvalid)?;
    Ok(format!("{}?{}", search.resource_type, target.query))
}

/// A FHIR instant, as far as it matters: digits and what stands between them.
pub(super) fn is_instant(text: &str) -> bool {
    let is_written_so = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'+' | b'T' | b'Z');
    (20..=MAX_INSTANT).contains(&text.len()) && text.bytes().all(is_written_so)
}

fn query(types: &[&str], list: TypeList, since: &str, filters: &[String]) -> String {
    let mut pairs: Vec<String> = match list {
        TypeList::Joined => vec![format!("_type={}", types.join(","))],
        TypeList::Repeated => types.iter().map(|name| format!("_type={name}")).collect(),
    };
    if !since.is_empty() {
        pairs.push(format!("_since={}", encoded(since)));
    }
    pairs.extend(filters.iter().map(|filter| format!("_typeFilter={}", encoded(filter))));
    pairs.join("&")
}

/// Percent-encoded whole, commas included: some products split at a bare comma.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn parameters(types: &[&str], since: &str, filters: &[String], patients: &[&PatientId]) -> String {
    let mut parameter = vec![json!({"name": "_type", "valueString": types.join(",")})];
    if !since.is_empty() {
        parameter.push(json!({"name": "_since", "valueInstant": since}));
    }
    parameter.extend(filters.iter().map(|filter| json!({"name": "_typeFilter", "valueString": filter})));
    let reference = |id: &&PatientId| json!({"name": "patient", "valueReference": {"reference": format!("Patient/{}", id.expose())}});
    parameter.extend(patients.iter().map(reference));
    json!({"resourceType": "Parameters", "parameter": parameter}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_as_the_product_takes_it() {
        let filters = ["Observation?category=laboratory,vital-signs".to_owned()];
        assert_eq!(
            query(&["Patient", "Observation"], TypeList::Joined, "2026-01-02T03:04:05.000+01:00", &filters),
            "_type=Patient,Observation&_since=2026-01-02T03%3A04%3A05.000%2B01%3A00\
             &_typeFilter=Observation%3Fcategory%3Dlaboratory%2Cvital-signs"
        );
        assert_eq!(
            query(&["Patient", "Condition"], TypeList::Repeated, "", &[]),
            "_type=Patient&_type=Condition"
        );
    }

    #[test]
    fn an_instant_is_kept_as_the_server_wrote_it_or_refused() {
        for good in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456+14:00"] {
            assert!(is_instant(good), "{good}");
        }
        for bad in ["", "2026-01-02", "2026-01-02T03:04:05Z&_type=Patient", "yesterday at this time!"] {
            assert!(!is_instant(bad), "{bad}");
        }
    }
}
