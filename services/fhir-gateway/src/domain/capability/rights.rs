//! What an endpoint offers in effect: what its profile and overrides say (the contract), what its statement says, what its
//! answers have shown. A call that one of the three rules out is refused before the EHR is troubled.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_clinical::FhirVersion;
use sallyport_fhir::{ResourceType, params::TypeRule};
use sallyport_model::scope::Verb;

use super::snapshot::{Area, Snapshot};

/// By type: interactions, and parameters where any are named.
type Stated = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

/// What statement and answers say of one endpoint. Nothing is ruled out as long as nobody has looked.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    stated: Option<Stated>,
    /// `Type interaction` that was refused whenever it was asked.
    refused: BTreeSet<String>,
    /// As the statement has it.
    pub(crate) fhir_version: Option<FhirVersion>,
}

impl Rights {
    /// What a snapshot says.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut rights = Self::default();
        if let Some(facts) = snapshot.area(Area::Statement) {
            let mut stated = Stated::new();
            for (subject, value) in facts {
                match subject.split_once(' ') {
                    None if subject == "fhirVersion" => {
                        rights.fhir_version = FhirVersion::from_statement(value).ok();
                    }
                    None | Some(("operation", _)) => {}
                    Some((kind, what)) => {
                        let (interactions, params) = stated.entry(kind.to_owned()).or_default();
                        match what.strip_prefix('?') {
                            Some(param) => params.insert(param.to_owned()),
                            None => interactions.insert(what.to_owned()),
                        };
                    }
                }
            }
            // A statement without any interaction says nothing rather than no.
            rights.stated = stated.values().any(|(all, _)| !all.is_empty()).then_some(stated);
        }
        if let Some(facts) = snapshot.area(Area::Answers) {
            let refused = facts.iter().filter(|(_, state)| *state == "refused");
            rights.refused = refused.map(|(subject, _)| subject.clone()).collect();
        }
        rights
    }

    /// Whether a type is offered for that. `binding`: the endpoint's statement is believed when it leaves something out.
    pub(crate) fn offers(&self, resource_type: ResourceType, verb: Verb, binding: bool) -> bool {
        let Some(interaction) = interaction(verb) else { return true };
        let name = resource_type.as_str();
        let is_stated = self.stated.as_ref().is_none_or(|stated| {
            stated.get(name).is_some_and(|(interactions, _)| interactions.contains(interaction))
        });
        (is_stated || !binding) && !self.refused.contains(&format!("{name} {interaction}"))
    }

    /// Whether a search may carry that parameter.
    pub(crate) fn takes(&self, resource_type: ResourceType, param: &str, binding: bool) -> bool {
        let is_general = param.starts_with('_');
        let names_patient = TypeRule::of(resource_type).is_some_and(|rule| rule.names_patient(param));
        let params = self.stated.as_ref().and_then(|stated| stated.get(resource_type.as_str()));
        let is_stated = params.is_none_or(|(_, params)| params.is_empty() || params.contains(param));
        is_stated || !binding || is_general || names_patient
    }
}

/// The statement's word for what is asked.
pub(crate) fn interaction(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::Read => Some("read"),
        Verb::Search => Some("search-type"),
        Verb::Create | Verb::Update | Verb::Delete => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(statement: &[(&str, &str)], answers: &[(&str, &str)]) -> Rights {
        let facts =
            |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Rights::of(&Snapshot([(Area::Statement, facts(statement)), (Area::Answers, facts(answers))].into()))
    }

    const CONDITION: ResourceType = ResourceType::Condition;

    #[test]
    fn nothing_is_ruled_out_while_nobody_has_looked() {
        for rights in [Rights::default(), rights(&[("fhirVersion", "4.0.1"), ("software", "x")], &[])] {
            assert!(rights.offers(CONDITION, Verb::Search, true) && rights.takes(CONDITION, "code", true));
        }
    }

    #[test]
    fn what_the_statement_leaves_out_is_not_offered_where_it_binds() {
        let rights = rights(
            &[
                ("fhirVersion", "4.0.1"),
                ("Condition read", ""),
                ("Goal search-type", ""),
                ("Goal ?patient", ""),
            ],
            &[],
        );
        assert_eq!(rights.fhir_version, Some(FhirVersion::R4));
        assert!(rights.offers(CONDITION, Verb::Read, true));
        assert!(
            !rights.offers(CONDITION, Verb::Search, true) && rights.offers(CONDITION, Verb::Search, false)
        );
        assert!(!rights.offers(ResourceType::Observation, Verb::Read, true));
        assert!(rights.takes(CONDITION, "code", true), "it names no parameters of the type");
        assert!(!rights.takes(ResourceType::Goal, "category", true));
        for always in ["patient", "_id", "_count"] {
            assert!(rights.takes(ResourceType::Goal, always, true), "{always}");
        }
    }

    #[test]
    fn what_answers_have_shown_counts_whatever_the_statement_says() {
        let stated = [("Condition read", ""), ("Condition search-type", "")];
        let rights = rights(&stated, &[("Condition search-type", "refused"), ("Condition read", "answered")]);
        assert!(!rights.offers(CONDITION, Verb::Search, false));
        assert!(rights.offers(CONDITION, Verb::Read, true));
    }
}
