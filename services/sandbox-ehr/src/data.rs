//! The EHR's records: every resource by type and id with its versions, and by patient.
//!
//! Filled by the seeded generator ([`Records::generate`]) or from files ([`Records::import`]); read by the
//! FHIR server, the pickers and the portal. Resources are kept as JSON because an EHR that imitates others
//! must be able to hold what no typed model would accept.

mod charts;
mod generate;
mod import;
mod reference;
mod summary;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use charts::Charts;
pub(crate) use charts::chart_number;
pub use generate::{CHART_DATE, CHART_INSTANT};
pub use import::{ImportError, Imported};
pub(crate) use reference::{patients_of, target};
pub use summary::{EncounterSummary, PatientSummary, PractitionerSummary};

/// The code system of the tag by which leak tests find patient data where it must not be.
pub const CANARY_SYSTEM: &str = "https://sandbox.sallyport.example/canary";

/// All resources of the EHR.
#[derive(Debug, Default, Clone)]
pub struct Records {
    tables: BTreeMap<String, Table>,
    /// The charts of a large population; then the tables hold the patients and what is shared.
    charts: Option<Charts>,
    /// What lies below: the tables hold what was written since.
    base: Option<Arc<Records>>,
}

/// The resources of one type, in the order they were first stored.
#[derive(Debug, Default, Clone)]
struct Table {
    records: Vec<Record>,
    by_id: HashMap<String, usize>,
    by_patient: HashMap<String, Vec<usize>>,
}

/// One resource and its history, oldest version first.
#[derive(Debug, Clone)]
pub struct Record {
    id: String,
    patients: Vec<String>,
    versions: Vec<Arc<Value>>,
}

/// A value that cannot be stored as a FHIR resource.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// The value is not an object or names no type.
    #[error("the value has no resourceType: only FHIR resources can be stored")]
    NotAResource,
    /// The resource has no usable id.
    #[error("the resource has no id of 1 to 64 letters, digits, '-' or '.': give it one")]
    Id,
}

impl Records {
    /// The same records, to be written to without changing them for others.
    #[must_use]
    pub fn over(base: Arc<Self>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// Stores a resource. One with a known id becomes its next version. `versionId` is always set here;
    /// `lastUpdated` and the canary tag are added where missing.
    pub fn insert(&mut self, resource: Value) -> Result<(), Malformed> {
        let Value::Object(mut body) = resource else { return Err(Malformed::NotAResource) };
        let kind = text(&body, "resourceType").ok_or(Malformed::NotAResource)?;
        let id = text(&body, "id").filter(|id| is_id(id)).ok_or(Malformed::Id)?;
        let patients = patients_of(&kind, &id, &body);
        let below = self.base.as_ref().and_then(|base| base.record(&kind, &id)).cloned();
        let table = self.tables.entry(kind).or_default();
        if let Some(below) = below.filter(|_| !table.by_id.contains_key(&id)) {
            table.by_id.insert(id.clone(), table.records.len());
            table.records.push(below);
        }
        let position = table.by_id.get(&id).copied().unwrap_or(table.records.len());
        let version = table.records.get(position).map_or(1, |known| known.versions.len() + 1);
        complete_meta(&mut body, version, patients.first());
        for patient in &patients {
            let held = table.by_patient.entry(patient.clone()).or_default();
            if !held.contains(&position) {
                held.push(position);
            }
        }
        let body = Arc::new(Value::Object(body));
        match table.records.get_mut(position) {
            Some(known) => {
                known.versions.push(body);
                known.patients = patients;
            }
            None => {
                table.by_id.insert(id.clone(), position);
                table.records.push(Record { id, patients, versions: vec![body] });
            }
        }
        Ok(())
    }

    /// The resource types that hold at least one resource.
    pub fn kinds(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        let own = self.tables.keys().map(String::as_str);
        match &self.base {
            None => Box::new(own),
            Some(base) => Box::new(base.kinds().chain(own.filter(|kind| base.kinds().all(|k| k != *kind)))),
        }
    }

    /// How many resources there are in all.
    pub fn len(&self) -> usize {
        let base = self.base.as_deref();
        let is_new =
            |kind: &str, record: &Record| base.is_none_or(|base| base.record(kind, &record.id).is_none());
        let own = self
            .tables
            .iter()
            .flat_map(|(kind, table)| table.records.iter().map(move |record| (kind, record)));
        base.map_or(0, Self::len) + own.filter(|(kind, record)| is_new(kind, record)).count()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.base.as_ref().is_none_or(|base| base.is_empty())
    }

    /// The record of one resource.
    pub fn record(&self, kind: &str, id: &str) -> Option<&Record> {
        let stored = self.own(kind, id);
        let charted = || self.charts.as_ref()?.holding(id)?.record(kind, id);
        stored.or_else(charted).or_else(|| self.base.as_ref()?.record(kind, id))
    }

    fn own(&self, kind: &str, id: &str) -> Option<&Record> {
        self.tables.get(kind).and_then(|table| table.records.get(*table.by_id.get(id)?))
    }

    /// The current version of one resource.
    pub fn read(&self, kind: &str, id: &str) -> Option<&Arc<Value>> {
        self.record(kind, id)?.current()
    }

    /// Every record of a type, in the order first stored. Of a large population these are the patients and
    /// what is shared: charts are asked for patient by patient.
    pub fn all<'r>(&'r self, kind: &str) -> Box<dyn Iterator<Item = &'r Record> + 'r> {
        let own = self.tables.get(kind).into_iter().flat_map(|table| &table.records);
        match &self.base {
            None => Box::new(own),
            Some(base) => self.laid_over(kind.to_owned(), base.all(kind), own),
        }
    }

