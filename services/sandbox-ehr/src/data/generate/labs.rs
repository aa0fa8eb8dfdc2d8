//! Laboratory results: which tests are drawn at which visits, what they show, and the reports over them.

mod analyte;
mod physiology;

use serde_json::Value;

use self::analyte::{
    ALBUMIN_RATIO, Analyte, CHEMISTRY, COUNT, EGFR, FERRITIN, GLYCATED, INR, LIPIDS, NATRIURETIC, TSH, URATE,
};
use super::{
    cast::Sex,
    chart::Chart,
    clinic::HOSPITAL,
    code::{Code, LOINC, SNOMED, coding, concept, hl7, named, number, quantity, reference, round},
    disease::Disease,
    tree::tree,
    visits::{Kind, Visit},
};

/// A set of tests ordered together.
struct Panel {
    code: Code,
    tests: Vec<&'static Analyte>,
}

/// Stores the results of every blood draw.
pub(super) fn draw(chart: &mut Chart<'_>) {
    let norms = physiology::Norms::of(chart);
    for visit in chart.visits.clone() {
        // Of the visit under way nothing has come back from the laboratory yet.
        if visit.is_open {
            continue;
        }
        if chart.age_on(visit.at.date) < 18.0 {
            if visit.kind == Kind::Wellness && chart.age_on(visit.at.date) > 0.9 && chart.chance(0.3) {
                report(chart, &norms, &visit, &Panel { code: CBC, tests: COUNT.to_vec() });
            }
            continue;
        }
        for panel in ordered(chart, &visit) {
            report(chart, &norms, &visit, &panel);
        }
        for test in alone(chart, &visit) {
            result(chart, &norms, &visit, test);
        }
        if visit.kind == Kind::Emergency {
            swab(chart, &visit);
        }
    }
    unusual(chart);
}

const CBC: Code = ("58410-2", "CBC panel - Blood by Automated count");
const CHEM: Code = ("24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma");
const LIPID: Code = ("24331-1", "Lipid 1996 panel - Serum or Plasma");

fn ordered(chart: &Chart<'_>, visit: &Visit) -> Vec<Panel> {
    let chem = || Panel { code: CHEM, tests: CHEMISTRY.to_vec() };
    let count = || Panel { code: CBC, tests: COUNT.to_vec() };
    let lipid = || Panel { code: LIPID, tests: LIPIDS.to_vec() };
    let chronic = !chart.illnesses.is_empty();
    match visit.kind {
        // Nobody draws lipids from a healthy person of twenty-four.
        Kind::Wellness if !chronic && chart.age_on(visit.at.date) < 30.0 => vec![count()],
        Kind::Wellness => vec![chem(), count(), lipid()],
        Kind::FollowUp if chart.has(Disease::IronDeficiency) => vec![count()],
        Kind::FollowUp
            if [Disease::Diabetes, Disease::Kidney, Disease::HeartFailure, Disease::Hypertension]
                .iter()
                .any(|d| chart.has(*d)) =>
        {
            vec![chem()]
        }
        Kind::Inpatient => vec![chem(), count()],
        _ => Vec::new(),
    }
}

