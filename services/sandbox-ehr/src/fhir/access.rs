//! What the bearer of a token may see: the one place where scopes meet resources.
//!
//! `patient/` scopes reach the token's patient alone, and without a patient they reach nothing. Types that
//! belong to no patient (Practitioner, Medication …) are open to whoever has a scope for them.

use serde_json::Value;

use super::{
    matching::Clause,
    query::clause,
    scope::{Interaction, Level, Scope},
};
use crate::{data::Record, state::TokenInfo};

/// Types that lie outside every patient's compartment.
const SHARED: [&str; 9] = [
    "Medication",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "Endpoint",
    "Questionnaire",
    "ValueSet",
];

/// What a token allows with one type.
#[derive(Debug)]
pub(crate) struct Access {
    is_shared: bool,
    grants: Vec<Grant>,
}

#[derive(Debug)]
struct Grant {
    /// The one patient whose records are reached; none for `user/` and `system/`.
    patient: Option<String>,
    constraint: Vec<Clause>,
}

impl Access {
    /// What the token allows; none where it allows nothing.
    pub(crate) fn of(token: &TokenInfo, base: &str, kind: &str, interaction: Interaction) -> Option<Self> {
        let scopes = token.scopes.iter().filter_map(|text| Scope::parse(text));
        let covering = scopes.filter(|scope| scope.covers(kind, interaction));
        let grants: Vec<Grant> = covering.filter_map(|scope| grant(token, base, kind, &scope)).collect();
        (!grants.is_empty()).then(|| Self { is_shared: SHARED.contains(&kind), grants })
    }

    /// Whether one version of a resource may be seen.
    pub(crate) fn allows(&self, record: &Record, body: &Value) -> bool {
        self.allows_of(record.patients(), body)
    }

    /// The same for a resource of these patients that is not stored yet.
    pub(crate) fn allows_of(&self, patients: &[String], body: &Value) -> bool {
        self.grants.iter().any(|grant| {
            let reached = match &grant.patient {
                None => true,
                Some(_) if self.is_shared => true,
                Some(patient) => patients.contains(patient),
            };
            reached && grant.constraint.iter().all(|clause| clause.holds(body, 0))
        })
    }

    /// The only patient that can be reached, if it is one.
    pub(crate) fn only_patient(&self) -> Option<&str> {
        if self.is_shared {
            return None;
        }
        let mut patients = self.grants.iter().map(|grant| grant.patient.as_deref());
        let first = patients.next().flatten()?;
        patients.all(|patient| patient == Some(first)).then_some(first)
    }
}

fn grant(token: &TokenInfo, base: &str, kind: &str, scope: &Scope) -> Option<Grant> {
    let patient = match scope.level {
        // A patient grant without patient is bound to nobody.
        Level::Patient => Some(token.patient.clone()?),
        Level::User | Level::System => None,
    };
    // A constraint that cannot be read cannot be kept: the scope grants nothing.
    let constraint = scope.constraint.iter().map(|(name, value)| clause(kind, base, name, value).ok());
    Some(Grant { patient, constraint: constraint.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::Records;

    fn token(scopes: &[&str], patient: Option<&str>) -> TokenInfo {
        TokenInfo {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            patient: patient.map(str::to_owned),
            encounter: None,
            user: None,
            client_id: "app".to_owned(),
        }
    }

    fn allows(token: &TokenInfo, kind: &str, id: &str) -> bool {
        let mut records = Records::default();
        let lab = json!([{"coding": [{"system": "c", "code": "laboratory"}]}]);
        for body in [
            json!({"resourceType": "Observation", "id": "lab", "category": lab, "subject": {"reference": "Patient/p1"}}),
            json!({"resourceType": "Observation", "id": "vital", "subject": {"reference": "Patient/p1"}}),
            json!({"resourceType": "Observation", "id": "other", "subject": {"reference": "Patient/p2"}}),
            json!({"resourceType": "Observation", "id": "group", "subject": {"reference": "Group/g"}}),
            json!({"resourceType": "Practitioner", "id": "doc"}),
            json!({"resourceType": "Binary", "id": "loose"}),
        ] {
            records.insert(body).unwrap();
        }
        let record = records.record(kind, id).unwrap();
        let access = Access::of(token, "http://b", kind, Interaction::Read);
        access.is_some_and(|access| access.allows(record, record.current().unwrap()))
    }

    #[test]
    fn patient_scopes_reach_the_patient_in_context_and_nobody_else() {
        let token = token(&["patient/*.rs"], Some("p1"));
        assert!(allows(&token, "Observation", "lab"));
        assert!(!allows(&token, "Observation", "other") && !allows(&token, "Observation", "group"));
        assert!(allows(&token, "Practitioner", "doc"), "shared types are open");
        assert!(!allows(&token, "Binary", "loose"), "bytes without a patient are nobody's");
    }

    #[test]
    fn patient_scopes_without_a_patient_reach_nothing() {
        assert!(!allows(&token(&["patient/*.rs"], None), "Observation", "lab"));
    }

    #[test]
    fn user_scopes_reach_everybody() {
        assert!(allows(&token(&["user/Observation.r"], Some("p1")), "Observation", "other"));
    }

    #[test]
    fn a_constrained_scope_reaches_what_conforms() {
        let token = token(&["patient/Observation.rs?category=c|laboratory"], Some("p1"));
        assert!(allows(&token, "Observation", "lab"));
        assert!(!allows(&token, "Observation", "vital"));
    }

    #[test]
    fn a_constraint_that_cannot_be_read_grants_nothing() {
        assert!(!allows(&token(&["patient/Observation.rs?shoe-size=44"], Some("p1")), "Observation", "lab"));
    }

    #[test]
    fn the_only_patient_is_known_unless_a_wider_scope_is_there() {
        let of = |scopes: &[&str]| {
            let access =
                Access::of(&token(scopes, Some("p1")), "b", "Observation", Interaction::Search).unwrap();
            access.only_patient().map(str::to_owned)
        };
        assert_eq!(of(&["patient/*.rs"]).as_deref(), Some("p1"));
        assert_eq!(of(&["patient/*.rs", "user/*.rs"]), None);
    }
}