    /// What lies below in its newest form, then what was added.
    fn laid_over<'r>(
        &'r self,
        kind: String,
        below: impl Iterator<Item = &'r Record> + 'r,
        own: impl Iterator<Item = &'r Record> + 'r,
    ) -> Box<dyn Iterator<Item = &'r Record> + 'r> {
        let base = self.base.as_deref();
        let added: Vec<&Record> =
            own.filter(|record| base.is_none_or(|base| base.record(&kind, &record.id).is_none())).collect();
        Box::new(below.map(move |record| self.own(&kind, &record.id).unwrap_or(record)).chain(added))
    }

    /// The records of a type that belong to a patient.
    pub fn of_patient<'r>(&'r self, kind: &str, patient: &str) -> Box<dyn Iterator<Item = &'r Record> + 'r> {
        let own = self.charted(kind, patient);
        match &self.base {
            None => Box::new(own),
            Some(base) => self.laid_over(kind.to_owned(), base.of_patient(kind, patient), own),
        }
    }

    fn charted<'r>(&'r self, kind: &str, patient: &str) -> impl Iterator<Item = &'r Record> + use<'r> {
        let chart = self.charts.as_ref().filter(|_| kind != "Patient").and_then(|all| all.holding(patient));
        let table = chart.unwrap_or(self).tables.get(kind);
        let positions = table.and_then(|table| table.by_patient.get(patient)).into_iter().flatten();
        positions.filter_map(move |position| table?.records.get(*position))
    }
}

impl Record {
    /// The logical id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The patients in whose compartment the resource lies; none for shared ones (Practitioner, Medication …).
    pub fn patients(&self) -> &[String] {
        &self.patients
    }

    /// The newest version.
    pub fn current(&self) -> Option<&Arc<Value>> {
        self.versions.last()
    }

    /// The version with this `versionId`.
    pub fn version(&self, version: &str) -> Option<&Arc<Value>> {
        let number: usize = version.parse().ok()?;
        self.versions.get(number.checked_sub(1)?)
    }
}

/// Whether a text is a FHIR id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn text(body: &Map<String, Value>, member: &str) -> Option<String> {
    body.get(member).and_then(Value::as_str).map(str::to_owned)
}

fn complete_meta(body: &mut Map<String, Value>, version: usize, patient: Option<&String>) {
    let canary = patient.map_or_else(|| "canary-shared".to_owned(), |id| format!("canary-{id}"));
    let meta = body.entry("meta").or_insert_with(|| json!({}));
    if !meta.is_object() {
        *meta = json!({});
    }
    let Some(meta) = meta.as_object_mut() else { return };
    meta.insert("versionId".to_owned(), Value::String(version.to_string()));
    meta.entry("lastUpdated").or_insert_with(|| Value::String(CHART_INSTANT.to_owned()));
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Some(tags) = tags.as_array_mut()
        && !tags.iter().any(|tag| tag.get("system").and_then(Value::as_str) == Some(CANARY_SYSTEM))
    {
        tags.push(json!({ "system": CANARY_SYSTEM, "code": canary }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(id: &str, text: &str) -> Value {
        json!({"resourceType": "Condition", "id": id, "code": {"text": text},
               "subject": {"reference": "Patient/p1"}})
    }

    #[test]
    fn a_second_insert_under_the_same_id_is_the_next_version() {
        let mut records = Records::default();
        records.insert(condition("c1", "first")).unwrap();
        records.insert(condition("c1", "second")).unwrap();
        let record = records.record("Condition", "c1").unwrap();
        assert_eq!(record.version("1").unwrap()["code"]["text"], "first");
        assert_eq!(record.current().unwrap()["meta"]["versionId"], "2");
        assert!(record.version("3").is_none() && record.version("0").is_none());
        assert_eq!(records.of_patient("Condition", "p1").count(), 1);
    }

    #[test]
    fn what_is_no_resource_or_has_no_id_is_refused() {
        let mut records = Records::default();
        assert_eq!(records.insert(json!([])), Err(Malformed::NotAResource));
        assert_eq!(records.insert(json!({"id": "x"})), Err(Malformed::NotAResource));
        assert_eq!(records.insert(json!({"resourceType": "Patient", "id": "a/b"})), Err(Malformed::Id));
        assert_eq!(
            records.insert(json!({"resourceType": "Patient", "id": "a".repeat(65)})),
            Err(Malformed::Id)
        );
        assert!(records.is_empty());
    }

    #[test]
    fn every_stored_resource_carries_the_canary_of_its_patient() {
        let mut records = Records::default();
        records.insert(condition("c1", "x")).unwrap();
        let tag = &records.read("Condition", "c1").unwrap()["meta"]["tag"][0];
        assert_eq!(tag["system"], CANARY_SYSTEM);
        assert_eq!(tag["code"], "canary-p1");
    }
}
