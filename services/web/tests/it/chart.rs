//! Small invented resources of one patient, in the shapes that EHRs send.

use std::collections::HashMap;

use sallyport_clinical::Section;

pub(crate) fn whole() -> HashMap<Section, Vec<String>> {
    HashMap::from([
        (Section::Banner, vec![patient(), encounter("enc-1", "in-progress", "Office visit", "2026-07-14T13:40:00-04:00")]),
        (Section::Problems, problems()),
        (Section::Medications, medications()),
        (Section::Allergies, allergies()),
        (Section::Vitals, vitals()),
        (Section::Results, results()),
        (Section::Encounters, encounters()),
        (Section::Documents, documents()),
        (Section::Immunizations, vec![
            r#"{"resourceType":"Immunization","id":"imm-1","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"140","display":"Influenza, seasonal"}]},"patient":{"reference":"Patient/pat-1"},"occurrenceDateTime":"2025-10-02","lotNumber":"L77","primarySource":true}"#.into(),
            r#"{"resourceType":"Immunization","id":"imm-2","status":"not-done","statusReason":{"text":"Patient declined"},"vaccineCode":{"text":"Zoster"},"patient":{"reference":"Patient/pat-1"},"occurrenceDateTime":"2025-10-02"}"#.into(),
        ]),
        (Section::Procedures, vec![
            r#"{"resourceType":"Procedure","id":"proc-1","status":"completed","code":{"text":"Screening colonoscopy"},"subject":{"reference":"Patient/pat-1"},"performedDateTime":"2021-05"}"#.into(),
        ]),
        (Section::Careteam, vec![
            r#"{"resourceType":"CareTeam","id":"team-1","status":"active","name":"Diabetes team","subject":{"reference":"Patient/pat-1"},"participant":[{"role":[{"text":"Primary care physician"}],"member":{"reference":"Practitioner/p1","display":"Dr Elena Reyes"}},{"role":[{"text":"Diabetes nurse"}],"member":{"display":"Sam Okafor, RN"}}]}"#.into(),
        ]),
        (Section::Coverage, vec![
            r#"{"resourceType":"Coverage","id":"cov-1","status":"active","type":{"text":"Medicare"},"beneficiary":{"reference":"Patient/pat-1"},"payor":[{"display":"Centers for Medicare"}],"subscriberId":"M-000","period":{"start":"2010-07-01"}}"#.into(),
        ]),
    ])
}

pub(crate) fn patient() -> String {
    r#"{"resourceType":"Patient","id":"pat-1","meta":{"versionId":"7"},"identifier":[
      {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS"}]},"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-11-2222"},
      {"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"urn:oid:1.2.3","value":"0001234","assigner":{"display":"General Hospital"}}],
      "active":true,"name":[{"use":"official","family":"Abreu","given":["Maria","del Carmen"],"prefix":["Mrs."]},{"use":"usual","family":"Abreu","given":["Mari"]}],
      "gender":"female","birthDate":"1945-07-14","telecom":[{"system":"phone","value":"555-0100","use":"home"}],
      "address":[{"use":"home","line":["12 Harbor Street"],"city":"Portsmouth","state":"MA","postalCode":"01999"}],
      "communication":[{"language":{"text":"Spanish"},"preferred":true}],
      "generalPractitioner":[{"display":"Dr Elena Reyes"}],
      "extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"},
        {"url":"http://open.epic.com/FHIR/StructureDefinition/extension/calculated-pronouns-to-use-for-text","valueCodeableConcept":{"text":"she/her"}}]}"#
        .to_owned()
}

fn encounter(id: &str, status: &str, kind: &str, start: &str) -> String {
    format!(
        r#"{{"resourceType":"Encounter","id":"{id}","status":"{status}","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB","display":"ambulatory"}},"type":[{{"text":"{kind}"}}],"subject":{{"reference":"Patient/pat-1"}},"period":{{"start":"{start}"}},"location":[{{"location":{{"display":"Harbor Clinic, room 4"}}}}],"participant":[{{"individual":{{"display":"Dr Elena Reyes"}}}}]}}"#
    )
}

fn encounters() -> Vec<String> {
    vec![
        encounter("enc-1", "in-progress", "Office visit", "2026-07-14T13:40:00-04:00"),
        encounter("enc-2", "finished", "Diabetes follow-up", "2026-03-12T09:00:00-04:00"),
        encounter("enc-3", "finished", "Emergency visit", "2025-11-03T21:12:00-05:00"),
        encounter("enc-4", "cancelled", "Eye examination", "2025-09-01T10:00:00-04:00"),
        encounter("enc-5", "finished", "Office visit", "2025-06-10T10:00:00-04:00"),
    ]
}

