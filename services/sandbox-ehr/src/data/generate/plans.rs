//! Care team, goals and care plan of patients with a chronic disease.

use serde_json::Value;

use super::{
    chart::Chart,
    clinic::{HADDAD, LINDQVIST, OKAFOR, REYES},
    code::{Code, SNOMED, UCUM, concept, hl7, named, reference},
    disease::Disease,
    moment::{Moment, days_after},
    tree::tree,
};

/// A goal: what is aimed at, its measure, and the bound.
struct Aim {
    disease: Disease,
    text: &'static str,
    measure: Code,
    high: (f64, &'static str, &'static str),
}

const AIMS: [Aim; 4] = [
    Aim {
        disease: Disease::Diabetes,
        text: "Hemoglobin A1c below 7.5 %",
        measure: ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
        high: (7.5, "%", "%"),
    },
    Aim {
        disease: Disease::Hypertension,
        text: "Systolic blood pressure below 130 mmHg",
        measure: ("8480-6", "Systolic blood pressure"),
        high: (130.0, "mmHg", "mm[Hg]"),
    },
    Aim {
        disease: Disease::Hyperlipidaemia,
        text: "LDL cholesterol below 100 mg/dL",
        measure: ("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
        high: (100.0, "mg/dL", "mg/dL"),
    },
    Aim {
        disease: Disease::Obesity,
        text: "Body mass index below 30",
        measure: ("39156-5", "Body mass index (BMI) [Ratio]"),
        high: (30.0, "kg/m2", "kg/m2"),
    },
];

/// Stores the care team of everybody, and goals and a plan where a disease asks for them.
pub(super) fn agree(chart: &mut Chart<'_>) {
    let start = days_after(chart.today(), -300).max(chart.person.birth);
    let at = Moment::at(start, 12, 5);
    let over = chart.person.death.is_some();
    team(chart, at, over);
    if chart.illnesses.is_empty() {
        return;
    }
    let mut goals = Vec::new();
    for aim in &AIMS {
        if chart.has(aim.disease) {
            goals.push(reference("Goal", &goal(chart, aim, at, over)));
        }
    }
    plan(chart, goals, at, over);
}

fn team(chart: &mut Chart<'_>, at: Moment, over: bool) {
    let mut members = Vec::new();
    let child = chart.age_on(chart.today()) < 18.0;
    let lead = if child { &LINDQVIST } else { &REYES };
    members.push((lead, ("446050000", "Primary care physician")));
    if chart.has(Disease::Diabetes) {
        members.push((&HADDAD, ("61894003", "Endocrinologist")));
    }
    if [Disease::Coronary, Disease::HeartFailure, Disease::Fibrillation].iter().any(|d| chart.has(*d)) {
        members.push((&OKAFOR, ("17561000", "Cardiologist")));
    }
    let participants: Vec<Value> = members
        .into_iter()
        .map(|(who, role)| tree!({ "role": [concept(SNOMED, role)], "member": named("Practitioner", who.id, who.name) }))
        .collect();
    let body = tree!({
        "resourceType": "CareTeam",
        "id": chart.next_id("team"),
        "status": if over { "inactive" } else { "active" },
        "name": "Care team",
        "subject": chart.subject(),
        "participant": participants,
    });
    chart.put(&["us-core-careteam"], at, body);
}

fn goal(chart: &mut Chart<'_>, aim: &Aim, at: Moment, over: bool) -> String {
    let id = chart.next_id("goal");
    let (value, unit, code) = aim.high;
    let due = days_after(at.date, 365);
    let mut body = tree!({
        "resourceType": "Goal",
        "id": &id,
        "lifecycleStatus": if over { "cancelled" } else { "active" },
        "description": { "text": aim.text },
        "subject": chart.subject(),
        "startDate": at.date.to_string(),
        "target": [{
            "measure": concept(super::code::LOINC, aim.measure),
            "detailQuantity": { "value": value, "comparator": "<", "unit": unit, "system": UCUM, "code": code },
            "dueDate": due.to_string(),
        }],
    });
    if let (Some(condition), Some(members)) = (chart.condition_of(aim.disease), body.as_object_mut()) {
        members.insert("addresses".to_owned(), tree!([reference("Condition", condition)]));
    }
    chart.put(&["us-core-goal"], at, body);
    id
}

fn plan(chart: &mut Chart<'_>, goals: Vec<Value>, at: Moment, over: bool) {
    // A diagnosis released by consent only is not named in a plan that every reader gets.
    let open: Vec<_> =
        chart.illnesses.iter().filter(|illness| !illness.disease.is_part2()).cloned().collect();
    let names: Vec<&str> = open.iter().map(|illness| illness.disease.snomed().1).collect();
    let addresses: Vec<Value> = open
        .iter()
        .filter_map(|illness| illness.condition.as_deref())
        .map(|id| reference("Condition", id))
        .collect();
    let items: String = names.iter().map(|name| format!("<li>{name}</li>")).collect();
    let mut body = tree!({
        "resourceType": "CarePlan",
        "id": chart.next_id("plan"),
        "status": if over { "completed" } else { "active" },
        "intent": "plan",
        "category": [{ "coding": [{ "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
                                    "code": "assess-plan", "display": "Assessment and Plan of Treatment" }] }],
        "title": "Plan of care",
        "text": { "status": "generated",
                  "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Plan of care for</p><ul>{items}</ul></div>") },
        "subject": chart.subject(),
        "period": { "start": at.date.to_string() },
        "addresses": addresses,
        "activity": [{ "detail": { "kind": "Appointment", "status": "scheduled",
                                   "code": hl7("service-type", ("124", "General Practice")),
                                   "description": "Regular review with the care team" } }],
    });
    if let Some(members) = body.as_object_mut()
        && !goals.is_empty()
    {
        members.insert("goal".to_owned(), Value::Array(goals));
    }
    chart.put(&["us-core-careplan"], at, body);
}
