//! Allergies and intolerances, the explicit "no known allergy" among them.

use serde_json::Value;

use super::{
    chart::Chart,
    clinic::REYES,
    code::{Code, RXNORM, SNOMED, concept, hl7, named},
    moment::{Moment, days_after},
    tree::tree,
};

struct Allergen {
    system: &'static str,
    code: Code,
    category: &'static str,
    kind: &'static str,
    criticality: &'static str,
    manifestation: Code,
    severity: &'static str,
}

/// RxNorm code of the allergen that rules amoxicillin out.
pub(super) const PENICILLIN_CODE: &str = "7980";
const PENICILLIN: Allergen = Allergen {
    system: RXNORM,
    code: (PENICILLIN_CODE, "penicillin G"),
    category: "medication",
    kind: "allergy",
    criticality: "high",
    manifestation: ("39579001", "Anaphylaxis"),
    severity: "severe",
};
const SULFA: Allergen = Allergen {
    system: RXNORM,
    code: ("10831", "sulfamethoxazole / trimethoprim"),
    category: "medication",
    kind: "allergy",
    criticality: "low",
    manifestation: ("271807003", "Eruption of skin"),
    severity: "moderate",
};
const CODEINE: Allergen = Allergen {
    system: RXNORM,
    code: ("2670", "codeine"),
    category: "medication",
    kind: "intolerance",
    criticality: "low",
    manifestation: ("422587007", "Nausea"),
    severity: "mild",
};
const PEANUT: Allergen = Allergen {
    system: SNOMED,
    code: ("762952008", "Peanut"),
    category: "food",
    kind: "allergy",
    criticality: "high",
    manifestation: ("126485001", "Urticaria"),
    severity: "severe",
};
const LATEX: Allergen = Allergen {
    system: SNOMED,
    code: ("111088007", "Latex"),
    category: "environment",
    kind: "allergy",
    criticality: "unable-to-assess",
    manifestation: ("40275004", "Contact dermatitis"),
    severity: "mild",
};
const POLLEN: Allergen = Allergen {
    system: SNOMED,
    code: ("256277009", "Grass pollen"),
    category: "environment",
    kind: "allergy",
    criticality: "low",
    manifestation: ("70076002", "Rhinitis"),
    severity: "mild",
};
const ALL: [&Allergen; 6] = [&PENICILLIN, &SULFA, &CODEINE, &PEANUT, &LATEX, &POLLEN];

/// Stores the allergy list: fixed for some of the cast, drawn for the others. One in seven charts was never asked.
pub(super) fn record(chart: &mut Chart<'_>) {
    let chosen: Vec<&Allergen> = match chart.person.number {
        1 => vec![&PENICILLIN, &LATEX],
        5 => vec![&SULFA, &CODEINE, &PENICILLIN],
        7 => vec![&PEANUT],
        2 | 12 => vec![&POLLEN],
        n if n % 7 == 1 => return,
        n if n % 2 == 1 => Vec::new(),
        _ => chart.pick(&ALL).copied().into_iter().collect(),
    };
    if chosen.is_empty() {
        none_known(chart);
    }
    for allergen in chosen {
        chart.allergic_to.push(allergen.code.0);
        store(chart, allergen);
    }
    if chart.person.number == 10 {
        mistaken(chart);
    }
}

fn noted(chart: &mut Chart<'_>) -> Moment {
    // Nobody knows an infant's allergies.
    let asked = chart.visits.iter().find(|visit| chart.age_on(visit.at.date) > 1.4);
    let visit = asked.map(|visit| visit.at.plus(6));
    visit.unwrap_or_else(|| Moment::at(days_after(chart.today(), -30), 9, 30))
}

fn store(chart: &mut Chart<'_>, allergen: &Allergen) {
    let at = noted(chart);
    let mut body = base(chart, at, "confirmed", Some("active"));
    if let Some(members) = body.as_object_mut() {
        members.insert("type".to_owned(), tree!(allergen.kind));
        members.insert("category".to_owned(), tree!([allergen.category]));
        members.insert("criticality".to_owned(), tree!(allergen.criticality));
        members.insert("code".to_owned(), concept(allergen.system, allergen.code));
        members.insert(
            "reaction".to_owned(),
            tree!([{ "manifestation": [concept(SNOMED, allergen.manifestation)], "severity": allergen.severity,
                     "description": format!("{} after exposure to {}", allergen.manifestation.1, allergen.code.1) }]),
        );
    }
    chart.put(&["us-core-allergyintolerance"], at, body);
}

fn none_known(chart: &mut Chart<'_>) {
    let at = noted(chart);
    let mut body = base(chart, at, "confirmed", Some("active"));
    if let Some(members) = body.as_object_mut() {
        members.insert("code".to_owned(), concept(SNOMED, ("716186003", "No known allergy")));
    }
    chart.put(&["us-core-allergyintolerance"], at, body);
}

fn mistaken(chart: &mut Chart<'_>) {
    let at = noted(chart).plus(3);
    let mut body = base(chart, at, "entered-in-error", None);
    if let Some(members) = body.as_object_mut() {
        members.insert("code".to_owned(), concept(RXNORM, ("1191", "aspirin")));
        members.insert("criticality".to_owned(), tree!("high"));
    }
    chart.put(&["us-core-allergyintolerance"], at, body);
}

fn base(chart: &mut Chart<'_>, at: Moment, verification: &str, clinical: Option<&str>) -> Value {
    let id = chart.next_id("alg");
    let capitalised = if verification == "confirmed" { "Confirmed" } else { "Entered in Error" };
    let mut body = tree!({
        "resourceType": "AllergyIntolerance",
        "id": id,
        "verificationStatus": hl7("allergyintolerance-verification", (verification, capitalised)),
        "patient": chart.subject(),
        "recordedDate": at.local(),
        "recorder": named("Practitioner", REYES.id, REYES.name),
    });
    if let (Some(clinical), Some(members)) = (clinical, body.as_object_mut()) {
        members.insert("clinicalStatus".to_owned(), hl7("allergyintolerance-clinical", (clinical, "Active")));
    }
    body
}
