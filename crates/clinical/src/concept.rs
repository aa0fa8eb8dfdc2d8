//! Coded concepts: which name to show and which code to reckon with, by a rule that is told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    mapping::Rules,
    parse::{
        datatypes,
        primitives::{owned, text},
    },
};

/// One coding as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Coding {
    /// The code system's URI, as sent.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<Cow<'static, str>>,
    /// The code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// Its name, as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display: Option<String>,
    /// Whether a person chose this one in the EHR.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub user_selected: bool,
}

/// A system's URI without a copy of its own where it is one of those that most codings have.
pub(crate) fn shared(system: &str) -> Cow<'static, str> {
    const USUAL: &[&str] = &[
        "http://loinc.org",
        "http://snomed.info/sct",
        "http://unitsofmeasure.org",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "http://hl7.org/fhir/sid/cvx",
        "http://hl7.org/fhir/sid/ndc",
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
        "http://terminology.hl7.org/CodeSystem/condition-category",
        "http://terminology.hl7.org/CodeSystem/observation-category",
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    ];
    match USUAL.iter().find(|usual| **usual == system) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(system.to_owned()),
    }
}

impl From<&datatypes::Coding<'_>> for Coding {
    fn from(coding: &datatypes::Coding<'_>) -> Self {
        Self {
            system: text(&coding.system).map(shared),
            code: owned(&coding.code),
            display: owned(&coding.display),
            user_selected: coding.user_selected.unwrap_or(false),
        }
    }
}

/// Where the shown name was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameFrom {
    /// `text`: what the person who recorded it saw.
    Text,
    /// The display of the chosen coding.
    ChosenDisplay,
    /// The display of another coding, because the chosen one has none.
    OtherDisplay,
    /// The bare code: no name was sent.
    Code,
}

/// Why the code was chosen among several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeFrom {
    /// There is none.
    None,
    /// There is only one.
    Only,
    /// Its system is the standard one for this kind of entry.
    StandardSystem,
    /// It is the code by which the vital-signs profile knows the sign.
    VitalSign,
    /// A person chose it in the EHR.
    UserSelected,
    /// It came first.
    First,
}

/// A concept: what to show, what to reckon with, and everything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Concept {
    /// The name to show.
    pub name: String,
    /// Where the name was taken from.
    pub name_from: NameFrom,
    /// The chosen coding.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<Coding>,
    /// Why it was chosen.
    pub code_from: CodeFrom,
    /// All codings as sent.
    pub codings: Vec<Coding>,
}

/// For what a concept is wanted: decides which code system is the standard one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Condition,
    Medication,
    Substance,
    Measurement,
    Vaccine,
    Any,
}

impl Concept {
    /// The concept by the rule: the name is `text`, else the chosen coding's display, else any display, else the code;
    /// the code is the vital sign's, else the standard system's, else the one a person selected, else the first. `None`
    /// when nothing is left, codings that only say why there is no code not counted.
    pub(crate) fn choose(
        concept: &datatypes::CodeableConcept<'_>,
        wanted: Wanted,
        rules: Rules,
    ) -> Option<Self> {
        let real = |coding: &&datatypes::Coding<'_>| {
            crate::parse::absent_as_coding(coding).is_none()
                && (text(&coding.code).is_some() || text(&coding.display).is_some())
        };
        let mut codings: Vec<Coding> = Vec::with_capacity(concept.coding.len());
        codings.extend(concept.coding.iter().filter(real).map(Coding::from));
        let (code, code_from) = choose_code(&codings, wanted, rules);
        let chosen_display = code.and_then(|c| c.display.clone());
        let other_display = || codings.iter().find_map(|c| c.display.clone());
        let bare_code = || code.and_then(|c| c.code.clone());
        let (name, name_from) = owned(&concept.text)
            .map(|name| (name, NameFrom::Text))
            .or_else(|| chosen_display.map(|name| (name, NameFrom::ChosenDisplay)))
            .or_else(|| other_display().map(|name| (name, NameFrom::OtherDisplay)))
            .or_else(|| bare_code().map(|name| (name, NameFrom::Code)))?;
        let code = code.cloned();
        Some(Self { name, name_from, code, code_from, codings })
    }

    /// A concept of which only a name is known.
    pub(crate) fn from_name(name: String) -> Self {
        Self { name, name_from: NameFrom::Text, code: None, code_from: CodeFrom::None, codings: Vec::new() }
    }

    /// A concept of one coding (`Encounter.class`, `meta.security`).
    pub(crate) fn from_coding(coding: Coding) -> Option<Self> {
        let display = coding.display.clone().map(|d| (d, NameFrom::ChosenDisplay));
        let (name, name_from) = display.or_else(|| coding.code.clone().map(|c| (c, NameFrom::Code)))?;
        let codings = vec![coding.clone()];
        Some(Self { name, name_from, code: Some(coding), code_from: CodeFrom::Only, codings })
    }

    /// Whether any coding is this code, whatever its system (status codes are unique enough across their versions).
    pub fn has_code(&self, code: &str) -> bool {
        self.codings.iter().any(|c| c.code.as_deref() == Some(code))
    }

    /// How name and code were chosen, in a sentence.
    pub fn told(&self) -> String {
        let name = match self.name_from {
            NameFrom::Text => "The name is the EHR's own text",
            NameFrom::ChosenDisplay => "The name is that of the code",
            NameFrom::OtherDisplay => "The name is that of another coding, because the chosen one has none",
            NameFrom::Code => "No name was sent, so the code itself is shown",
        };
        let others = self.codings.len().saturating_sub(1);
        match self.code_from {
            CodeFrom::None => format!("{name}; no code was sent."),
            CodeFrom::Only => format!("{name}; one code was sent."),
            CodeFrom::StandardSystem => {
                format!("{name}; of {} codes the standard system's was chosen.", others + 1)
            }
            CodeFrom::VitalSign => {
                format!("{name}; of {} codes the vital-signs profile's was chosen.", others + 1)
            }
            CodeFrom::UserSelected => {
                format!("{name}; of {} codes the one selected in the EHR was chosen.", others + 1)
            }
            CodeFrom::First => format!("{name}; of {} codes the first was chosen.", others + 1),
        }
    }
}

