//! Conditions: the problem list, diagnoses made in encounters, and entries that must not be believed.

use jiff::civil::Date;
use serde_json::Value;

use super::{
    cast::{Edge, Sex},
    chart::{Chart, Diagnosis},
    clinic::REYES,
    code::{ACT_CODE, CONFIDENTIALITY, Code, ICD10, SNOMED, coding, hl7, named, reference},
    moment::{Moment, days_after},
    tree::tree,
    visits::{Kind, Visit},
};

const PROBLEM: &str = "us-core-condition-problems-health-concerns";
const DIAGNOSIS: &str = "us-core-condition-encounter-diagnosis";

/// Diagnoses of an ordinary acute visit, with the age from which they are plausible.
const ACUTE: [(Code, Code, f64); 8] = [
    (
        ("54150009", "Upper respiratory infection"),
        ("J06.9", "Acute upper respiratory infection, unspecified"),
        1.0,
    ),
    (("65363002", "Otitis media"), ("H66.90", "Otitis media, unspecified, unspecified ear"), 1.0),
    (
        ("25374005", "Gastroenteritis"),
        ("K52.9", "Noninfective gastroenteritis and colitis, unspecified"),
        1.0,
    ),
    (("10509002", "Acute bronchitis"), ("J20.9", "Acute bronchitis, unspecified"), 12.0),
    (("75498004", "Acute bacterial sinusitis"), ("J01.90", "Acute sinusitis, unspecified"), 12.0),
    (
        ("44465007", "Sprain of ankle"),
        ("S93.409A", "Sprain of unspecified ligament of unspecified ankle, initial encounter"),
        5.0,
    ),
    (
        ("840539006", "Disease caused by severe acute respiratory syndrome coronavirus 2"),
        ("U07.1", "COVID-19"),
        5.0,
    ),
    (("279039007", "Low back pain"), ("M54.50", "Low back pain, unspecified"), 18.0),
];
const CYSTITIS: (Code, Code) =
    (("68226007", "Acute cystitis"), ("N30.00", "Acute cystitis without hematuria"));

/// Further problems of an old patient, for the chart that has forty: still active or long past.
const BURDEN: [(Code, &str, bool); 31] = [
    (("78275009", "Obstructive sleep apnea syndrome"), "G47.33", true),
    (("34713006", "Vitamin D deficiency"), "E55.9", true),
    (("193570009", "Cataract"), "H26.9", false),
    (("23986001", "Glaucoma"), "H40.9", true),
    (("15188001", "Hearing loss"), "H91.90", true),
    (("14760008", "Constipation"), "K59.00", true),
    (("193462001", "Insomnia"), "G47.00", true),
    (("165232002", "Urinary incontinence"), "R32", true),
    (("49436004", "Atrial fibrillation"), "I48.91", true),
    (("400047006", "Peripheral vascular disease"), "I73.9", true),
    (("128060009", "Venous varices of lower limb"), "I83.90", true),
    (("64859006", "Osteoporosis"), "M81.0", true),
    (("37796009", "Migraine"), "G43.909", false),
    (("9014002", "Psoriasis"), "L40.9", true),
    (("201101007", "Actinic keratosis"), "L57.0", true),
    (("254701007", "Basal cell carcinoma of skin"), "C44.91", false),
    (("68496003", "Polyp of colon"), "K63.5", false),
    (("397881000", "Diverticulosis of large intestine"), "K57.30", true),
    (("70153002", "Hemorrhoids"), "K64.9", true),
    (("396232000", "Inguinal hernia"), "K40.90", false),
    (("235919008", "Gallbladder calculus"), "K80.20", false),
    (("95570007", "Kidney stone"), "N20.0", false),
    (("414916001", "Obesity"), "E66.9", true),
    (("40930008", "Hypothyroidism"), "E03.9", true),
    (("87522002", "Iron deficiency anemia"), "D50.9", false),
    (("230690007", "Cerebrovascular accident"), "I63.9", false),
    (("233604007", "Pneumonia"), "J18.9", false),
    (("4740000", "Herpes zoster"), "B02.9", false),
    (("202855006", "Lateral epicondylitis"), "M77.10", false),
    (("57676002", "Joint pain"), "M25.50", true),
    (("129839007", "At risk for falls"), "Z91.81", true),
];

/// How a Condition stands.
struct Standing {
    clinical: Option<&'static str>,
    verification: &'static str,
    abated: Option<Date>,
}

const ACTIVE: Standing = Standing { clinical: Some("active"), verification: "confirmed", abated: None };

/// Stores the patient's conditions and notes the ids of the chronic ones.
pub(super) fn record(chart: &mut Chart<'_>) {
    for index in 0..chart.illnesses.len() {
        let Some(illness) = chart.illnesses.get(index).cloned() else { continue };
        let labels = if illness.disease.is_part2() { part2() } else { Vec::new() };
        let codes = (illness.disease.snomed(), illness.disease.icd10());
        let id = store(chart, codes, illness.onset, &ACTIVE, None, &labels);
        if let Some(known) = chart.illnesses.get_mut(index) {
            known.condition = Some(id);
        }
    }
    if chart.person.edge == Edge::ManyProblems {
        burden(chart);
    }
    for visit in chart.visits.clone() {
        if matches!(visit.kind, Kind::Acute | Kind::Emergency) {
            acute(chart, &visit);
        }
    }
    doubtful(chart);
}

