//! Records of a registered endpoint as they are now, asked for as a chart asks: the same queries, through the same gateway,
//! under the same checks and records.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_clinical::{
    self as clinical, Context, FhirVersion, Input, Interaction, Mapping, Query, Section,
};
use serde_json::Value;

use super::folder::Records;
use crate::{
    asker::Asker,
    certify::asking::{self, Account, Door},
    demo::browser::Page,
};

/// Nobody keeps an account of the pages: the audit log has them.
struct Unkept;

impl Account for Unkept {
    fn note(&mut self, _page: &Page) {}
}

/// Reads every section of the chart of every patient that the asker may ask about.
///
/// # Errors
/// When the instance does not answer.
pub(super) async fn read(
    asker: &mut Asker,
    fhir_version: FhirVersion,
    mapping: Mapping,
) -> anyhow::Result<Records> {
    let mut records = Records::default();
    for patient in asker.patients.clone() {
        asker.turn_to(&patient);
        let fhir_base = asker.endpoint.base().to_owned();
        let context =
            Context { patient: &patient, encounter: None, fhir_base: &fhir_base, fhir_version, mapping };
        let mut chart = BTreeMap::new();
        for section in Section::ALL {
            let mut read = Vec::new();
            let mut unread = BTreeSet::new();
            for query in clinical::plan(*section, &context) {
                ask(asker, &query, &mut read, &mut unread).await?;
            }
            let inputs: Vec<Input<'_>> =
                read.iter().map(|text| Input { resource: text.as_bytes(), read_at: 0 }).collect();
            for query in clinical::follow_up(*section, &context, &inputs) {
                let mut more = Vec::new();
                ask(asker, &query, &mut more, &mut unread).await?;
                read.extend(more);
            }
            records.unread.extend(unread.into_iter().map(|told| format!("{section}: {told}")));
            if !read.is_empty() {
                chart.insert(*section, read);
            }
        }
        records.charts.insert(patient.expose().to_owned(), chart);
    }
    Ok(records)
}

/// One query to its last page. What is refused is told by its code; the section is then compared as far as it came.
async fn ask(
    asker: &mut Asker,
    query: &Query,
    read: &mut Vec<String>,
    unread: &mut BTreeSet<String>,
) -> anyhow::Result<()> {
    match &query.interaction {
        Interaction::Read(id) => {
            let address = asker.base.join(&format!("{}/{id}", query.resource_type))?;
            let page = asker.door.get(&address).await?;
            match page.status {
                200 => read.push(page.text()),
                _ => {
                    unread.insert(asking::refusal(&page));
                }
            }
        }
        Interaction::Search(params) => {
            let mut address = asker.base.join(query.resource_type)?;
            address.query_pairs_mut().extend_pairs(params);
            match asking::pages(&mut asker.door, &address, &mut Unkept).await? {
                Ok(found) => {
                    unread.extend(found.told);
                    read.extend(found.resources.iter().map(Value::to_string));
                }
                Err(refused) => {
                    unread.insert(refused);
                }
            }
        }
    }
    Ok(())
}
