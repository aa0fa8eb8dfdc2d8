//! What to read for a section: reads and US Core searches, always about one patient.
//!
//! US Core 6.1 requires the searches used here of every server. `_sort` is asked for only where the newest matter and a page
//! is not enough for all; a server that ignores it costs nothing, because [`crate::normalise()`] sorts.

use sallyport_model::{EncounterId, PatientId};

use crate::{FhirVersion, Input, Mapping, Section, medications, parse::references::local_reference};

/// About whom, and where: what a plan and its answers are read against.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The patient of the launch.
    pub patient: &'a PatientId,
    /// The encounter of the launch, if the EHR named one.
    pub encounter: Option<&'a EncounterId>,
    /// The endpoint's FHIR base: absolute references under it are this server's own, all others are left alone.
    pub fhir_base: &'a str,
    /// The version of FHIR in which the endpoint answers.
    pub fhir_version: FhirVersion,
    /// The mapping to which the endpoint is pinned.
    pub mapping: Mapping,
}

/// How a query asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Interaction {
    /// `[type]/[id]`.
    Read(String),
    /// `[type]?…`; never without the patient.
    Search(Vec<(&'static str, String)>),
}

/// One call to make for a section.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// The FHIR resource type.
    pub resource_type: &'static str,
    /// A read or a search.
    pub interaction: Interaction,
    /// The section still says what it has to say when this one fails or is not granted.
    pub optional: bool,
}

impl std::fmt::Debug for Query {
    /// Without ids and parameters: both identify the patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let interaction = match &self.interaction {
            Interaction::Read(_) => "read",
            Interaction::Search(_) => "search",
        };
        f.debug_struct("Query")
            .field("resource_type", &self.resource_type)
            .field("interaction", &interaction)
            .field("optional", &self.optional)
            .finish()
    }
}

/// At most this many referenced resources are read in the second round: a page waits for them.
pub const MAX_FOLLOW_UPS: usize = 40;

