//! Whose data a returned resource is: the check on the way out.
//!
//! Only references at the elements that say *whose* (see [`crate::params::Ownership`]) decide, and all of them must name
//! the launch's patient. What says nothing readable about whose it is, is not the patient's.

use sallyport_model::Patients;

use crate::{
    envelope::Envelope,
    params::{Ownership, TypeRule},
    reference::{Base, Reference},
    types::ResourceType,
};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to a patient of the context.
    Ours,
    /// It names another patient of this endpoint.
    Foreign,
    /// It is nobody's (Practitioner, Medication …): fine only if a checked resource refers to it.
    Shared,
    /// It belongs to what it is attached to (Provenance): fine only if that has been checked.
    Attached,
    /// It does not say whose it is in a way that can be verified, or its type is denied.
    Unverifiable,
}

/// Decides on one resource that came from the endpoint at `base`.
pub fn verdict(resource: &Envelope<'_>, patients: &Patients, base: &Base) -> Verdict {
    verdict_by(resource, &|id| patients.covers(id), base)
}

/// The same for patients that are known by a question: whether an id is one of them.
pub fn verdict_by(resource: &Envelope<'_>, patients: &impl Fn(&str) -> bool, base: &Base) -> Verdict {
    let Some(rule) = resource.resource_type.and_then(TypeRule::of) else { return Verdict::Unverifiable };
    let holds_a_patient = resource.contained.iter().any(|t| *t == Some(ResourceType::Patient) || t.is_none());
    let inside = subjects(resource.contained_references(), patients, base);
    if inside.foreign {
        return Verdict::Foreign;
    }
    let own = match rule.ownership {
        Ownership::Patient => match resource.id.as_deref() {
            Some(id) if patients(id) => Verdict::Ours,
            Some(_) => Verdict::Foreign,
            None => Verdict::Unverifiable,
        },
        Ownership::Owned(paths) => {
            let all = paths.iter().flat_map(|path| resource.references_at(path));
            let found = subjects(all, patients, base);
            match found {
                Subjects { foreign: true, .. } => Verdict::Foreign,
                Subjects { ours: true, other: false, .. } => Verdict::Ours,
                // People and things beside the patient are normal where several take part.
                Subjects { ours: true, .. } if paths.iter().any(|p| p.contains('.')) => Verdict::Ours,
                _ => Verdict::Unverifiable,
            }
        }
        Ownership::Attached(path) => {
            let found = subjects(resource.references_at(path), patients, base);
            match found {
                Subjects { foreign: true, .. } => Verdict::Foreign,
                Subjects { ours: true, .. } => Verdict::Ours,
                _ => Verdict::Attached,
            }
        }
        Ownership::Shared => Verdict::Shared,
    };
    match own {
        // A contained Patient has no id of its own and cannot be told apart from another person's data.
        Verdict::Ours | Verdict::Shared | Verdict::Attached if holds_a_patient => Verdict::Unverifiable,
        other => other,
    }
}

struct Subjects {
    ours: bool,
    foreign: bool,
    other: bool,
}

fn subjects<'a>(
    references: impl Iterator<Item = &'a str>,
    patients: &impl Fn(&str) -> bool,
    base: &Base,
) -> Subjects {
    let mut found = Subjects { ours: false, foreign: false, other: false };
    for text in references {
        match Reference::parse(text, base) {
            Reference::Local { resource_type: ResourceType::Patient, id } if patients(id) => {
                found.ours = true;
            }
            Reference::Local { resource_type: ResourceType::Patient, .. } => found.foreign = true,
            _ => found.other = true,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use sallyport_model::PatientId;

    use super::*;
    use crate::envelope::Limits;

    fn check_for(patients: &Patients, body: &str) -> Verdict {
        let base = Base::parse("https://e.example/fhir").unwrap();
        verdict(&Envelope::parse(body.as_bytes(), &Limits::default()).unwrap(), patients, &base)
    }

    fn check(body: &str) -> Verdict {
        check_for(&Patients::One(PatientId::parse("a").unwrap()), body)
    }

    #[test]
    fn the_patients_own_resources_pass() {
        for body in [
            r#"{"resourceType":"Patient","id":"a"}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/a"}}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"https://e.example/fhir/Patient/a/_history/1"}}"#,
            r#"{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"},"recorder":{"reference":"Patient/b"}}"#,
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Practitioner/x"}}]}"#,
            r#"{"resourceType":"Provenance","target":[{"reference":"Patient/a"}]}"#,
        ] {
            assert_eq!(check(body), Verdict::Ours, "{body}");
        }
    }

    #[test]
    fn another_patients_resources_are_foreign() {
        for body in [
            r#"{"resourceType":"Patient","id":"b"}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/b"}}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"Patient/a2"}}"#,
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Patient/b"}}]}"#,
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"contained":[{"resourceType":"Observation","subject":{"reference":"Patient/b"}}]}"#,
            r#"{"resourceType":"Provenance","target":[{"reference":"Patient/b"},{"reference":"Condition/c"}]}"#,
        ] {
            assert_eq!(check(body), Verdict::Foreign, "{body}");
        }
    }

    #[test]
    fn what_does_not_say_whose_it_is_does_not_pass() {
        for body in [
            r#"{"resourceType":"Patient"}"#,
            r#"{"resourceType":"Condition"}"#,
            r##"{"resourceType":"Condition","subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p"}]}"##,
            r#"{"resourceType":"Condition","subject":{"identifier":{"value":"a"}}}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"urn:uuid:1"}}"#,
            r#"{"resourceType":"Condition","subject":{"reference":"https://other.example/fhir/Patient/a"}}"#,
            r#"{"resourceType":"Observation","subject":{"reference":"Group/a"}}"#,
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"contained":[{"resourceType":"Patient"}]}"#,
            r#"{"resourceType":"Bundle"}"#,
            r#"{"resourceType":"Group","member":[{"entity":{"reference":"Patient/a"}}]}"#,
            r#"{}"#,
        ] {
            assert_eq!(check(body), Verdict::Unverifiable, "{body}");
        }
    }

    #[test]
    fn types_that_are_nobodys_need_a_reference_first() {
        assert_eq!(check(r#"{"resourceType":"Practitioner","id":"d"}"#), Verdict::Shared);
        assert_eq!(
            check(r#"{"resourceType":"Provenance","target":[{"reference":"Condition/c"}]}"#),
            Verdict::Attached
        );
    }

    #[test]
    fn without_a_patient_nothing_of_a_patient_passes() {
        let body = r#"{"resourceType":"Condition","subject":{"reference":"Patient/a"}}"#;
        assert_eq!(check_for(&Patients::None, body), Verdict::Foreign);
        assert_eq!(check_for(&Patients::Cohort(vec![]), body), Verdict::Foreign);
    }
}
