//! Judges the Bundles of a folder, one patient each: `cargo run --release --example judge_bundles -- FOLDER YYYY-MM-DD`.
//! Prints what was found of whom (by number, never by name) and how long it took.

#![expect(clippy::print_stdout, reason = "an example talks")]

use std::{error::Error, time::Instant};

use sallyport_care_gaps::{Day, Judging, Kind, Read, Record, RuleSet, Zone};
use sallyport_clinical::{Context, FhirVersion, Input, Mapping};
use sallyport_model::PatientId;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(on)) = (arguments.next(), arguments.next().and_then(|day| Day::parse(&day)))
    else {
        return Err("usage: judge_bundles FOLDER YYYY-MM-DD".into());
    };
    let rules = RuleSet::builtin()?;
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for (number, file) in files.iter().enumerate() {
        judge(&rules, number, on, &std::fs::read_to_string(file.path())?)?;
    }
    Ok(())
}

fn judge(rules: &RuleSet, number: usize, on: Day, text: &str) -> Result<(), Box<dyn Error>> {
    let bundle: serde_json::Value = serde_json::from_str(text)?;
    let entries = bundle.get("entry").and_then(serde_json::Value::as_array).into_iter().flatten();
    let resources: Vec<&serde_json::Value> = entries.filter_map(|entry| entry.get("resource")).collect();
    let member = |of: &serde_json::Value, name: &str| of.get(name)?.as_str().map(str::to_owned);
    let name = |of: &serde_json::Value| member(of, "resourceType").unwrap_or_default();
    let Some(id) = resources.iter().find(|r| name(r) == "Patient").and_then(|r| member(r, "id")) else {
        return Ok(());
    };
    // In a transaction's Bundle resources name each other by urn.
    let patient_urn = format!("\"urn:uuid:{id}\"");
    let texts: Vec<(String, String)> = resources
        .iter()
        .map(|r| (name(r), r.to_string().replace(&patient_urn, &format!("\"Patient/{id}\""))))
        .collect();
    let of = |kind: Kind| -> Vec<Input<'_>> {
        let all = texts.iter().filter(|(name, _)| name == kind.resource_type());
        all.map(|(_, text)| Input { resource: text.as_bytes(), read_at: 0 }).collect()
    };
    let patient = PatientId::parse(&id)?;
    let context = Context {
        patient: &patient,
        encounter: None,
        fhir_base: "https://ehr.example/fhir",
        fhir_version: FhirVersion::R4,
        mapping: Mapping::V2026_2,
    };
    let inputs: Vec<(Kind, Vec<Input<'_>>)> = Kind::ALL.iter().map(|kind| (*kind, of(*kind))).collect();
    let started = Instant::now();
    let reads = inputs.iter().map(|(kind, inputs)| Read { kind: *kind, inputs, problems: Vec::new() });
    let record = Record::new(&context, reads.collect());
    let read = started.elapsed();
    let found = rules.judge(&record, &Judging { on, zone: Zone::Unknown });
    let all = started.elapsed();
    println!(
        "patient {number}: {} resources, read in {read:?}, judged in {:?}",
        texts.len(),
        all.saturating_sub(read)
    );
    for one in found {
        println!(
            "  {:<26} {:<18} {}",
            one.measure,
            one.outcome.as_str(),
            one.why.first().map_or("", |why| why)
        );
    }
    Ok(())
}