/// The queries of a section; none for one that is not mapped from that version of FHIR. Every search carries the patient.
pub fn plan(section: Section, context: &Context<'_>) -> Vec<Query> {
    if !context.fhir_version.maps(section) {
        return Vec::new();
    }
    let search = |resource_type, params: &[(&'static str, &str)]| {
        let mut all = vec![("patient", context.patient.expose().to_owned())];
        all.extend(params.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Query { resource_type, interaction: Interaction::Search(all), optional: false }
    };
    let newest = ("_sort", "-date");
    match section {
        Section::Banner => {
            let mut queries = vec![read("Patient", context.patient.expose(), false)];
            queries.extend(context.encounter.map(|id| read("Encounter", id.expose(), true)));
            queries
        }
        Section::Problems => vec![search("Condition", &[("_count", "100")])],
        Section::Medications => match context.fhir_version {
            FhirVersion::Dstu2 => vec![
                search("MedicationOrder", &[("_count", "100")]),
                search("MedicationStatement", &[("_count", "100")]),
            ],
            FhirVersion::Stu3 => vec![
                search("MedicationRequest", &[("_count", "100")]),
                search("MedicationStatement", &[("_count", "100")]),
            ],
            // US Core requires `intent` with the patient; orders, plans and reported use are what a list of medications is.
            FhirVersion::R4 | FhirVersion::R4B | FhirVersion::R5 => vec![search(
                "MedicationRequest",
                &[
                    ("intent", "proposal,plan,order,original-order,reflex-order,filler-order,instance-order"),
                    ("_count", "100"),
                ],
            )],
        },
        Section::Allergies => vec![search("AllergyIntolerance", &[("_count", "100")])],
        // DSTU2 has another way of asking for an order (`_sort:desc`), which nobody has been seen to keep.
        Section::Vitals | Section::Results if context.fhir_version == FhirVersion::Dstu2 => {
            let category = if section == Section::Vitals { "vital-signs" } else { "laboratory" };
            vec![search("Observation", &[("category", category), ("_count", "200")])]
        }
        Section::Vitals => {
            vec![search("Observation", &[("category", "vital-signs"), newest, ("_count", "200")])]
        }
        Section::Results => {
            vec![search("Observation", &[("category", "laboratory"), newest, ("_count", "200")])]
        }
        Section::Encounters => vec![search("Encounter", &[("_sort", "-date"), ("_count", "50")])],
        Section::Documents => vec![search("DocumentReference", &[("_sort", "-date"), ("_count", "50")])],
        Section::Immunizations => vec![search("Immunization", &[("_count", "100")])],
        Section::Procedures => vec![search("Procedure", &[("_count", "100")])],
        Section::Careteam => vec![search("CareTeam", &[("status", "active"), ("_count", "20")])],
        Section::Coverage => vec![search("Coverage", &[("_count", "20")])],
    }
}

/// What the answers refer to and the section needs: Medications named by reference only.
///
/// Only references into this server are followed (vendors send absolute ones to terminology sites), each once, at most
/// [`MAX_FOLLOW_UPS`]. All are optional: without them the section says that the name could not be read.
pub fn follow_up(section: Section, context: &Context<'_>, inputs: &[Input<'_>]) -> Vec<Query> {
    if section != Section::Medications {
        return Vec::new();
    }
    let mut queries: Vec<Query> = Vec::new();
    for reference in inputs.iter().filter_map(|i| medications::medication_reference(context, i)) {
        let Some(("Medication", id)) = local_reference(&reference, context.fhir_base) else { continue };
        let query = read("Medication", id, true);
        if queries.len() < MAX_FOLLOW_UPS && !queries.contains(&query) {
            queries.push(query);
        }
    }
    queries
}

fn read(resource_type: &'static str, id: &str, optional: bool) -> Query {
    Query { resource_type, interaction: Interaction::Read(id.to_owned()), optional }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://ehr.example/fhir";

    #[test]
    fn no_section_plans_a_search_without_the_patient() {
        let (patient, encounter) = (PatientId::parse("p1").unwrap(), EncounterId::parse("e1").unwrap());
        let context = Context {
            patient: &patient,
            encounter: Some(&encounter),
            fhir_base: BASE,
            fhir_version: FhirVersion::R4,
            mapping: Mapping::V2026_1,
        };
        for section in Section::ALL {
            let queries = plan(*section, &context);
            assert!(!queries.is_empty(), "{section}");
            for query in queries {
                match query.interaction {
                    Interaction::Search(params) => {
                        assert_eq!(params[0], ("patient", "p1".to_owned()), "{section}");
                    }
                    Interaction::Read(id) => assert!(id == "p1" || id == "e1", "{section}"),
                }
            }
        }
    }

    #[test]
    fn a_query_never_prints_the_patient() {
        let patient = PatientId::parse("secret-id").unwrap();
        let context = Context {
            patient: &patient,
            encounter: None,
            fhir_base: BASE,
            fhir_version: FhirVersion::R4,
            mapping: Mapping::V2026_1,
        };
        for section in Section::ALL {
            assert!(!format!("{:?}", plan(*section, &context)).contains("secret-id"), "{section}");
        }
    }

    #[test]
    fn medications_by_reference_are_followed_once_and_only_into_this_server() {
        let patient = PatientId::parse("p1").unwrap();
        let context = Context {
            patient: &patient,
            encounter: None,
            fhir_base: BASE,
            fhir_version: FhirVersion::R4,
            mapping: Mapping::V2026_1,
        };
        let order = |reference: &str| {
            format!(
                r#"{{"resourceType":"MedicationRequest","id":"m","medicationReference":{{"reference":"{reference}"}}}}"#
            )
        };
        let bodies = [
            order("Medication/a"),
            order("Medication/a"),
            order("https://ehr.example/fhir/Medication/b"),
            order("https://elsewhere.example/Medication/c"),
            order("#contained"),
            order("Patient/other"),
            "not json".to_owned(),
        ];
        let inputs: Vec<Input<'_>> =
            bodies.iter().map(|b| Input { resource: b.as_bytes(), read_at: 0 }).collect();
        let expected = vec![read("Medication", "a", true), read("Medication", "b", true)];
        assert_eq!(follow_up(Section::Medications, &context, &inputs), expected);
        assert_eq!(follow_up(Section::Problems, &context, &inputs), vec![]);
    }
}
