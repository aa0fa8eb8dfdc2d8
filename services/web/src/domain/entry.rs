//! Where a launch opens: what the EHR said with `intent` and `fhirContext` (SMART App Launch 2.2, launch context).

use serde::Deserialize;

use super::page::Page;

/// One item of `fhirContext` that this chart can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContextItem {
    /// `Type/id`.
    pub(crate) reference: String,
    /// The resource type.
    pub(crate) resource_type: String,
}

/// The page for an intent. The values are agreed between EHR and app; an unknown one opens the usual page (TOK-08).
fn page_of_intent(intent: &str) -> Option<Page> {
    let intent = intent.trim().to_ascii_lowercase();
    let intent =
        ["view-", "show-", "open-", "review-"].iter().find_map(|p| intent.strip_prefix(p)).unwrap_or(&intent);
    Some(match intent {
        "summary" | "summary-view" | "chart" => Page::Summary,
        "problems" | "problem-list" | "conditions" | "allergies" => Page::Problems,
        "medications" | "medication-list" | "reconcile-medications" | "medication-reconciliation" => {
            Page::Medications
        }
        "results" | "labs" | "lab-results" | "laboratory" => Page::Results,
        "vitals" | "vital-signs" => Page::Vitals,
        "visits" | "encounters" => Page::Visits,
        "documents" | "notes" | "document" => Page::Documents,
        "care-gaps" => Page::CareGaps,
        "immunizations" | "procedures" | "care-team" | "coverage" => Page::More,
        _ => return None,
    })
}

/// The page that shows a resource type.
fn page_of_type(resource_type: &str) -> Option<Page> {
    Some(match resource_type {
        "DocumentReference" => Page::Documents,
        "MedicationRequest" | "Medication" => Page::Medications,
        "Condition" | "AllergyIntolerance" => Page::Problems,
        "DiagnosticReport" => Page::Results,
        "Encounter" => Page::Visits,
        "Immunization" | "Procedure" | "CareTeam" | "Coverage" => Page::More,
        _ => return None,
    })
}

/// Where the launch opens: by intent, else by the first item of `fhirContext` that a page shows, else the summary.
pub(crate) fn landing(intent: &str, fhir_context: &[ContextItem]) -> Page {
    page_of_intent(intent)
        .or_else(|| fhir_context.iter().find_map(|item| page_of_type(&item.resource_type)))
        .unwrap_or(Page::Summary)
}

/// The items of `fhirContext` with a relative reference. SMART 2.2 has objects, 2.0 plain strings; items of another role
/// than `launch` say what the resource is for and are left alone.
pub(crate) fn context_items(json: &str) -> Vec<ContextItem> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Item {
        Plain(String),
        Object { reference: Option<String>, role: Option<String> },
        Other(serde::de::IgnoredAny),
    }
    let items: Vec<Item> = serde_json::from_str(json).unwrap_or_default();
    let references = items.into_iter().filter_map(|item| match item {
        Item::Plain(reference) => Some(reference),
        Item::Object { reference, role } => reference.filter(|_| role.is_none_or(|role| role == "launch")),
        Item::Other(_) => None,
    });
    references
        .filter_map(|reference| {
            let (resource_type, id) = reference.split_once('/')?;
            let is_type = !resource_type.is_empty() && resource_type.bytes().all(|b| b.is_ascii_alphabetic());
            let is_id = sallyport_model::ids::is_logical_id(id, 256);
            (is_type && is_id).then(|| ContextItem {
                resource_type: resource_type.to_owned(),
                reference: reference.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intent_decides_and_an_unknown_one_opens_the_summary() {
        assert_eq!(landing("results", &[]), Page::Results);
        assert_eq!(landing("reconcile-medications", &[]), Page::Medications);
        assert_eq!(landing("view-documents", &[]), Page::Documents);
        for unknown in ["", "order-sign", "../../etc", "Summary\n"] {
            assert_eq!(landing(unknown, &[]), Page::Summary, "{unknown}");
        }
    }

    #[test]
    fn a_document_in_the_context_opens_the_documents() {
        let items =
            context_items(r#"[{"reference":"ImagingStudy/1"},{"reference":"DocumentReference/d.1"}]"#);
        assert_eq!(landing("", &items), Page::Documents);
        assert_eq!(landing("vitals", &items), Page::Vitals);
    }

    #[test]
    fn context_items_of_both_versions_are_read_and_nothing_else() {
        let json = r#"["Encounter/e","x",{"reference":"Condition/c","role":"launch"},{"reference":"Condition/other","role":"https://x"},
            {"reference":"https://elsewhere.example/Condition/c"},{"canonical":"x"},7,null]"#;
        let references: Vec<String> = context_items(json).into_iter().map(|i| i.reference).collect();
        assert_eq!(references, ["Encounter/e", "Condition/c"]);
        assert_eq!(context_items(""), vec![]);
        assert_eq!(context_items("{}"), vec![]);
    }
}
