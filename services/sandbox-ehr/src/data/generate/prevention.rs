//! Immunizations, procedures and smoking status.

use jiff::civil::Date;
use serde_json::Value;

use super::{
    CHART_DATE,
    cast::{Sex, Tobacco},
    chart::Chart,
    clinic::{LINDQVIST, OKAFOR, REYES},
    code::{CVX, Code, LOINC, SNOMED, concept, hl7, named, reference},
    disease::Disease,
    moment::{Moment, days_after},
    tree::tree,
    visits::Kind,
};

/// Childhood schedule: vaccine and the ages in months at which it is due.
const CHILDHOOD: [(Code, &[i64]); 8] = [
    (("08", "Hep B, adolescent or pediatric"), &[0, 2, 6]),
    (("116", "rotavirus, pentavalent"), &[2, 4, 6]),
    (("20", "DTaP"), &[2, 4, 6, 18, 48]),
    (("49", "Hib (PRP-OMP)"), &[2, 4, 12]),
    (("133", "Pneumococcal conjugate PCV 13"), &[2, 4, 6, 12]),
    (("10", "IPV"), &[2, 4, 6, 48]),
    (("03", "MMR"), &[12, 48]),
    (("21", "varicella"), &[12, 48]),
];
const INFLUENZA: Code = ("140", "Influenza, seasonal, injectable, preservative free");

/// Stores what was done to keep the patient well.
pub(super) fn record(chart: &mut Chart<'_>) {
    immunize(chart);
    operate(chart);
    smoking(chart);
}

fn immunize(chart: &mut Chart<'_>) {
    let (birth, today) = (chart.person.birth, chart.today());
    if chart.age_on(today) < 18.0 {
        for (vaccine, months) in CHILDHOOD {
            for month in months {
                let due = days_after(birth, month * 304 / 10 + 10);
                if due < today {
                    immunization(chart, vaccine, due, "completed");
                }
            }
        }
        return;
    }
    for back in 0..3 {
        // The season starts in October; one in five declines.
        let day = days_after(CHART_DATE, -(back * 365 + chart.whole(3, 28)));
        let status = if chart.chance(0.2) { "not-done" } else { "completed" };
        if day < today {
            immunization(chart, INFLUENZA, day, status);
        }
    }
    let booster = days_after(today, -chart.whole(300, 2900));
    immunization(chart, ("115", "Tdap"), booster, "completed");
    if chart.age_on(today) >= 66.0 {
        immunization(
            chart,
            ("33", "pneumococcal polysaccharide vaccine, 23 valent"),
            days_after(birth, 24_000),
            "completed",
        );
    }
    if chart.age_on(today) >= 52.0 {
        for after in [0, 90] {
            let shot = days_after(today, after - 800);
            immunization(chart, ("187", "zoster vaccine recombinant"), shot, "completed");
        }
    }
}

fn immunization(chart: &mut Chart<'_>, vaccine: Code, day: Date, status: &str) {
    let child = chart.age_on(day) < 18.0;
    let given_by = if child { &LINDQVIST } else { &REYES };
    let at = Moment::at(day, 10, 50);
    let mut body = tree!({
        "resourceType": "Immunization",
        "id": chart.next_id("imm"),
        "status": status,
        "vaccineCode": concept(CVX, vaccine),
        "patient": chart.subject(),
        "occurrenceDateTime": at.local(),
        "primarySource": true,
        "location": reference("Location", "loc-primary"),
        "performer": [{ "actor": named("Practitioner", given_by.id, given_by.name) }],
    });
    if let Some(members) = body.as_object_mut() {
        if status == "not-done" {
            members.insert("statusReason".to_owned(), hl7("v3-ActReason", ("PATOBJ", "patient objection")));
        } else {
            let lot = format!("HL{:05}", chart.whole(10_000, 99_999));
            members.insert("lotNumber".to_owned(), tree!(lot));
            let left = if child {
                ("61396006", "Structure of left thigh")
            } else {
                ("368208006", "Left upper arm structure")
            };
            members.insert("site".to_owned(), concept(SNOMED, left));
        }
    }
    chart.put(&["us-core-immunization"], at, body);
}

