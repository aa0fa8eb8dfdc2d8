//! What normalising a chart of 200 resources costs: CPU of this process (`/proc/self/schedstat`), no network, no clock but
//! the processor's.
//!
//! `cargo run --release -p sallyport-clinical --example chart_cost [-- rounds]`
//!
//! Prints the CPU per chart for normalising, for normalising and writing JSON, and for a pass that only finds where each
//! resource ends (`RawValue`), which is the least that any reader of JSON must do.

use std::{hint::black_box, io::Write};

use sallyport_clinical::{Context, FhirVersion, Input, Mapping, Section, normalise};
use sallyport_model::PatientId;
use serde_json::value::RawValue;

/// Sections with how many resources of each a chart has: 200 in all.
const CHART: &[(Section, usize)] = &[
    (Section::Banner, 1),
    (Section::Problems, 20),
    (Section::Medications, 19),
    (Section::Allergies, 5),
    (Section::Vitals, 40),
    (Section::Results, 80),
    (Section::Encounters, 12),
    (Section::Documents, 8),
    (Section::Immunizations, 8),
    (Section::Procedures, 5),
    (Section::Careteam, 1),
    (Section::Coverage, 1),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: u32 = std::env::args().nth(1).map_or(Ok(2_000), |n| n.parse())?;
    let patient = PatientId::parse("pat-1")?;
    let context = Context {
        patient: &patient,
        encounter: None,
        fhir_base: "https://ehr.example/fhir",
        fhir_version: FhirVersion::R4,
        mapping: Mapping::V2026_1,
    };
    let chart: Vec<(Section, Vec<String>)> = CHART
        .iter()
        .map(|(section, count)| (*section, (0..*count).map(|n| resource(*section, n)).collect()))
        .collect();
    let bytes: usize = chart.iter().flat_map(|(_, resources)| resources).map(String::len).sum();
    let count: usize = chart.iter().map(|(_, resources)| resources.len()).sum();
    let normalised = |write: bool| {
        for (section, resources) in &chart {
            let inputs: Vec<Input<'_>> =
                resources.iter().map(|r| Input { resource: r.as_bytes(), read_at: 1 }).collect();
            let section = normalise(*section, &context, &inputs, Vec::new());
            if write {
                let _json = black_box(serde_json::to_vec(&section));
            }
            black_box(section);
        }
    };
    let raw = || {
        for resource in chart.iter().flat_map(|(_, resources)| resources) {
            let _end = black_box(serde_json::from_str::<&RawValue>(resource));
        }
    };
    let normalise_ns = per_chart(rounds, || normalised(false))?;
    let write_ns = per_chart(rounds, || normalised(true))?;
    let raw_ns = per_chart(rounds, raw)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "chart: {count} resources, {bytes} bytes; {rounds} rounds, best of 5")?;
    writeln!(out, "normalise            {:>8.3} ms CPU", normalise_ns / 1e6)?;
    writeln!(out, "normalise and write  {:>8.3} ms CPU", write_ns / 1e6)?;
    writeln!(out, "RawValue only        {:>8.3} ms CPU", raw_ns / 1e6)?;
    writeln!(out, "normalising runs at {:.0} % of a RawValue-only pass", raw_ns / normalise_ns * 100.0)?;
    Ok(())
}

/// CPU nanoseconds of one run: the best of five series, so that a busy machine adds little.
fn per_chart(rounds: u32, run: impl Fn()) -> Result<f64, Box<dyn std::error::Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let before = cpu_ns()?;
        for _ in 0..rounds / 5 {
            run();
        }
        best = best.min((cpu_ns()? - before) / f64::from((rounds / 5).max(1)));
    }
    Ok(best)
}

/// Nanoseconds this process has run on a processor.
fn cpu_ns() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}

const CODED: &str = r#"{"coding":[{"system":"urn:oid:1.2.840.114350.1.13.0.1.7.2.696871","code":"77131","display":"local name","userSelected":true},{"system":"http://snomed.info/sct","code":"44054006","display":"Diabetes mellitus type 2"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"E11.9","display":"Type 2 diabetes mellitus without complications"}],"text":"Type 2 diabetes mellitus"}"#;

