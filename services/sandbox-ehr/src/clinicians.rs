//! The people who can sign in to the EHR: some of the records' practitioners, chosen from a list, without
//! a password (a sandbox has nothing to protect).

use crate::data::{PractitionerSummary, Records};

/// How many practitioners can sign in; imported records may hold thousands, and a list must stay a list.
const MOST_CLINICIANS: usize = 8;

/// Those who can sign in, in the records' order.
#[derive(Debug)]
pub(crate) struct Clinicians {
    list: Vec<PractitionerSummary>,
}

impl Clinicians {
    pub(crate) fn from_records(records: &Records) -> Self {
        Self { list: records.practitioners().into_iter().take(MOST_CLINICIANS).collect() }
    }

    pub(crate) fn all(&self) -> &[PractitionerSummary] {
        &self.list
    }

    pub(crate) fn get(&self, id: &str) -> Option<&PractitionerSummary> {
        self.list.iter().find(|clinician| clinician.id == id)
    }
}