/// Sensitivity labels of records under 42 CFR Part 2.
pub(super) fn part2() -> Vec<Value> {
    vec![
        coding(CONFIDENTIALITY, ("R", "restricted")),
        coding(ACT_CODE, ("42CFRPart2", "42 CFR Part2")),
        coding(ACT_CODE, ("OPIOIDUD", "opioid use disorder information sensitivity")),
    ]
}

fn burden(chart: &mut Chart<'_>) {
    for (snomed, icd10, is_active) in BURDEN {
        let onset = days_after(chart.today(), -chart.whole(500, 9000));
        let abated = days_after(onset, chart.whole(90, 400));
        let resolved =
            Standing { clinical: Some("resolved"), verification: "confirmed", abated: Some(abated) };
        let standing = if is_active { ACTIVE } else { resolved };
        store(chart, (snomed, (icd10, snomed.1)), onset, &standing, None, &[]);
    }
}

fn acute(chart: &mut Chart<'_>, visit: &Visit) {
    let age = chart.age_on(visit.at.date);
    let plausible: Vec<(Code, Code)> =
        ACUTE.iter().filter(|row| row.2 <= age).map(|row| (row.0, row.1)).collect();
    let cystitis = chart.person.sex == Sex::Female && age > 18.0 && chart.chance(0.4);
    let Some(codes) = (if cystitis { Some(CYSTITIS) } else { chart.pick(&plausible).copied() }) else {
        return;
    };
    let days = chart.whole(5, 20);
    let healed = days_after(visit.at.date, days);
    let standing = if visit.is_open || healed > chart.today() {
        ACTIVE
    } else {
        Standing { clinical: Some("resolved"), verification: "confirmed", abated: Some(healed) }
    };
    let condition = store(chart, codes, visit.at.date, &standing, Some(visit), &[]);
    chart.diagnoses.push(Diagnosis { visit: visit.id.clone(), snomed: codes.0, condition });
}

/// Entries a reader must not take for facts: made in error, ruled out, or only suspected.
fn doubtful(chart: &mut Chart<'_>) {
    let since = days_after(chart.today(), -chart.whole(200, 600)).max(chart.person.birth);
    let (codes, standing) = match chart.person.number {
        3 | 14 => (
            (("230690007", "Cerebrovascular accident"), ("I63.9", "Cerebral infarction, unspecified")),
            // clinicalStatus must be absent when entered in error (constraint con-5).
            Standing { clinical: None, verification: "entered-in-error", abated: None },
        ),
        4 | 10 => (
            (
                ("59282003", "Pulmonary embolism"),
                ("I26.99", "Other pulmonary embolism without acute cor pulmonale"),
            ),
            Standing { clinical: Some("inactive"), verification: "refuted", abated: None },
        ),
        13 => (
            (("396331005", "Celiac disease"), ("K90.0", "Celiac disease")),
            Standing { clinical: Some("active"), verification: "provisional", abated: None },
        ),
        _ => return,
    };
    store(chart, codes, since, &standing, None, &[]);
}

fn store(
    chart: &mut Chart<'_>,
    (snomed, icd10): (Code, Code),
    onset: Date,
    standing: &Standing,
    visit: Option<&Visit>,
    labels: &[Value],
) -> String {
    let id = chart.next_id("cond");
    let category = match visit {
        Some(_) => ("encounter-diagnosis", "Encounter Diagnosis"),
        None => ("problem-list-item", "Problem List Item"),
    };
    let recorded = visit.map_or_else(|| Moment::at(onset, 10, 15), |visit| visit.at.plus(12));
    let mut body = tree!({
        "resourceType": "Condition",
        "id": &id,
        "verificationStatus": hl7("condition-ver-status", (standing.verification, display(standing.verification))),
        "category": [hl7("condition-category", category)],
        "code": { "coding": [coding(SNOMED, snomed), coding(ICD10, icd10)], "text": snomed.1 },
        "subject": chart.subject(),
        "onsetDateTime": onset.to_string(),
        "recordedDate": recorded.local(),
        "recorder": named("Practitioner", visit.map_or(REYES.id, |v| v.clinician.id), visit.map_or(REYES.name, |v| v.clinician.name)),
    });
    if let Some(members) = body.as_object_mut() {
        if let Some(clinical) = standing.clinical {
            members.insert(
                "clinicalStatus".to_owned(),
                hl7("condition-clinical", (clinical, display(clinical))),
            );
        }
        if let Some(visit) = visit {
            members.insert("encounter".to_owned(), reference("Encounter", &visit.id));
        }
        if let Some(abated) = standing.abated {
            members.insert("abatementDateTime".to_owned(), tree!(abated.to_string()));
        }
    }
    let updated = standing.abated.map_or(recorded, |day| Moment::at(day.min(chart.today()), 11, 0));
    chart.put_labelled(&[if visit.is_some() { DIAGNOSIS } else { PROBLEM }], updated, labels, body);
    id
}

fn display(code: &str) -> &'static str {
    match code {
        "active" => "Active",
        "inactive" => "Inactive",
        "resolved" => "Resolved",
        "confirmed" => "Confirmed",
        "provisional" => "Provisional",
        "refuted" => "Refuted",
        _ => "Entered in Error",
    }
}
