//! MedicationRequests: the drugs a patient's diseases call for, those replaced, and short courses.

use jiff::civil::Date;
use serde_json::Value;

use super::{
    allergies::PENICILLIN_CODE,
    chart::Chart,
    clinic::{Clinician, REYES},
    code::{Code, RXNORM, SNOMED, UCUM, concept, hl7, named, reference},
    disease::Disease,
    drug::{self, Drug},
    moment::{Moment, days_after},
    problems::part2,
    tree::tree,
    visits::Kind,
};

/// One order to be written.
struct Order {
    drug: &'static Drug,
    status: &'static str,
    at: Moment,
    clinician: &'static Clinician,
    reason: Option<Reason>,
    encounter: Option<String>,
    stop: Option<&'static str>,
}

/// Why a drug is given.
struct Reason {
    code: Code,
    condition: Option<String>,
    is_part2: bool,
}

impl Reason {
    fn disease(chart: &Chart<'_>, disease: Disease) -> Self {
        let condition = chart.condition_of(disease).map(str::to_owned);
        Self { code: disease.snomed(), condition, is_part2: disease.is_part2() }
    }
}

/// Stores the patient's orders.
pub(super) fn prescribe(chart: &mut Chart<'_>) {
    let mut given: Vec<&'static str> = Vec::new();
    for illness in chart.illnesses.clone() {
        let drugs = illness.disease.drugs();
        // A second-line drug comes in only with years of disease.
        let wanted =
            if chart.years_with(illness.disease, chart.today()).unwrap_or(0.0) > 5.0 { 2 } else { 1 };
        for (index, drug) in
            drugs.iter().take(wanted.max(usize::from(illness.disease == Disease::Asthma) * 2)).enumerate()
        {
            if given.contains(&drug.rxnorm.0) || !is_suitable(chart, drug) {
                continue;
            }
            given.push(drug.rxnorm.0);
            let started = days_after(illness.onset, 14 + index as i64 * 400);
            chronic(chart, drug, illness.disease, started.min(days_after(chart.today(), -40)));
        }
    }
    replaced(chart);
    courses(chart);
    oddities(chart);
}

/// Children take no tablets of adult strength here; two anticoagulants never meet.
fn is_suitable(chart: &Chart<'_>, drug: &Drug) -> bool {
    let is_inhaled = drug.dose.1 == "puff";
    let warfarin = chart.person.number == 14 && drug.rxnorm == drug::APIXABAN.rxnorm;
    (chart.age_on(chart.today()) >= 18.0 || is_inhaled) && !warfarin
}

fn chronic(chart: &mut Chart<'_>, drug: &'static Drug, reason: Disease, started: Date) {
    // Renewed orders are dated by their last renewal, as pharmacies see them.
    let renewed =
        chart.visits.iter().rev().find(|v| v.at.date > started && !v.is_open && v.kind != Kind::Emergency);
    let (at, clinician, encounter) = match renewed {
        Some(visit) => (visit.at.plus(20), visit.clinician, Some(visit.id.clone())),
        None => (Moment::at(started, 11, 5), &REYES, None),
    };
    let status = if chart.person.death.is_some() { "completed" } else { "active" };
    let reason = Reason::disease(chart, reason);
    store(chart, &Order { drug, status, at, clinician, reason: Some(reason), encounter, stop: None });
}

/// What was tried first and given up.
fn replaced(chart: &mut Chart<'_>) {
    let swaps = [
        (Disease::Hyperlipidaemia, &drug::SIMVASTATIN, "Replaced: LDL target not reached"),
        (Disease::Fibrillation, &drug::WARFARIN, "Replaced by a direct oral anticoagulant"),
    ];
    for (disease, drug, why) in swaps {
        let Some(illness) = chart.illnesses.iter().find(|illness| illness.disease == disease).cloned() else {
            continue;
        };
        let at = Moment::at(days_after(illness.onset, 20).min(days_after(chart.today(), -60)), 10, 40);
        let keeps = chart.person.number == 14 && drug.rxnorm == drug::WARFARIN.rxnorm;
        let (status, stop) = if keeps { ("active", None) } else { ("stopped", Some(why)) };
        store(
            chart,
            &Order {
                drug,
                status,
                at,
                clinician: &REYES,
                reason: Some(Reason::disease(chart, disease)),
                encounter: None,
                stop,
            },
        );
    }
}

/// Short courses for what acute visits of adults found.
fn courses(chart: &mut Chart<'_>) {
    for diagnosis in chart.diagnoses.clone() {
        let Some(visit) = chart.visits.iter().find(|visit| visit.id == diagnosis.visit).cloned() else {
            continue;
        };
        if chart.age_on(visit.at.date) < 18.0 {
            continue;
        }
        let Some(drug) = course(chart, diagnosis.snomed.0) else { continue };
        let order = Order {
            drug,
            status: if visit.is_open { "active" } else { "completed" },
            at: visit.at.plus(18),
            clinician: visit.clinician,
            reason: Some(Reason {
                code: diagnosis.snomed,
                condition: Some(diagnosis.condition),
                is_part2: false,
            }),
            encounter: Some(visit.id),
            stop: None,
        };
        store(chart, &order);
    }
}

