//! Records in a folder: Bundles (`.json`, whole or one resource a file) and NDJSON, sorted into charts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use sallyport_clinical::Section;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Resources by patient and section, as they stand in the files.
#[derive(Default)]
pub(super) struct Records {
    pub(super) charts: BTreeMap<String, BTreeMap<Section, Vec<String>>>,
    /// How many resources are of no section, or of nobody.
    pub(super) left_out: usize,
    /// What of a live chart could not be read, by section.
    pub(super) unread: BTreeSet<String>,
    medications: Vec<String>,
    unnamed: usize,
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(borrow)]
    entry: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

/// What tells whose a resource is and in which section it belongs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outside {
    resource_type: String,
    id: Option<String>,
    subject: Option<Reference>,
    patient: Option<Reference>,
    beneficiary: Option<Reference>,
    #[serde(default)]
    category: serde_json::Value,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

/// Reads every file of the folder, in the order of their names.
pub(super) fn read(folder: &Path) -> anyhow::Result<Records> {
    let listed =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut records = Records::default();
    for path in paths {
        let is_lines = path.extension().is_some_and(|e| e == "ndjson");
        if !is_lines && path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let parts: Vec<&str> = if is_lines { text.lines().collect() } else { vec![text.as_str()] };
        for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
            records.document(part).with_context(|| format!("{} is not FHIR JSON", path.display()))?;
        }
    }
    // Medications are nobody's: every chart may refer to them.
    let medications = std::mem::take(&mut records.medications);
    for chart in records.charts.values_mut() {
        if let Some(orders) = chart.get_mut(&Section::Medications) {
            orders.extend(medications.iter().cloned());
        }
    }
    if records.charts.is_empty() {
        bail!("{} holds no record of a patient: give a folder of Bundles or NDJSON", folder.display());
    }
    Ok(records)
}

impl Records {
    fn document(&mut self, text: &str) -> anyhow::Result<()> {
        if let Ok(bundle) = serde_json::from_str::<Bundle<'_>>(text) {
            for entry in &bundle.entry {
                if let Some(resource) = entry.resource {
                    self.resource(resource.get(), entry.full_url.as_deref());
                }
            }
            return Ok(());
        }
        let one: &RawValue = serde_json::from_str(text)?;
        self.resource(one.get(), None);
        Ok(())
    }

    /// Sorts a resource in. In a transaction it may be without an id, which the server would give: then its
    /// `fullUrl` does, else a number.
    fn resource(&mut self, json: &str, full_url: Option<&str>) {
        let Ok(outside) = serde_json::from_str::<Outside>(json) else {
            self.left_out += 1;
            return;
        };
        let given =
            outside.id.is_none().then(|| match full_url.and_then(|url| url.rsplit(['/', ':']).next()) {
                Some(id) => id.to_owned(),
                None => {
                    self.unnamed += 1;
                    format!("unnamed-{}", self.unnamed)
                }
            });
        let json = match (&given, json.trim_start().strip_prefix('{')) {
            (Some(id), Some(members)) => {
                format!("{{\"id\":{},{members}", serde_json::Value::from(id.as_str()))
            }
            _ => json.to_owned(),
        };
        if outside.resource_type == "Medication" {
            self.medications.push(json);
            return;
        }
        match (section(&outside), owner(&outside, given)) {
            (Some(section), Some(patient)) => {
                self.charts.entry(patient).or_default().entry(section).or_default().push(json);
            }
            _ => self.left_out += 1,
        }
    }
}

fn section(of: &Outside) -> Option<Section> {
    Some(match of.resource_type.as_str() {
        "Patient" => Section::Banner,
        "Condition" => Section::Problems,
        "MedicationRequest" | "MedicationOrder" | "MedicationStatement" => Section::Medications,
        "AllergyIntolerance" => Section::Allergies,
        "Observation" if of.category.to_string().contains("\"vital-signs\"") => Section::Vitals,
        "Observation" => Section::Results,
        "Encounter" => Section::Encounters,
        "DocumentReference" => Section::Documents,
        "Immunization" => Section::Immunizations,
        "Procedure" => Section::Procedures,
        "CareTeam" => Section::Careteam,
        "Coverage" => Section::Coverage,
        _ => return None,
    })
}

/// The patient's id: the Patient's own, or the last part of a reference (`Patient/x`, `urn:uuid:x`, absolute).
fn owner(of: &Outside, given_id: Option<String>) -> Option<String> {
    if of.resource_type == "Patient" {
        return of.id.clone().or(given_id);
    }
    let reference =
        of.subject.as_ref().or(of.patient.as_ref()).or(of.beneficiary.as_ref())?.reference.as_ref()?;
    reference.rsplit(['/', ':']).next().map(ToOwned::to_owned)
}
