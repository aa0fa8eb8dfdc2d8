//! Vital signs at each visit where somebody was in the room.

use serde_json::Value;

use super::{
    cast::Sex,
    chart::Chart,
    code::{Code, LOINC, UCUM, coding, hl7, named, number, reference, round},
    disease::Disease,
    moment::years_between,
    tree::tree,
    visits::{Kind, Visit},
};

/// A vital sign of one number: profile, code, unit text, UCUM code, decimals.
struct Sign(&'static str, Code, &'static str, &'static str, i32);

const HEART_RATE: Sign = Sign("us-core-heart-rate", ("8867-4", "Heart rate"), "beats/minute", "/min", 0);
const RESPIRATION: Sign =
    Sign("us-core-respiratory-rate", ("9279-1", "Respiratory rate"), "breaths/minute", "/min", 0);
const TEMPERATURE: Sign = Sign("us-core-body-temperature", ("8310-5", "Body temperature"), "°C", "Cel", 1);
const HEIGHT: Sign = Sign("us-core-body-height", ("8302-2", "Body height"), "cm", "cm", 1);
const WEIGHT: Sign = Sign("us-core-body-weight", ("29463-7", "Body weight"), "kg", "kg", 1);
const BMI: Sign = Sign("us-core-bmi", ("39156-5", "Body mass index (BMI) [Ratio]"), "kg/m2", "kg/m2", 1);

/// What does not change from visit to visit.
struct Body {
    height: f64,
    bmi: f64,
    systolic: f64,
    pulse: f64,
}

/// Stores the vital signs of every visit.
pub(super) fn measure(chart: &mut Chart<'_>) {
    let body = constitution(chart);
    for visit in chart.visits.clone() {
        if visit.kind != Kind::Telehealth {
            at_visit(chart, &body, &visit);
        }
    }
}

fn constitution(chart: &mut Chart<'_>) -> Body {
    let height = match chart.person.sex {
        Sex::Female => chart.near(163.0, 4.0),
        Sex::Male => chart.near(177.0, 4.0),
    };
    let bmi = if chart.has(Disease::Obesity) {
        chart.near(34.5, 1.0)
    } else if chart.has(Disease::Diabetes) {
        chart.near(29.0, 1.0)
    } else if chart.has(Disease::Alzheimer) || chart.has(Disease::Copd) {
        chart.near(21.5, 0.7)
    } else {
        chart.near(24.0, 1.2)
    };
    Body { height, bmi, systolic: chart.near(116.0, 4.0), pulse: chart.near(71.0, 4.0) }
}

fn at_visit(chart: &mut Chart<'_>, body: &Body, visit: &Visit) {
    let age = chart.age_on(visit.at.date);
    let has = |disease| chart.years_with(disease, visit.at.date).is_some();
    let (copd, failing, fibrillating) =
        (has(Disease::Copd), has(Disease::HeartFailure), has(Disease::Fibrillation));
    let is_ill = matches!(visit.kind, Kind::Acute | Kind::Emergency | Kind::Inpatient);

    let (height, weight) = stature(chart, body, visit, age);
    single(chart, visit, &HEIGHT, height);
    single(chart, visit, &WEIGHT, weight);
    if age >= 2.0 {
        let metres = round(height, 1) / 100.0;
        single(chart, visit, &BMI, round(weight, 1) / (metres * metres));
    }
    let fever = if is_ill && chart.chance(0.4) { 1.3 } else { 0.0 };
    let temperature = chart.near(36.7, 0.12) + fever;
    single(chart, visit, &TEMPERATURE, temperature);
    let resting =
        if age < 18.0 { child_pulse(age) } else { body.pulse + if fibrillating { 12.0 } else { 0.0 } };
    let pulse = chart.near(resting + fever * 8.0, 3.0);
    single(chart, visit, &HEART_RATE, pulse);
    let breaths = if age < 18.0 {
        (38.0 - age * 2.4).max(17.0)
    } else {
        15.0 + if copd || failing { 4.0 } else { 0.0 }
    };
    let breaths = chart.near(breaths, 0.7);
    single(chart, visit, &RESPIRATION, breaths);
    let mut saturation = if copd {
        91.5
    } else if failing {
        94.5
    } else {
        98.0
    };
    if visit.kind == Kind::Inpatient {
        saturation -= 3.0;
    }
    let saturation = chart.near(saturation, 0.5).min(100.0);
    oximetry(chart, visit, saturation);
    if age >= 3.0 {
        let (systolic, diastolic) = pressure(chart, body, visit, age);
        blood_pressure(chart, visit, systolic, diastolic);
    }
}

/// Height and weight: a growth curve for children, a slow drift for adults.
fn stature(chart: &mut Chart<'_>, body: &Body, visit: &Visit, age: f64) -> (f64, f64) {
    if age < 18.0 {
        let share = body.bmi / 24.0;
        return (
            chart.near(child_height(age), 0.2),
            chart.near(child_weight(age) * share.clamp(0.9, 1.1), 0.05),
        );
    }
    let back = years_between(visit.at.date, chart.today());
    let shrinking = if age > 70.0 { (age - 70.0) * 0.12 } else { 0.0 };
    let height = body.height - shrinking;
    let metres = height / 100.0;
    // Weight drifts up with the years, and down in dementia and in the last months of heart failure.
    let wasting = chart.has(Disease::Alzheimer) || chart.person.death.is_some();
    let drift = if wasting { back * 0.9 } else { back * -0.4 };
    let water = if visit.kind == Kind::Inpatient && chart.has(Disease::HeartFailure) { 3.5 } else { 0.0 };
    (height, chart.near(body.bmi * metres * metres + drift + water, 0.3))
}

/// Approximate medians; straight lines between them.
const GROWTH: [(f64, f64, f64); 12] = [
    (0.0, 50.0, 3.4),
    (0.25, 60.0, 6.0),
    (0.5, 66.5, 7.6),
    (1.0, 75.0, 9.5),
    (2.0, 87.0, 12.3),
    (4.0, 102.5, 16.4),
    (6.0, 115.5, 20.6),
    (8.0, 127.5, 25.5),
    (10.0, 138.0, 32.0),
    (12.0, 149.5, 40.5),
    (15.0, 166.0, 55.0),
    (18.0, 171.0, 63.0),
];

fn child_height(age: f64) -> f64 {
    between(age, |row| row.1)
}

fn child_weight(age: f64) -> f64 {
    between(age, |row| row.2)
}

fn between(age: f64, value: impl Fn(&(f64, f64, f64)) -> f64) -> f64 {
    let steps = GROWTH.iter().zip(GROWTH.iter().skip(1));
    let step = steps.into_iter().find(|(_, upper)| age <= upper.0);
    step.map_or(0.0, |(lower, upper)| {
        let share = (age - lower.0) / (upper.0 - lower.0);
        value(lower) + share * (value(upper) - value(lower))
    })
}

fn child_pulse(age: f64) -> f64 {
    (135.0 - age * 7.0).max(78.0)
}

/// High at the time of diagnosis, near target within a year of treatment.
fn pressure(chart: &mut Chart<'_>, body: &Body, visit: &Visit, age: f64) -> (f64, f64) {
    if age < 18.0 {
        return (chart.near(88.0 + age * 1.9, 2.0), chart.near(52.0 + age * 0.9, 2.0));
    }
    let stiffening = (age - 40.0).max(0.0) * 0.25;
    let raised = match chart.years_with(Disease::Hypertension, visit.at.date) {
        Some(years) if years < 1.0 => 30.0 - years * 18.0,
        Some(_) => 12.0,
        None => 0.0,
    };
    let failing = if chart.has(Disease::HeartFailure) { -14.0 } else { 0.0 };
    let systolic = chart.near(body.systolic + stiffening + raised + failing, 4.0);
    let diastolic = chart.near(44.0 + systolic * 0.27, 2.0);
    (systolic, diastolic.min(systolic - 28.0))
}

fn single(chart: &mut Chart<'_>, visit: &Visit, sign: &Sign, value: f64) {
    let mut body = base(chart, visit, sign.1);
    if let Some(members) = body.as_object_mut() {
        members.insert("valueQuantity".to_owned(), measured(value, sign.4, sign.2, sign.3));
    }
    chart.put(&[sign.0], visit.at.plus(8), body);
}

fn oximetry(chart: &mut Chart<'_>, visit: &Visit, value: f64) {
    let mut body = base(chart, visit, ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"));
    if let Some(members) = body.as_object_mut() {
        let both = tree!({ "coding": [
            coding(LOINC, ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry")),
            coding(LOINC, ("2708-6", "Oxygen saturation in Arterial blood")) ], "text": "Oxygen saturation" });
        members.insert("code".to_owned(), both);
        members.insert("valueQuantity".to_owned(), measured(value, 0, "%", "%"));
    }
    chart.put(&["us-core-pulse-oximetry"], visit.at.plus(8), body);
}

fn blood_pressure(chart: &mut Chart<'_>, visit: &Visit, systolic: f64, diastolic: f64) {
    let mut body = base(chart, visit, ("85354-9", "Blood pressure panel with all children optional"));
    let refused = visit.kind == Kind::Emergency && chart.chance(0.3);
    let part = |code: Code, value: f64| {
        if refused {
            let absent = hl7("data-absent-reason", ("asked-declined", "Asked But Declined"));
            tree!({ "code": { "coding": [coding(LOINC, code)] }, "dataAbsentReason": absent })
        } else {
            tree!({ "code": { "coding": [coding(LOINC, code)] }, "valueQuantity": measured(value, 0, "mmHg", "mm[Hg]") })
        }
    };
    if let Some(members) = body.as_object_mut() {
        let parts = tree!([
            part(("8480-6", "Systolic blood pressure"), systolic),
            part(("8462-4", "Diastolic blood pressure"), diastolic),
        ]);
        members.insert("component".to_owned(), parts);
    }
    chart.put(&["us-core-blood-pressure"], visit.at.plus(8), body);
}

fn measured(value: f64, decimals: i32, unit: &str, ucum: &str) -> Value {
    tree!({ "value": number(value, decimals), "unit": unit, "system": UCUM, "code": ucum })
}

fn base(chart: &mut Chart<'_>, visit: &Visit, code: Code) -> Value {
    tree!({
        "resourceType": "Observation",
        "id": chart.next_id("vital"),
        "status": "final",
        "category": [hl7("observation-category", ("vital-signs", "Vital Signs"))],
        "code": { "coding": [coding(LOINC, code)], "text": code.1 },
        "subject": chart.subject(),
        "encounter": reference("Encounter", &visit.id),
        "effectiveDateTime": visit.at.plus(5).local(),
        "performer": [named("Practitioner", visit.clinician.id, visit.clinician.name)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_follows_the_medians_and_never_stops_before_eighteen() {
        assert!((child_weight(0.0) - 3.4).abs() < 0.01);
        assert!((child_height(7.0) - 121.5).abs() < 0.1);
        assert!(child_height(17.0) > child_height(16.0));
    }
}