fn resource(section: Section, n: usize) -> String {
    let meta = format!(
        r#""id":"e4pLv9vH1Yk7oXq-{n}","meta":{{"versionId":"3","lastUpdated":"2026-01-02T10:00:00.000Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-thing"]}},"text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p><b>Generated narrative of the entry with its values</b></p></div>"}},"identifier":[{{"use":"usual","system":"urn:oid:1.2.840.114350.1.13.0.1.7.2.798268","value":"{n}"}}]"#
    );
    let subject = r#""subject":{"reference":"Patient/pat-1","display":"Abreu, Maria"},"encounter":{"reference":"Encounter/enc-1","display":"Office visit"}"#;
    let day = format!("20{:02}-{:02}-{:02}T08:00:00Z", 10 + n % 16, 1 + n % 12, 1 + n % 28);
    match section {
        Section::Banner => format!(
            r#"{{"resourceType":"Patient","id":"pat-1",{},"active":true,"name":[{{"use":"official","family":"Abreu","given":["Maria","del Carmen"]}}],"gender":"female","birthDate":"1945-07-14","telecom":[{{"system":"phone","value":"555-0100","use":"home"}}],"address":[{{"line":["1 Main St"],"city":"Boston","state":"MA","postalCode":"02118"}}],"extension":[{{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"}}]}}"#,
            meta.split_once(',').map_or("", |(_, rest)| rest)
        ),
        Section::Problems => format!(
            r#"{{"resourceType":"Condition",{meta},"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active","display":"Active"}}],"text":"Active"}},"verificationStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed","display":"Confirmed"}}],"text":"Confirmed"}},"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item","display":"Problem List Item"}}],"text":"Problem List Item"}}],"code":{CODED},{subject},"onsetDateTime":"{day}","recordedDate":"2020-01-01","recorder":{{"reference":"Practitioner/1","display":"Dr Reyes"}}}}"#
        ),
        Section::Medications => format!(
            r#"{{"resourceType":"MedicationRequest",{meta},"status":"active","intent":"order","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/medicationrequest-category","code":"community"}}]}}],"medicationCodeableConcept":{{"coding":[{{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"861007","display":"metformin hydrochloride 500 MG Oral Tablet"}}],"text":"metFORMIN (GLUCOPHAGE) 500 mg tablet"}},{subject},"authoredOn":"{day}","requester":{{"reference":"Practitioner/1","display":"Dr Reyes"}},"reasonCode":[{CODED}],"dosageInstruction":[{{"text":"Take 1 tablet by mouth twice a day with meals","timing":{{"repeat":{{"frequency":2,"period":1,"periodUnit":"d"}}}},"asNeededBoolean":false,"route":{{"text":"Oral"}},"doseAndRate":[{{"doseQuantity":{{"value":1,"unit":"tablet"}}}}]}}]}}"#
        ),
        Section::Allergies => format!(
            r#"{{"resourceType":"AllergyIntolerance",{meta},"clinicalStatus":{{"coding":[{{"code":"active"}}]}},"verificationStatus":{{"coding":[{{"code":"confirmed"}}]}},"type":"allergy","category":["medication"],"criticality":"high","code":{CODED},"onsetDateTime":"2011-05","reaction":[{{"manifestation":[{{"text":"Anaphylaxis"}}],"severity":"severe"}}]}}"#
        ),
        Section::Vitals if n.is_multiple_of(2) => format!(
            r#"{{"resourceType":"Observation",{meta},"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}}],"text":"BP"}},{subject},"effectiveDateTime":"{day}","component":[{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6","display":"Systolic"}}]}},"valueQuantity":{{"value":14{},"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}},{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8462-4","display":"Diastolic"}}]}},"valueQuantity":{{"value":88,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}}]}}"#,
            n % 10
        ),
        Section::Vitals | Section::Results => format!(
            r#"{{"resourceType":"Observation",{meta},"basedOn":[{{"reference":"ServiceRequest/{n}"}}],"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}}],"text":"Laboratory"}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"4548-{}","display":"Hemoglobin A1c"}},{{"system":"urn:oid:1.2.840.114350.1.13.0.1.7.5.737384.162","code":"HBA1C"}}],"text":"HbA1c"}},{subject},"effectiveDateTime":"{day}","issued":"{day}","valueQuantity":{{"value":8.1{},"unit":"%","system":"http://unitsofmeasure.org","code":"%"}},"interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H","display":"High"}}]}}],"referenceRange":[{{"low":{{"value":4.0,"unit":"%"}},"high":{{"value":5.6,"unit":"%"}},"text":"4.0 - 5.6 %"}}]}}"#,
            n % 8,
            n % 10
        ),
        Section::Encounters => format!(
            r#"{{"resourceType":"Encounter",{meta},"status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB","display":"ambulatory"}},"type":[{{"text":"Office Visit"}}],{subject},"period":{{"start":"{day}","end":"{day}"}},"location":[{{"location":{{"display":"Clinic 4"}}}}],"participant":[{{"individual":{{"display":"Dr Reyes"}}}}]}}"#
        ),
        Section::Documents => format!(
            r#"{{"resourceType":"DocumentReference",{meta},"status":"current","docStatus":"final","type":{CODED},"category":[{{"text":"Clinical Note"}}],{subject},"date":"{day}","author":[{{"display":"Dr Reyes"}}],"content":[{{"attachment":{{"contentType":"text/rtf","url":"Binary/b-{n}"}}}}]}}"#
        ),
        Section::Immunizations => format!(
            r#"{{"resourceType":"Immunization",{meta},"status":"completed","vaccineCode":{{"coding":[{{"system":"http://hl7.org/fhir/sid/cvx","code":"140"}}],"text":"Influenza"}},"occurrenceDateTime":"{day}","primarySource":true,"lotNumber":"A1"}}"#
        ),
        Section::Procedures => format!(
            r#"{{"resourceType":"Procedure",{meta},"status":"completed","code":{CODED},{subject},"performedDateTime":"{day}"}}"#
        ),
        Section::Careteam => format!(
            r#"{{"resourceType":"CareTeam",{meta},"status":"active","participant":[{{"member":{{"display":"Sam"}},"role":[{{"text":"Nurse"}}]}}]}}"#
        ),
        Section::Coverage => format!(
            r#"{{"resourceType":"Coverage",{meta},"status":"active","type":{{"text":"Plan"}},"payor":[{{"display":"Payer"}}]}}"#
        ),
    }
}