fn choose_code(codings: &[Coding], wanted: Wanted, rules: Rules) -> (Option<&Coding>, CodeFrom) {
    let with_code = || codings.iter().filter(|c| c.code.is_some());
    if codings.len() <= 1 {
        let only = codings.first();
        return (only, if only.is_some() { CodeFrom::Only } else { CodeFrom::None });
    }
    if wanted == Wanted::Measurement
        && let Some(coding) = with_code().find(|c| rules.is_vital_sign(c))
    {
        return (Some(coding), CodeFrom::VitalSign);
    }
    for system in rules.standard_systems(wanted) {
        if let Some(coding) = with_code().find(|c| rules.is_of(c, system)) {
            return (Some(coding), CodeFrom::StandardSystem);
        }
    }
    if let Some(coding) = codings.iter().find(|c| c.user_selected) {
        return (Some(coding), CodeFrom::UserSelected);
    }
    (codings.first(), CodeFrom::First)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mapping;

    fn choose_by(mapping: Mapping, json: &str, wanted: Wanted) -> Option<Concept> {
        let concept: datatypes::CodeableConcept<'_> = serde_json::from_str(json).unwrap();
        Concept::choose(&concept, wanted, mapping.rules())
    }

    fn choose(json: &str, wanted: Wanted) -> Option<Concept> {
        choose_by(Mapping::V2026_1, json, wanted)
    }

    fn code(concept: &Concept) -> Option<&str> {
        concept.code.as_ref()?.code.as_deref()
    }

    #[test]
    fn the_standard_system_wins_over_local_and_user_selected_codes_and_the_text_names_it() {
        let json = r#"{"text":" Sugar ","coding":[
            {"system":"urn:oid:1.2.840.114350.1.13.0.1.7.4","code":"77","display":"local","userSelected":true},
            {"system":"http://snomed.info/sct","code":"44054006","display":"Type 2 diabetes"}]}"#;
        let concept = choose(json, Wanted::Condition).unwrap();
        assert_eq!(concept.name, "Sugar");
        assert_eq!(code(&concept), Some("44054006"));
        assert_eq!(
            concept.told(),
            "The name is the EHR's own text; of 2 codes the standard system's was chosen."
        );
    }

    #[test]
    fn since_2026_2_an_oid_is_as_good_as_a_uri_and_the_vital_signs_code_wins() {
        let by_oid = r#"{"coding":[{"system":"urn:oid:1.2.3","code":"x"},{"system":"urn:oid:2.16.840.1.113883.6.96","code":"44054006"}]}"#;
        let chosen = |mapping, json, wanted| choose_by(mapping, json, wanted).unwrap();
        let (old, new) = (Mapping::V2026_1, Mapping::V2026_2);
        assert_eq!(code(&chosen(old, by_oid, Wanted::Condition)), Some("x"));
        assert_eq!(code(&chosen(new, by_oid, Wanted::Condition)), Some("44054006"));
        let saturation = r#"{"coding":[{"system":"http://loinc.org","code":"59408-5"},{"system":"http://loinc.org","code":"2708-6"}]}"#;
        assert_eq!(code(&chosen(old, saturation, Wanted::Measurement)), Some("59408-5"));
        let new = chosen(new, saturation, Wanted::Measurement);
        assert_eq!((code(&new), new.code_from), (Some("2708-6"), CodeFrom::VitalSign));
    }

    #[test]
    fn without_a_standard_system_the_persons_choice_wins() {
        let json =
            r#"{"coding":[{"code":"a","display":"A"},{"code":"b","display":"B","userSelected":true}]}"#;
        let concept = choose(json, Wanted::Condition).unwrap();
        assert_eq!((concept.name.as_str(), concept.code_from), ("B", CodeFrom::UserSelected));
    }

    #[test]
    fn a_concept_without_name_or_code_is_none() {
        assert_eq!(choose("{}", Wanted::Any), None);
        assert_eq!(choose(r#"{"text":"  ","coding":[{"system":"x"}]}"#, Wanted::Any), None);
        let masked = r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"masked"}]}"#;
        assert_eq!(choose(masked, Wanted::Any), None);
    }
}