fn alone(chart: &Chart<'_>, visit: &Visit) -> Vec<&'static Analyte> {
    if matches!(visit.kind, Kind::Telehealth | Kind::Emergency | Kind::Acute) {
        return Vec::new();
    }
    let yearly = visit.kind == Kind::Wellness;
    let mut tests = Vec::new();
    if chart.has(Disease::Diabetes) || (yearly && chart.has(Disease::Prediabetes)) {
        tests.push(&GLYCATED);
    }
    if yearly && (chart.has(Disease::Diabetes) || chart.has(Disease::Kidney)) {
        tests.push(&ALBUMIN_RATIO);
    }
    let pairs = [
        (Disease::Hypothyroidism, &TSH),
        (Disease::IronDeficiency, &FERRITIN),
        (Disease::HeartFailure, &NATRIURETIC),
        (Disease::Gout, &URATE),
    ];
    tests.extend(pairs.iter().filter(|(disease, _)| chart.has(*disease)).map(|(_, test)| *test));
    if chart.person.number == 14 {
        tests.push(&INR);
    }
    tests
}

fn report(chart: &mut Chart<'_>, norms: &physiology::Norms, visit: &Visit, panel: &Panel) {
    let mut results = Vec::new();
    for test in &panel.tests {
        if let Some(id) = result(chart, norms, visit, test) {
            results.push(reference("Observation", &id));
        }
    }
    let issued = visit.at.plus(60 * 7);
    let body = tree!({
        "resourceType": "DiagnosticReport",
        "id": chart.next_id("rep"),
        "status": "final",
        "category": [hl7("v2-0074", ("LAB", "Laboratory"))],
        "code": concept(LOINC, panel.code),
        "subject": chart.subject(),
        "encounter": reference("Encounter", &visit.id),
        "effectiveDateTime": visit.at.plus(15).local(),
        "issued": issued.instant(),
        "performer": [named("Organization", "org-harborlight", HOSPITAL)],
        "result": results,
    });
    chart.put(&["us-core-diagnosticreport-lab"], issued, body);
}

/// Stores one result; none where the test makes no sense.
fn result(
    chart: &mut Chart<'_>,
    norms: &physiology::Norms,
    visit: &Visit,
    test: &'static Analyte,
) -> Option<String> {
    let value = norms.value(chart, test, visit)?;
    let (low, high) = match chart.person.sex {
        _ if chart.age_on(visit.at.date) < 12.0 => test.child.unwrap_or(test.female),
        Sex::Female => test.female,
        Sex::Male => test.male,
    };
    let mut body = base(chart, visit, test.code);
    let id = body.get("id")?.as_str()?.to_owned();
    let members = body.as_object_mut()?;
    // A laboratory that cannot say more than "above the range it measures".
    if test.code == EGFR.code && value > 90.0 {
        let mut capped = quantity(90.0, 0, test.unit.0, test.unit.1);
        if let Some(parts) = capped.as_object_mut() {
            parts.insert("comparator".to_owned(), tree!(">"));
        }
        members.insert("valueQuantity".to_owned(), capped);
    } else {
        members.insert("valueQuantity".to_owned(), quantity(value, test.decimals, test.unit.0, test.unit.1));
    }
    members.insert("referenceRange".to_owned(), tree!([range(test, low, high)]));
    members.insert(
        "interpretation".to_owned(),
        tree!([interpret(round(value, test.decimals), low, high, test)]),
    );
    chart.put(&["us-core-observation-lab"], visit.at.plus(60 * 7), body);
    Some(id)
}

fn range(test: &Analyte, low: Option<f64>, high: Option<f64>) -> Value {
    let bound = |value: f64| quantity(value, test.decimals, test.unit.0, test.unit.1);
    let text = |value: f64| number(value, test.decimals);
    match (low, high) {
        (Some(low), Some(high)) => {
            tree!({ "low": bound(low), "high": bound(high), "text": format!("{}-{} {}", text(low), text(high), test.unit.0) })
        }
        (Some(low), None) => {
            tree!({ "low": bound(low), "text": format!(">= {} {}", text(low), test.unit.0) })
        }
        (None, Some(high)) => {
            tree!({ "high": bound(high), "text": format!("<= {} {}", text(high), test.unit.0) })
        }
        (None, None) => tree!({ "text": "no range given" }),
    }
}

fn interpret(value: f64, low: Option<f64>, high: Option<f64>, test: &Analyte) -> Value {
    let code = match (low, high) {
        _ if test.critical.0.is_some_and(|limit| value < limit) => ("LL", "Critical low"),
        _ if test.critical.1.is_some_and(|limit| value > limit) => ("HH", "Critical high"),
        (Some(low), _) if value < low => ("L", "Low"),
        (_, Some(high)) if value > high => ("H", "High"),
        _ => ("N", "Normal"),
    };
    hl7("v3-ObservationInterpretation", code)
}

/// A swab in the emergency department: a coded result without a number.
fn swab(chart: &mut Chart<'_>, visit: &Visit) {
    let code = (
        "94500-6",
        "SARS-CoV-2 (COVID-19) RNA [Presence] in Respiratory system specimen by NAA with probe detection",
    );
    let mut body = base(chart, visit, code);
    if let Some(members) = body.as_object_mut() {
        members.insert("valueCodeableConcept".to_owned(), concept(SNOMED, ("260415000", "Not detected")));
    }
    chart.put(&["us-core-observation-lab"], visit.at.plus(120), body);
}

/// Results that are no number: a text, a sample that was lost, a result since withdrawn, one awaited.
fn unusual(chart: &mut Chart<'_>) {
    let Some(visit) = chart.visits.iter().rev().find(|v| v.kind == Kind::Wellness && !v.is_open).cloned()
    else {
        return;
    };
    if chart.age_on(visit.at.date) < 18.0 {
        return;
    }
    let (code, member, value, status) = match chart.person.number % 5 {
        0 => (("5778-6", "Color of Urine"), "valueString", tree!("Yellow, slightly cloudy"), "final"),
        1 => (
            ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"),
            "dataAbsentReason",
            hl7("data-absent-reason", ("error", "Error")),
            "final",
        ),
        2 => (
            ("600-7", "Bacteria identified in Blood by Culture"),
            "valueString",
            tree!("No growth after 5 days"),
            "final",
        ),
        3 => (
            ("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
            "valueQuantity",
            quantity(7.9, 1, "mmol/L", "mmol/L"),
            // A haemolysed sample: withdrawn, and not to be shown as a critical value.
            "entered-in-error",
        ),
        _ => (
            ("1989-3", "25-hydroxyvitamin D3 [Mass/volume] in Serum or Plasma"),
            "dataAbsentReason",
            hl7("data-absent-reason", ("temp-unknown", "Temporarily Unknown")),
            "registered",
        ),
    };
    let mut body = base(chart, &visit, code);
    if let Some(members) = body.as_object_mut() {
        members.insert("status".to_owned(), tree!(status));
        members.insert(member.to_owned(), value);
        if status == "entered-in-error" {
            members.insert("note".to_owned(), tree!([{ "text": "Sample hemolysed, result withdrawn" }]));
        }
    }
    chart.put(&["us-core-observation-lab"], visit.at.plus(60 * 9), body);
}

fn base(chart: &mut Chart<'_>, visit: &Visit, code: Code) -> Value {
    tree!({
        "resourceType": "Observation",
        "id": chart.next_id("lab"),
        "status": "final",
        "category": [hl7("observation-category", ("laboratory", "Laboratory"))],
        "code": { "coding": [coding(LOINC, code)], "text": code.1 },
        "subject": chart.subject(),
        "encounter": reference("Encounter", &visit.id),
        "effectiveDateTime": visit.at.plus(15).local(),
        "issued": visit.at.plus(60 * 7).instant(),
        "performer": [named("Organization", "org-harborlight", HOSPITAL)],
    })
}
