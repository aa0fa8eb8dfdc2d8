//! Care-gap scans: what they read, what they keep, and for whom it is opened.

use sallyport_model::{Code, ServiceName};
use sallyport_proto::jobs::v1::{CareGapsOfPatientRequest, EraseRequest, care_gaps_client::CareGapsClient};
use sallyport_registry::Registry;
use serde_json::{Value, json};
use tonic::Status;

use crate::world::{Worker, World, code, each, tenant};

pub(crate) const SCOPES: &str =
    "system/Patient.rs system/Observation.rs system/Condition.rs system/Procedure.rs system/Encounter.rs";

pub(crate) fn scan(feature: &str, more: &str) -> String {
    format!(
        "[[job]]\nid = \"gaps\"\ntitle = \"Care gaps\"\nkind = \"care-gap-scan\"\nfeature = \"{feature}\"\n\
         registration = \"general-backend\"\npurpose = \"HOPERAT\"\nidentity = \"backend\"\non = true\n\
         stage = \"general\"\n[job.cohort]\npatients = [\"p000\", \"p001\"]\n{more}\n"
    )
}

/// Glycemic control alone, so that what a test says is all there is.
pub(crate) const ONE_MEASURE: &str = "[job.options.rules.measures]\nblood-pressure-control.off = true\n\
     breast-screening.off = true\ncolorectal-screening.off = true\nkidney-evaluation.off = true\n";