pub(crate) fn condition(id: &str, name: &str, status: &str, onset: &str) -> String {
    format!(
        r#"{{"resourceType":"Condition","id":"{id}","meta":{{"versionId":"3","lastUpdated":"2026-01-02T10:00:00Z"}},"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{status}"}}]}},"verificationStatus":{{"coding":[{{"code":"confirmed"}}]}},"category":[{{"coding":[{{"code":"problem-list-item"}}]}}],"code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{id}00","display":"{name}"}},{{"system":"urn:oid:1.2.840.114350.1.13.0.1.7.2.696871","code":"{id}"}}],"text":"{name}"}},"subject":{{"reference":"Patient/pat-1"}},"onsetDateTime":"{onset}"}}"#
    )
}

fn problems() -> Vec<String> {
    vec![
        condition("c1", "Type 2 diabetes mellitus", "active", "2009"),
        condition("c2", "Essential hypertension", "active", "2012-05"),
        condition("c3", "Chronic kidney disease stage 3a", "active", "2021-02-11"),
        condition("c4", "Hyperlipidaemia", "active", "2013"),
        condition("c5", "Acute bronchitis", "resolved", "2024-01-20"),
        r#"{"resourceType":"Condition","id":"c6","verificationStatus":{"coding":[{"code":"refuted"}]},"code":{"text":"Heart failure"},"subject":{"reference":"Patient/pat-1"}}"#.into(),
        r#"{"resourceType":"Condition","id":"c7","category":[{"text":"Encounter Diagnosis"}],"code":{"text":"Dizziness"},"subject":{"reference":"Patient/pat-1"},"recordedDate":"2025-11-03"}"#.into(),
    ]
}

fn medication(id: &str, name: &str, status: &str, sig: &str, authored: &str) -> String {
    format!(
        r#"{{"resourceType":"MedicationRequest","id":"{id}","meta":{{"versionId":"1"}},"status":"{status}","intent":"order","medicationCodeableConcept":{{"coding":[{{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"8610{id}","display":"{name}"}}],"text":"{name}"}},"subject":{{"reference":"Patient/pat-1"}},"authoredOn":"{authored}","requester":{{"display":"Dr Elena Reyes"}},"dosageInstruction":[{{"text":"{sig}"}}]}}"#
    )
}

fn medications() -> Vec<String> {
    vec![
        medication("m1", "Metformin 500 mg tablet", "active", "1 tablet twice a day with meals", "2024-03-02"),
        medication("m2", "Lisinopril 10 mg tablet", "active", "1 tablet once a day", "2023-11-20"),
        medication("m3", "Atorvastatin 20 mg tablet", "active", "1 tablet at night", "2023-11-20"),
        medication("m4", "Empagliflozin 10 mg tablet", "on-hold", "1 tablet in the morning", "2026-03-12"),
        r#"{"resourceType":"MedicationRequest","id":"m5","status":"active","intent":"order","medicationReference":{"reference":"Medication/med-9","display":"Paracetamol"},"subject":{"reference":"Patient/pat-1"},"authoredOn":"2025-11-03","reportedBoolean":true,"dosageInstruction":[{"asNeededBoolean":true,"timing":{"repeat":{"frequency":3,"period":1,"periodUnit":"d"}},"doseAndRate":[{"doseQuantity":{"value":500,"unit":"mg"}}],"route":{"text":"by mouth"}}]}"#.into(),
        r#"{"resourceType":"Medication","id":"med-9","code":{"text":"Paracetamol 500 mg tablet"}}"#.into(),
        medication("m6", "Penicillin V 500 mg tablet", "stopped", "1 tablet four times a day", "2011-05-28"),
    ]
}

fn allergies() -> Vec<String> {
    vec![
        r#"{"resourceType":"AllergyIntolerance","id":"a1","clinicalStatus":{"coding":[{"code":"active"}]},"verificationStatus":{"coding":[{"code":"confirmed"}]},"type":"allergy","category":["medication"],"criticality":"high","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"70618","display":"Penicillin"}],"text":"Penicillin"},"patient":{"reference":"Patient/pat-1"},"onsetDateTime":"2011-05","reaction":[{"manifestation":[{"text":"Anaphylaxis"}],"severity":"severe"}]}"#.into(),
        r#"{"resourceType":"AllergyIntolerance","id":"a2","clinicalStatus":{"coding":[{"code":"active"}]},"criticality":"low","code":{"text":"Peanut"},"patient":{"reference":"Patient/pat-1"},"recordedDate":"2015-02-01","reaction":[{"manifestation":[{"text":"Hives"}],"severity":"mild"}]}"#.into(),
    ]
}

