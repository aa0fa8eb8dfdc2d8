//! Documents: notes with the text inside, and letters whose bytes lie in a Binary.

use super::tree::tree;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    chart::Chart,
    clinic::{Clinician, HOSPITAL, REYES},
    code::{Code, LOINC, coding, concept, named, reference},
    moment::{Moment, days_after},
    visits::{Kind, Visit},
};

/// A document and where its bytes are.
struct Document<'v> {
    kind: Code,
    text: String,
    at: Moment,
    author: &'static Clinician,
    visit: Option<&'v Visit>,
    is_separate: bool,
    status: &'static str,
}

/// Stores progress notes of recent visits, a discharge summary after each admission and one outside letter.
pub(super) fn write(chart: &mut Chart<'_>) {
    let visits = chart.visits.clone();
    for visit in visits.iter().rev().filter(|visit| !visit.is_open && visit.kind != Kind::Inpatient).take(3) {
        let text = progress_note(chart, visit);
        let status = "current";
        let kind = ("11506-3", "Progress note");
        let at = visit.at.plus(35);
        store(
            chart,
            &Document {
                kind,
                text,
                at,
                author: visit.clinician,
                visit: Some(visit),
                is_separate: false,
                status,
            },
        );
    }
    for visit in visits.iter().filter(|visit| visit.kind == Kind::Inpatient) {
        let text = discharge_summary(chart, visit);
        let kind = ("18842-5", "Discharge summary");
        let at = visit.at.plus(4 * 24 * 60 + 90).min(Moment::at(chart.today(), 3, 0));
        store(
            chart,
            &Document {
                kind,
                text,
                at,
                author: visit.clinician,
                visit: Some(visit),
                is_separate: true,
                status: "current",
            },
        );
    }
    letter(chart);
}

/// A consultation letter from outside: separate bytes, and for some patients one withdrawn again.
fn letter(chart: &mut Chart<'_>) {
    let at = Moment::at(days_after(chart.today(), -chart.whole(30, 160)).max(chart.person.birth), 13, 0);
    let text = format!(
        "Consultation letter\n\nRe: {}\n\nThank you for the referral. No new findings; please continue the current plan.\n",
        whom(chart)
    );
    let kind = ("11488-4", "Consult note");
    let document =
        Document { kind, text, at, author: &REYES, visit: None, is_separate: true, status: "current" };
    store(chart, &document);
    if chart.person.number % 6 == 3 {
        let text = "Filed in the wrong chart.\n".to_owned();
        store(chart, &Document { text, is_separate: false, status: "entered-in-error", ..document });
    }
}

fn store(chart: &mut Chart<'_>, document: &Document<'_>) {
    let id = chart.next_id("doc");
    let size = document.text.len();
    let mut attachment = tree!({ "contentType": "text/plain; charset=utf-8", "language": "en-US", "size": size,
        "title": document.kind.1, "creation": document.at.local() });
    let bytes = STANDARD.encode(&document.text);
    if let Some(members) = attachment.as_object_mut() {
        if document.is_separate {
            let binary = chart.next_id("bin");
            members.insert("url".to_owned(), tree!(format!("Binary/{binary}")));
            let body = tree!({ "resourceType": "Binary", "id": binary, "contentType": "text/plain; charset=utf-8",
                "securityContext": chart.subject(), "data": bytes });
            chart.put(&[], document.at, body);
        } else {
            members.insert("data".to_owned(), tree!(bytes));
        }
    }
    let mut body = tree!({
        "resourceType": "DocumentReference",
        "id": &id,
        "status": document.status,
        "docStatus": if document.status == "current" { "final" } else { "entered-in-error" },
        "identifier": [{ "system": "https://sandbox.sallyport.example/document", "value": &id }],
        "type": concept(LOINC, document.kind),
        "category": [{ "coding": [coding("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                                         ("clinical-note", "Clinical Note"))] }],
        "subject": chart.subject(),
        "date": document.at.instant(),
        "author": [named("Practitioner", document.author.id, document.author.name)],
        "custodian": named("Organization", "org-harborlight", HOSPITAL),
        "content": [{ "attachment": attachment,
                      "format": coding("http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
                                       ("urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient")) }],
    });
    if let (Some(visit), Some(members)) = (document.visit, body.as_object_mut()) {
        let end = visit.at.plus(30);
        members.insert(
            "context".to_owned(),
            tree!({ "encounter": [reference("Encounter", &visit.id)],
                    "period": { "start": visit.at.local(), "end": end.local() } }),
        );
    }
    chart.put(&["us-core-documentreference"], document.at, body);
}

fn whom(chart: &Chart<'_>) -> String {
    format!("{} {}, born {}", chart.person.given, chart.person.family, chart.person.birth)
}

/// What the notes may say about diseases: nothing that is released by consent only.
fn problems(chart: &Chart<'_>) -> String {
    let open = chart.illnesses.iter().filter(|illness| !illness.disease.is_part2());
    let names: Vec<&str> = open.map(|illness| illness.disease.snomed().1).collect();
    if names.is_empty() { "none on the problem list".to_owned() } else { names.join("; ") }
}

fn progress_note(chart: &Chart<'_>, visit: &Visit) -> String {
    let reason = match visit.kind {
        Kind::Wellness => "Routine visit.",
        Kind::Telehealth => "Video visit.",
        Kind::Emergency => "Seen in the emergency department.",
        _ => "Follow-up.",
    };
    format!(
        "Progress note\n\nPatient: {}\nSeen by: {}\nDate: {}\n\nSubjective\n{reason} No new complaints reported beyond the reason for the visit.\n\nAssessment\n{}\n\nPlan\nContinue current medication. Review at the next visit.\n",
        whom(chart),
        visit.clinician.name,
        visit.at.date,
        problems(chart),
    )
}

fn discharge_summary(chart: &Chart<'_>, visit: &Visit) -> String {
    format!(
        "Discharge summary\n\nPatient: {}\nAdmitted: {}\nAttending: {}\n\nDiagnoses\n{}\n\nCourse\nAdmitted with worsening breathlessness. Improved with treatment.\n",
        whom(chart),
        visit.at.date,
        visit.clinician.name,
        problems(chart),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::data::Records;

    #[test]
    fn inline_bytes_decode_to_the_stated_size_and_separate_ones_can_be_found() {
        let records = Records::generate(3, 1);
        let (mut inline, mut separate) = (0, 0);
        for record in records.of_patient("DocumentReference", "pat-0001") {
            let attachment = &record.current().unwrap()["content"][0]["attachment"];
            let data = match attachment["data"].as_str() {
                Some(data) => {
                    inline += 1;
                    data.to_owned()
                }
                None => {
                    separate += 1;
                    let id = attachment["url"].as_str().unwrap().strip_prefix("Binary/").unwrap();
                    let binary: &Value = records.read("Binary", id).unwrap();
                    binary["data"].as_str().unwrap().to_owned()
                }
            };
            assert_eq!(STANDARD.decode(data).unwrap().len() as u64, attachment["size"].as_u64().unwrap());
        }
        assert!(inline > 0 && separate > 0);
    }
}