/// A patient of 60 with diabetes whose HbA1c is today's.
pub(crate) fn chart(world: &World, patient: &str, hba1c: &str) {
    let today =
        jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::get("America/New_York").unwrap());
    let (year, day) = (today.year(), today.strftime("%Y-%m-%d").to_string());
    let subject = json!({"reference": format!("Patient/{patient}")});
    let mut charts = world.ehr.charts.lock().unwrap();
    let mut put = |what: &str, resources: Vec<Value>| {
        let texts = resources.iter().map(|one| one.to_string().replace("\"HBA1C\"", hba1c)).collect();
        charts.insert((patient.to_owned(), what.to_owned()), texts);
    };
    put(
        &format!("Patient/{patient}"),
        vec![json!({
        "resourceType": "Patient", "id": patient, "birthDate": format!("{}-03-04", year - 60), "gender": "male"})],
    );
    put(
        "Condition?",
        vec![json!({
        "resourceType": "Condition", "id": "dm", "subject": subject, "onsetDateTime": "2015-02-01",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9"}]}})],
    );
    put(
        "Observation?",
        vec![json!({
        "resourceType": "Observation", "id": "a1c", "status": "final", "subject": subject, "effectiveDateTime": day,
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "valueQuantity": {"value": "HBA1C", "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}})],
    );
    put("Procedure?", Vec::new());
    put("Encounter?", Vec::new());
}

async fn found(worker: &Worker, caller: ServiceName, patient: &str) -> Result<Vec<Value>, Status> {
    let request = CareGapsOfPatientRequest {
        tenant: "general".to_owned(),
        endpoint: "main".to_owned(),
        patient: patient.to_owned(),
    };
    let answer = CareGapsClient::new(worker.transport(caller)).of_patient(request).await?.into_inner();
    Ok(answer.found.iter().map(|one| serde_json::from_slice(&one.json).unwrap()).collect())
}

fn outcomes(found: &Value) -> Vec<(&str, &str)> {
    let all = found["assessments"].as_array().unwrap().iter();
    all.map(|one| (one["measure"].as_str().unwrap(), one["outcome"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_judges_each_patient_and_opens_it_for_the_gateway_alone() {
    each(&[tenant("general", &scan("care-gaps", ONE_MEASURE))], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "7.2");
        let worker = world.worker(1).await;
        let run = worker.start("general", "gaps").await.unwrap();
        let done = worker.until(&run, "done").await.progress.unwrap();
        assert_eq!((done.items_done, done.quarantined, done.subjects, done.calls), (2, 0, 2, 10));
        let gap = found(&worker, ServiceName::FhirGateway, "p000").await.unwrap();
        assert_eq!(gap.len(), 1);
        assert_eq!(outcomes(&gap[0]), [("diabetes-glycemic-status", "gap")]);
        let evidence = &gap[0]["assessments"][0]["evidence"][0];
        assert_eq!(
            (evidence["value"].as_str(), evidence["source"]["reference"].as_str()),
            (Some("9.4 %"), Some("Observation/a1c"))
        );
        let met = found(&worker, ServiceName::FhirGateway, "p001").await.unwrap();
        assert_eq!(outcomes(&met[0]), [("diabetes-glycemic-status", "met")]);
        assert!(
            found(&worker, ServiceName::FhirGateway, "p002").await.unwrap().is_empty(),
            "nobody judged p002"
        );
        let denied = found(&worker, ServiceName::Web, "p000").await.unwrap_err();
        assert_eq!(code(&denied), "rpc.caller_denied");
        let plain = "SELECT count(*) FROM results WHERE CAST(sealed AS TEXT) LIKE '%glycemic%' \
                     OR CAST(subject AS TEXT) LIKE '%p000%'";
        assert_eq!(world.number(plain).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_measures_look_at_is_read_and_no_further_back() {
    each(&[tenant("general", &scan("care-gaps", ONE_MEASURE))], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let run = worker.start("general", "gaps").await.unwrap();
        worker.until(&run, "done").await;
        let calls = world.ehr.calls.lock().unwrap();
        let of: Vec<_> = calls.iter().filter(|call| call.patient == "p000").collect();
        let what: Vec<&str> = of.iter().map(|call| call.what.as_str()).collect();
        assert_eq!(what, ["Patient/p000", "Condition?", "Observation?", "Procedure?", "Encounter?"]);
        let labs = &of[2].parameters;
        let year = jiff::Timestamp::now()
            .to_zoned_datetime(jiff::tz::TimeZone::get("America/New_York").unwrap())
            .year();
        assert_eq!(labs[0], ("category".to_owned(), "laboratory".to_owned()));
        assert_eq!(labs[1], ("date".to_owned(), format!("ge{}-12-31", year - 1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ehr_refuses_makes_a_measure_unsure_and_what_may_pass_is_tried_again() {
    each(&[tenant("general", &scan("care-gaps", ONE_MEASURE))], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        world.ehr.faults.lock().unwrap().missing.insert("Procedure?".to_owned(), Code::UpstreamForbidden);
        let worker = world.worker(1).await;
        let run = worker.start("general", "gaps").await.unwrap();
        worker.until(&run, "done").await;
        let unsure = found(&worker, ServiceName::FhirGateway, "p000").await.unwrap();
        assert_eq!(outcomes(&unsure[0]), [("diabetes-glycemic-status", "cannot_tell")]);
        world.ehr.faults.lock().unwrap().missing.clear();
        let again = worker.start("general", "gaps").await.unwrap();
        worker.until(&again, "done").await;
        let sure = found(&worker, ServiceName::FhirGateway, "p000").await.unwrap();
        assert_eq!(sure.len(), 1, "a later run replaces what an earlier one found");
        assert_eq!(outcomes(&sure[0]), [("diabetes-glycemic-status", "gap")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_is_not_asked_for_and_told() {
    each(&[tenant("general", &scan("care-gaps-narrow", ONE_MEASURE))], |world| async move {
        "system/Patient.rs system/Observation.rs system/Condition.rs"
            .clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let run = worker.start("general", "gaps").await.unwrap();
        worker.until(&run, "done").await;
        assert_eq!(
            world.ehr.calls_about("p000", "Procedure?") + world.ehr.calls_about("p000", "Encounter?"),
            0
        );
        let unsure = found(&worker, ServiceName::FhirGateway, "p000").await.unwrap();
        assert_eq!(outcomes(&unsure[0]), [("diabetes-glycemic-status", "cannot_tell")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_ends_with_its_lifetime_and_is_erased_by_patient() {
    each(&[tenant("general", &scan("care-gaps", ONE_MEASURE))], |world| async move {
        SCOPES.clone_into(&mut world.owners.granted.lock().unwrap());
        chart(&world, "p000", "9.4");
        chart(&world, "p001", "9.4");
        let worker = world.worker(1).await;
        let run = worker.start("general", "gaps").await.unwrap();
        worker.until(&run, "done").await;
        let erase = EraseRequest {
            tenant: "general".to_owned(),
            endpoint: "main".to_owned(),
            patient: "p000".to_owned(),
            by: "ada".to_owned(),
            reason: "asked for by the patient".to_owned(),
        };
        assert_eq!(worker.client().erase(erase).await.unwrap().into_inner().results, 1);
        assert!(found(&worker, ServiceName::FhirGateway, "p000").await.unwrap().is_empty());
        assert_eq!(found(&worker, ServiceName::FhirGateway, "p001").await.unwrap().len(), 1);
        world.execute("UPDATE results SET expires_at = 1").await;
        assert!(found(&worker, ServiceName::FhirGateway, "p001").await.unwrap().is_empty());
    })
    .await;
}

#[test]
fn a_definition_that_cannot_work_is_refused_with_what_to_do() {
    let refused = |jobs: &str| {
        let registry = Registry::from_texts(&[tenant("general", jobs)]).unwrap();
        sallyport_job_worker::check(&registry).unwrap_err()
    };
    let narrow = scan("crawl", "");
    assert_eq!(
        refused(&narrow),
        "tenant general: job gaps scans for care gaps with feature crawl, which does not read Procedure: its measures look at that"
    );
    let wrong = scan("care-gaps", "[job.options.rules.measures.breast-screening.population.age]\nfrom = 90");
    assert_eq!(
        refused(&wrong),
        "tenant general: job gaps has rules that are not right: job.options.rules: \
         measures.breast-screening.population.age: from is more than to: nobody is of that age"
    );
    let misspelt = scan("care-gaps", "[job.options]\nrulez = {}");
    assert!(
        refused(&misspelt)
            .starts_with("tenant general: job gaps has [job.options] that a care-gap scan does not take: ")
    );
}