#[derive(Clone, Copy)]
pub(crate) struct Lab<'a> {
    pub(crate) id: &'a str,
    pub(crate) code: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) range: Option<(&'a str, &'a str)>,
    pub(crate) flag: &'a str,
    pub(crate) date: &'a str,
}

pub(crate) fn lab(l: &Lab<'_>, category: &str) -> String {
    let range = l.range.map_or(String::new(), |(low, high)| {
        format!(r#","referenceRange":[{{"low":{{"value":{low}}},"high":{{"value":{high}}}}}]"#)
    });
    let flag = if l.flag.is_empty() {
        String::new()
    } else {
        format!(
            r#","interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{}"}}]}}]"#,
            l.flag
        )
    };
    format!(
        r#"{{"resourceType":"Observation","id":"{}","status":"final","category":[{{"coding":[{{"code":"{category}"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{}"}}],"text":"{}"}},"subject":{{"reference":"Patient/pat-1"}},"effectiveDateTime":"{}","valueQuantity":{{"value":{},"unit":"{}","system":"http://unitsofmeasure.org","code":"{}"}}{range}{flag}}}"#,
        l.id, l.code, l.name, l.date, l.value, l.unit, l.unit
    )
}

fn series(
    code: &str,
    name: &str,
    unit: &str,
    range: Option<(&str, &str)>,
    values: &[(&str, &str, &str)],
    category: &str,
) -> Vec<String> {
    let one = |(index, (date, value, flag)): (usize, &(&str, &str, &str))| {
        let id = format!("{code}-{index}");
        lab(&Lab { id: &id, code, name, value, unit, range, flag, date }, category)
    };
    values.iter().enumerate().map(one).collect()
}

fn results() -> Vec<String> {
    let mut all = series(
        "4548-4",
        "Hemoglobin A1c",
        "%",
        Some(("4.0", "5.6")),
        &[
            ("2023-03-10T08:00:00Z", "6.9", "H"),
            ("2023-09-14T08:00:00Z", "7.2", "H"),
            ("2024-06-01T08:00:00Z", "7.1", "H"),
            ("2025-05-20T08:00:00Z", "7.8", "H"),
            ("2026-03-12T08:00:00Z", "8.10", "H"),
        ],
        "laboratory",
    );
    all.extend(series(
        "2160-0",
        "Creatinine",
        "mg/dL",
        Some(("0.6", "1.1")),
        &[
            ("2024-06-01T08:00:00Z", "1.0", ""),
            ("2025-05-20T08:00:00Z", "1.2", ""),
            ("2026-03-12T08:00:00Z", "1.3", ""),
        ],
        "laboratory",
    ));
    all.extend(series(
        "2823-3",
        "Potassium",
        "mmol/L",
        Some(("3.5", "5.1")),
        &[("2025-05-20T08:00:00Z", "4.4", "N"), ("2026-03-12T08:00:00Z", "6.3", "HH")],
        "laboratory",
    ));
    all.extend(series(
        "13457-7",
        "LDL cholesterol (calculated)",
        "mg/dL",
        None,
        &[("2025-05-20T08:00:00Z", "88", ""), ("2026-03-12T08:00:00Z", "96", "")],
        "laboratory",
    ));
    all.extend(series(
        "718-7",
        "Hemoglobin",
        "g/dL",
        Some(("12.0", "15.5")),
        &[("2026-03-12T08:00:00Z", "11.2", "L")],
        "laboratory",
    ));
    all.push(r#"{"resourceType":"Observation","id":"cult","status":"preliminary","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Urine culture"},"subject":{"reference":"Patient/pat-1"},"effectiveDateTime":"2026-07-12","valueString":"No growth after 24 hours"}"#.into());
    all.push(r#"{"resourceType":"Observation","id":"hcv","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Hepatitis C antibody"},"subject":{"reference":"Patient/pat-1"},"effectiveDateTime":"2022-01-12","valueCodeableConcept":{"text":"Not detected"}}"#.into());
    all.push(r#"{"resourceType":"Observation","id":"hiv","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"HIV antibody"},"subject":{"reference":"Patient/pat-1"},"effectiveDateTime":"2022-01-12","dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"masked"}]},"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}}"#.into());
    all.push(r#"{"resourceType":"Observation","id":"egfr","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"98979-8"}],"text":"eGFR"},"subject":{"reference":"Patient/pat-1"},"effectiveDateTime":"2026-03-12T08:00:00Z","valueQuantity":{"value":47.26358907701231,"unit":"mL/min/{1.73_m2}","code":"mL/min/{1.73_m2}"}}"#.into());
    all.push(r#"{"resourceType":"Observation","id":"tsh-err","status":"entered-in-error","category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"TSH"},"subject":{"reference":"Patient/pat-1"},"effectiveDateTime":"2026-03-12","valueQuantity":{"value":99,"unit":"mIU/L"}}"#.into());
    all
}

fn pressure(id: &str, date: &str, systolic: &str, diastolic: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","category":[{{"coding":[{{"code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9"}}],"text":"Blood pressure panel with all children optional"}},"subject":{{"reference":"Patient/pat-1"}},"effectiveDateTime":"{date}","component":[{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}}]}},"valueQuantity":{{"value":{systolic},"unit":"mm[Hg]","code":"mm[Hg]"}},"interpretation":[{{"coding":[{{"code":"H"}}]}}]}},{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8462-4","display":"Diastolic blood pressure"}}]}},"valueQuantity":{{"value":{diastolic},"unit":"mm[Hg]","code":"mm[Hg]"}}}}]}}"#
    )
}