fn operate(chart: &mut Chart<'_>) {
    let today = chart.today();
    let age = chart.age_on(today);
    if (50.0..85.0).contains(&age) {
        let day = days_after(today, -chart.whole(200, 1800));
        procedure(chart, ("73761001", "Colonoscopy"), day, None, "completed");
    }
    let since =
        |chart: &Chart<'_>, disease| chart.illnesses.iter().find(|i| i.disease == disease).map(|i| i.onset);
    if let Some(onset) = since(chart, Disease::Coronary) {
        procedure(
            chart,
            ("415070008", "Percutaneous coronary intervention"),
            days_after(onset, 9),
            Some(Disease::Coronary),
            "completed",
        );
    }
    if let Some(onset) = since(chart, Disease::Fibrillation) {
        procedure(
            chart,
            ("29303009", "Electrocardiographic procedure"),
            onset,
            Some(Disease::Fibrillation),
            "completed",
        );
    }
    for disease in [Disease::Asthma, Disease::Copd] {
        if let Some(onset) = since(chart, disease)
            && age >= 6.0
        {
            procedure(
                chart,
                ("127783003", "Spirometry"),
                days_after(onset, 21).min(days_after(today, -30)),
                Some(disease),
                "completed",
            );
        }
    }
    if let Some(onset) = since(chart, Disease::Osteoporosis) {
        procedure(
            chart,
            ("312681000", "Bone density scan"),
            days_after(onset, -12),
            Some(Disease::Osteoporosis),
            "completed",
        );
    }
    if chart.has(Disease::Diabetes) {
        let day = days_after(today, -chart.whole(40, 330));
        procedure(
            chart,
            ("401191002", "Diabetic foot examination"),
            day,
            Some(Disease::Diabetes),
            "completed",
        );
    }
    if chart.has(Disease::Arthritis) && age > 65.0 {
        let day = days_after(today, -chart.whole(700, 1900));
        procedure(chart, ("609588000", "Total knee replacement"), day, Some(Disease::Arthritis), "completed");
        procedure(chart, ("52734007", "Total replacement of hip"), days_after(day, 200), None, "not-done");
    }
    if chart.person.sex == Sex::Female && (50.0..75.0).contains(&age) {
        let day = days_after(today, -chart.whole(60, 700));
        procedure(chart, ("24623002", "Screening mammography"), day, None, "completed");
    }
}

fn procedure(chart: &mut Chart<'_>, code: Code, day: Date, reason: Option<Disease>, status: &str) {
    let at = Moment::at(day, 9, 40);
    let heart = matches!(reason, Some(Disease::Coronary | Disease::Fibrillation));
    let by = if heart { &OKAFOR } else { &REYES };
    let mut body = tree!({
        "resourceType": "Procedure",
        "id": chart.next_id("proc"),
        "status": status,
        "code": concept(SNOMED, code),
        "subject": chart.subject(),
        "performer": [{ "actor": named("Practitioner", by.id, by.name) }],
    });
    if let Some(members) = body.as_object_mut() {
        // Half the world records a moment, half a period: clients meet both.
        if heart {
            let period = tree!({ "start": at.local(), "end": at.plus(75).local() });
            members.insert("performedPeriod".to_owned(), period);
        } else {
            members.insert("performedDateTime".to_owned(), tree!(at.local()));
        }
        if let Some(reason) = reason {
            members.insert("reasonCode".to_owned(), tree!([concept(SNOMED, reason.snomed())]));
        }
    }
    chart.put(&["us-core-procedure"], at.plus(90), body);
}

/// The status as asked at each well visit of an adult; whoever stopped was a smoker in older records.
fn smoking(chart: &mut Chart<'_>) {
    let visits: Vec<_> = chart.visits.iter().filter(|visit| visit.kind == Kind::Wellness).cloned().collect();
    let newest = visits.len();
    for (index, visit) in visits.iter().enumerate() {
        if chart.age_on(visit.at.date) < 13.0 {
            continue;
        }
        let status = match chart.person.tobacco {
            Tobacco::Never => ("266919005", "Never smoked tobacco"),
            Tobacco::Former if index == 0 && newest > 2 => ("449868002", "Smokes tobacco daily"),
            Tobacco::Former => ("8517006", "Ex-smoker"),
            Tobacco::Current => ("449868002", "Smokes tobacco daily"),
        };
        let body: Value = tree!({
            "resourceType": "Observation",
            "id": chart.next_id("soc"),
            "status": "final",
            "category": [hl7("observation-category", ("social-history", "Social History"))],
            "code": concept(LOINC, ("72166-2", "Tobacco smoking status")),
            "subject": chart.subject(),
            "encounter": reference("Encounter", &visit.id),
            "effectiveDateTime": visit.at.plus(7).local(),
            "issued": visit.at.plus(8).instant(),
            "performer": [named("Practitioner", visit.clinician.id, visit.clinician.name)],
            "valueCodeableConcept": concept(SNOMED, status),
        });
        chart.put(&["us-core-smokingstatus"], visit.at.plus(8), body);
    }
}
