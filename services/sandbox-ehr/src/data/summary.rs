//! Short views of the records for the people who choose from lists: the portal and the pickers.

use serde_json::Value;

use super::Records;

/// One line of a patient list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PatientSummary {
    /// The logical id.
    pub id: String,
    /// The name as written on a wristband.
    pub name: String,
    /// The date of birth as recorded, which may be partial or missing.
    pub birth_date: String,
    /// The administrative gender.
    pub gender: String,
    /// The medical record number, empty where there is none.
    pub mrn: String,
}

/// One line of an encounter list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EncounterSummary {
    /// The logical id.
    pub id: String,
    /// When it began, as recorded.
    pub start: String,
    /// What kind of encounter it was.
    pub kind: String,
}

/// One line of a clinician list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PractitionerSummary {
    /// The logical id.
    pub id: String,
    /// The clinician's name.
    pub name: String,
}

impl Records {
    /// Every patient, in the order of their charts.
    pub fn patients(&self) -> Vec<PatientSummary> {
        self.all("Patient").filter_map(|record| record.current()).map(|body| patient(body)).collect()
    }

    /// One patient's summary.
    pub fn patient(&self, id: &str) -> Option<PatientSummary> {
        self.read("Patient", id).map(|body| patient(body))
    }

    /// A patient's encounters, newest first.
    pub fn encounters(&self, patient_id: &str) -> Vec<EncounterSummary> {
        let mut found: Vec<EncounterSummary> = self
            .of_patient("Encounter", patient_id)
            .filter_map(|record| record.current())
            .map(|body| EncounterSummary {
                id: text(body, "/id"),
                start: text(body, "/period/start"),
                kind: first_of(
                    body,
                    &["/type/0/text", "/type/0/coding/0/display", "/class/display", "/class/code"],
                ),
            })
            .collect();
        found.sort_by(|a, b| b.start.cmp(&a.start).then_with(|| a.id.cmp(&b.id)));
        found
    }

    /// Every clinician.
    pub fn practitioners(&self) -> Vec<PractitionerSummary> {
        let bodies = self.all("Practitioner").filter_map(|record| record.current());
        bodies.map(|body| PractitionerSummary { id: text(body, "/id"), name: name(body) }).collect()
    }
}

fn patient(body: &Value) -> PatientSummary {
    PatientSummary {
        id: text(body, "/id"),
        name: name(body),
        birth_date: text(body, "/birthDate"),
        gender: text(body, "/gender"),
        mrn: mrn(body),
    }
}

/// The official name, else the first one; its text, else prefix, given and family.
fn name(body: &Value) -> String {
    let names = body.get("name").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let official = names.iter().find(|name| name.get("use").and_then(Value::as_str) == Some("official"));
    let Some(name) = official.or_else(|| names.first()) else { return String::new() };
    if let Some(text) = name.get("text").and_then(Value::as_str) {
        return text.to_owned();
    }
    let list = |member: &str| -> Vec<&str> {
        name.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let mut parts = list("prefix");
    parts.extend(list("given"));
    parts.extend(name.get("family").and_then(Value::as_str));
    parts.extend(list("suffix"));
    parts.join(" ")
}

fn mrn(body: &Value) -> String {
    let identifiers = body.get("identifier").and_then(Value::as_array).into_iter().flatten();
    let is_mrn = |identifier: &&Value| {
        let codings = identifier.pointer("/type/coding").and_then(Value::as_array).into_iter().flatten();
        codings.into_iter().any(|coding| coding.get("code").and_then(Value::as_str) == Some("MR"))
    };
    let found = identifiers.into_iter().find(is_mrn).and_then(|identifier| identifier.get("value"));
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn text(body: &Value, pointer: &str) -> String {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn first_of(body: &Value, pointers: &[&str]) -> String {
    pointers.iter().map(|pointer| text(body, pointer)).find(|found| !found.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patient_line_takes_the_official_name_and_the_record_number() {
        let mut records = Records::default();
        let body = json!({"resourceType": "Patient", "id": "p", "birthDate": "1980", "gender": "other",
            "name": [{"use": "nickname", "text": "Bo"},
                     {"use": "official", "prefix": ["Dr."], "given": ["Bo", "Li"], "family": "Sand"}],
            "identifier": [{"value": "1"}, {"type": {"coding": [{"code": "MR"}]}, "value": "MRN9"}]});
        records.insert(body).unwrap();
        let line = records.patient("p").unwrap();
        assert_eq!((line.name.as_str(), line.mrn.as_str()), ("Dr. Bo Li Sand", "MRN9"));
        assert_eq!(records.patients(), [line]);
    }

    #[test]
    fn a_patient_without_name_or_number_has_empty_fields_and_does_not_vanish() {
        let mut records = Records::default();
        records.insert(json!({"resourceType": "Patient", "id": "p"})).unwrap();
        assert_eq!(records.patients().len(), 1);
        assert_eq!(records.patients()[0].name, "");
    }

    #[test]
    fn encounters_come_newest_first_and_of_one_patient() {
        let mut records = Records::default();
        for (id, patient, start) in
            [("a", "p", "2020-01-01"), ("b", "p", "2024-01-01"), ("c", "q", "2025-01-01")]
        {
            records
                .insert(json!({"resourceType": "Encounter", "id": id, "class": {"code": "AMB"},
                    "subject": {"reference": format!("Patient/{patient}")}, "period": {"start": start}}))
                .unwrap();
        }
        let found = records.encounters("p");
        assert_eq!(found.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(found[0].kind, "AMB");
    }
}