/// What is given for an acute illness, by its SNOMED code; allergies, kidneys and hearts are minded.
fn course(chart: &mut Chart<'_>, snomed: &str) -> Option<&'static Drug> {
    let fragile = [Disease::Kidney, Disease::HeartFailure, Disease::Fibrillation, Disease::Coronary]
        .iter()
        .any(|disease| chart.has(*disease));
    let painkiller = if fragile { &drug::ACETAMINOPHEN } else { &drug::IBUPROFEN };
    match snomed {
        // Acute cystitis.
        "68226007" => (!chart.has(Disease::Kidney)).then_some(&drug::NITROFURANTOIN),
        // Bacterial sinusitis and otitis.
        "75498004" | "65363002" => {
            (!chart.allergic_to.contains(&PENICILLIN_CODE)).then_some(&drug::AMOXICILLIN)
        }
        // Sprained ankle and low back pain.
        "44465007" | "279039007" => Some(painkiller),
        // What is viral passes by itself.
        _ => chart.chance(0.4).then_some(&drug::ACETAMINOPHEN),
    }
}

/// Orders a reader must not count as taken.
fn oddities(chart: &mut Chart<'_>) {
    let at = Moment::at(days_after(chart.today(), -45), 14, 10);
    let (drug, status, stop) = match chart.person.number {
        5 => (&drug::WARFARIN, "entered-in-error", None),
        10 => (&drug::METOPROLOL, "on-hold", Some("Held: bronchospasm")),
        16 => (&drug::METFORMIN, "draft", None),
        _ => return,
    };
    store(chart, &Order { drug, status, at, clinician: &REYES, reason: None, encounter: None, stop });
}

fn store(chart: &mut Chart<'_>, order: &Order) {
    let id = chart.next_id("mr");
    let drug = order.drug;
    let mut body = tree!({
        "resourceType": "MedicationRequest",
        "id": &id,
        "status": order.status,
        "intent": "order",
        "category": [hl7("medicationrequest-category", ("community", "Community"))],
        "reportedBoolean": false,
        "subject": chart.subject(),
        "authoredOn": order.at.local(),
        "requester": named("Practitioner", order.clinician.id, order.clinician.name),
        "dosageInstruction": [dosage(drug)],
    });
    let Some(members) = body.as_object_mut() else { return };
    // Both forms occur in one chart: clients must follow the reference.
    let serial: usize = id.rsplit('-').next().and_then(|s| s.parse().ok()).unwrap_or(0);
    if serial.is_multiple_of(3) {
        let medication = named("Medication", &format!("med-{}", drug.rxnorm.0), drug.rxnorm.1);
        members.insert("medicationReference".to_owned(), medication);
    } else {
        members.insert("medicationCodeableConcept".to_owned(), concept(RXNORM, drug.rxnorm));
    }
    if let Some(reason) = &order.reason {
        members.insert("reasonCode".to_owned(), tree!([concept(SNOMED, reason.code)]));
        if let Some(condition) = &reason.condition {
            members.insert("reasonReference".to_owned(), tree!([reference("Condition", condition)]));
        }
    }
    if let Some(encounter) = &order.encounter {
        members.insert("encounter".to_owned(), reference("Encounter", encounter));
    }
    if let Some(stop) = order.stop {
        members.insert("statusReason".to_owned(), tree!({ "text": stop }));
    }
    if order.status == "active" && !drug.as_needed {
        members.insert(
            "dispenseRequest".to_owned(),
            tree!({ "numberOfRepeatsAllowed": 3,
                    "expectedSupplyDuration": { "value": 90, "unit": "day", "system": UCUM, "code": "d" } }),
        );
    }
    let labels =
        if order.reason.as_ref().is_some_and(|reason| reason.is_part2) { part2() } else { Vec::new() };
    // A stopped order was first an active one: both versions can be read.
    if order.status == "stopped" {
        let mut before = body.clone();
        if let Some(members) = before.as_object_mut() {
            members.insert("status".to_owned(), tree!("active"));
            members.remove("statusReason");
        }
        chart.put_labelled(&["us-core-medicationrequest"], order.at, &labels, before);
        let later = order.at.plus(24 * 60 * 30);
        chart.put_labelled(&["us-core-medicationrequest"], later, &labels, body);
    } else {
        chart.put_labelled(&["us-core-medicationrequest"], order.at, &labels, body);
    }
}

fn dosage(drug: &Drug) -> Value {
    let unit = drug.dose.1;
    let code = if unit == "[iU]" { unit.to_owned() } else { format!("{{{unit}}}") };
    let shown = if unit == "[iU]" { "units" } else { unit };
    tree!({
        "text": drug.instruction,
        "asNeededBoolean": drug.as_needed,
        "route": concept(SNOMED, drug.route),
        "timing": { "repeat": { "frequency": drug.frequency, "period": drug.period_days, "periodUnit": "d" } },
        "doseAndRate": [{ "doseQuantity": { "value": drug.dose.0, "unit": shown, "system": UCUM, "code": code } }],
    })
}