fn vitals() -> Vec<String> {
    let mut all = vec![
        pressure("bp1", "2025-06-10T10:05:00-04:00", "138", "84"),
        pressure("bp2", "2026-03-12T09:05:00-04:00", "151", "90"),
        pressure("bp3", "2026-07-14T13:45:00-04:00", "142", "88"),
    ];
    let vital = |code, name, unit, values: &[(&str, &str, &str)]| {
        series(code, name, unit, None, values, "vital-signs")
    };
    all.extend(vital(
        "8867-4",
        "Heart rate",
        "/min",
        &[("2025-06-10T10:05:00-04:00", "80", ""), ("2026-07-14T13:45:00-04:00", "76", "")],
    ));
    all.extend(vital(
        "2708-6",
        "Oxygen saturation in Arterial blood",
        "%",
        &[("2026-07-14T13:45:00-04:00", "97", "")],
    ));
    all.extend(vital("8310-5", "Body temperature", "Cel", &[("2026-07-14T13:45:00-04:00", "36.8", "")]));
    all.extend(vital(
        "29463-7",
        "Body weight",
        "kg",
        &[
            ("2024-06-01T10:00:00-04:00", "88.2", ""),
            ("2025-06-10T10:05:00-04:00", "86.0", ""),
            ("2026-07-14T13:45:00-04:00", "83.5", ""),
        ],
    ));
    all.extend(vital("8302-2", "Body height", "cm", &[("2025-06-10T10:05:00-04:00", "162", "")]));
    all
}

pub(crate) fn document(id: &str, kind: &str, date: &str, attachment: &str) -> String {
    format!(
        r#"{{"resourceType":"DocumentReference","id":"{id}","status":"current","docStatus":"final","type":{{"text":"{kind}"}},"subject":{{"reference":"Patient/pat-1"}},"date":"{date}","author":[{{"display":"Dr Elena Reyes"}}],"content":[{{"attachment":{attachment}}}]}}"#
    )
}

fn documents() -> Vec<String> {
    vec![
        document(
            "d1",
            "Progress note",
            "2026-03-12T10:00:00-04:00",
            r#"{"contentType":"text/plain","data":"UGF0aWVudCBzZWVuIGZvciBkaWFiZXRlcyBmb2xsb3ctdXAuCkhiQTFjIDguMSAlLiBFbXBhZ2xpZmxvemluIG9uIGhvbGQu"}"#,
        ),
        document(
            "d2",
            "Discharge summary",
            "2025-11-04T09:00:00-05:00",
            r#"{"contentType":"application/pdf","url":"Binary/b1"}"#,
        ),
        document(
            "d3",
            "Letter from ophthalmology",
            "2025-09-20",
            r#"{"contentType":"application/octet-stream"}"#,
        ),
    ]
}
