use sallyport_clinical::{Mapping, Section, reconcile::ChangeKind};

use super::*;
use crate::cli::AskerArgs;

fn saturation(id: &str, patient: &str, first: &str, second: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","category":[{{"coding":[{{"code":"vital-signs"}}]}}],"subject":{{"reference":"{patient}"}},"code":{{"coding":[{{"system":"http://loinc.org","code":"{first}"}},{{"system":"http://loinc.org","code":"{second}"}}],"text":"SpO2"}},"effectiveDateTime":"2026-01-01","valueQuantity":{{"value":97,"unit":"%"}}}}"#
    )
}

/// A bundle of one patient in whose chart something would change, and another's lines where nothing would.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entries: Vec<String> = [
        r#"{"resourceType":"Patient","id":"p1"}"#.to_owned(),
        saturation("o1", "urn:uuid:p1", "59408-5", "2708-6"),
        r#"{"resourceType":"Claim","id":"c"}"#.to_owned(),
    ]
    .iter()
    .map(|resource| format!(r#"{{"resource":{resource}}}"#))
    .collect();
    let bundle =
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    std::fs::write(folder.path().join("a.json"), bundle).unwrap();
    let lines = [r#"{"resourceType":"Patient","id":"p2"}"#, &saturation("o2", "Patient/p2", "2708-6", "x")]
        .join("\n");
    std::fs::write(folder.path().join("b.ndjson"), format!("{lines}\n\n")).unwrap();
    std::fs::write(folder.path().join("README.txt"), "not a record").unwrap();
    folder
}

fn args(folder: &tempfile::TempDir, to: Mapping, values: bool) -> ReconcileArgs {
    ReconcileArgs {
        bundles: Some(folder.path().to_owned()),
        endpoint: None,
        tenant: None,
        from: None,
        to,
        fhir_version: None,
        values,
        json: false,
        asker: AskerArgs::default(),
    }
}

#[tokio::test]
async fn what_would_change_is_counted_and_values_stay_out_of_sight() {
    let folder = folder();
    let report = examine(&args(&folder, Mapping::V2026_2, false)).await.unwrap();
    assert_eq!((report.charts, report.resources, report.left_out), (2, 4, 1));
    assert_eq!(report.changed_charts, 2);
    let code = report.lines.iter().find(|l| l.element == "what.value.code.code").unwrap();
    assert_eq!(
        (code.section, code.kind, code.entries, code.charts),
        (Section::Vitals, ChangeKind::Changed, 1, 1)
    );
    assert_eq!(code.example, "Observation/o1");
    let text = report.to_string();
    assert!(text.contains("2 of 2 charts would change") && text.contains("mapping = \"2026.2\""), "{text}");
    assert!(!text.contains("59408-5") && !serde_json::to_string(&report).unwrap().contains("59408-5"));
}

#[tokio::test]
async fn values_are_shown_when_asked_for() {
    let folder = folder();
    let text = examine(&args(&folder, Mapping::V2026_2, true)).await.unwrap().to_string();
    assert!(text.contains("59408-5 -> 2708-6 (1)"), "{text}");
}

#[tokio::test]
async fn between_a_mapping_and_itself_nothing_changes_and_the_command_ends_well() {
    let folder = folder();
    let report = examine(&args(&folder, Mapping::V2026_1, true)).await.unwrap();
    assert!(report.lines.is_empty() && report.to_string().ends_with("Nothing would change.\n"));
}

#[tokio::test]
async fn a_resource_without_an_id_is_named_by_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let resource = saturation("x", "urn:uuid:p1", "59408-5", "2708-6").replace(r#""id":"x","#, "");
    let bundle = format!(
        r#"{{"entry":[{{"fullUrl":"urn:uuid:p1","resource":{{"resourceType":"Patient"}}}},{{"fullUrl":"urn:uuid:o-1","resource":{resource}}},{{"resource":{resource}}}]}}"#
    );
    std::fs::write(folder.path().join("a.json"), bundle).unwrap();
    let report = examine(&args(&folder, Mapping::V2026_2, false)).await.unwrap();
    assert_eq!((report.charts, report.resources, report.lines[0].entries), (1, 3, 2));
    assert_eq!(report.lines[0].example, "Observation/o-1");
}

#[tokio::test]
async fn a_folder_without_records_is_an_error_that_says_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let error = examine(&args(&folder, Mapping::V2026_2, false)).await.unwrap_err();
    assert!(error.to_string().contains("Bundles or NDJSON"), "{error}");
    std::fs::write(folder.path().join("x.json"), "not json, but SECRET").unwrap();
    let error = format!("{:#}", examine(&args(&folder, Mapping::V2026_2, false)).await.unwrap_err());
    assert!(error.contains("x.json") && !error.contains("SECRET"), "{error}");
}
