//! What jobs propose about the launch's patient, as the gateway released it.

use sallyport_care_gaps::{Edit, EditFault, Proposed};
use sallyport_model::{Code, Micros, RunId};
use sallyport_proto::{
    convert,
    gateway::v1::{ProposalShown, ProposalsResponse},
};
use serde_json::Value;

/// One proposal. Holds patient data: no `Debug`.
pub(crate) struct Proposal {
    /// As forms name it.
    pub(crate) id: String,
    /// The job's name for people, its id, and the run.
    pub(crate) title: String,
    pub(crate) job: String,
    pub(crate) run: RunId,
    pub(crate) resource_type: String,
    pub(crate) base_version: String,
    pub(crate) state: String,
    pub(crate) outcome: String,
    pub(crate) code: Option<Code>,
    pub(crate) created_at: Micros,
    pub(crate) expires_at: Micros,
    pub(crate) decided_at: Micros,
    pub(crate) reference: String,
    pub(crate) version: String,
    pub(crate) reason: String,
    /// What an approval of exactly this payload names, in hexadecimal.
    pub(crate) payload_sha256: String,
    pub(crate) proposed: Proposed,
    /// With which edits it was approved.
    pub(crate) edits: Vec<Edit>,
    /// The feature that would write it, and whether it may in this launch.
    pub(crate) feature: String,
    pub(crate) feature_title: String,
    pub(crate) may_write: bool,
    /// Why not.
    pub(crate) obstacle: Option<Code>,
}

/// What a person is editing: of which proposal, and what they wrote. Patient data: no `Debug`.
pub(crate) struct Editing {
    /// As forms name it.
    pub(crate) id: String,
    pub(crate) edits: Vec<Edit>,
}

/// What would be written: as proposed, or as edited.
pub(crate) struct Draft {
    pub(crate) payload: String,
    /// What an approval of exactly this names, in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) edits: Vec<Edit>,
}

/// Everything proposed.
pub(crate) struct Proposals {
    /// The newest first.
    pub(crate) all: Vec<Proposal>,
    /// Proposals that rest on records which this launch may not see.
    pub(crate) withheld: i32,
}

impl Proposal {
    /// Whether somebody may decide on it, or go on with what was approved and is not known to be written.
    pub(crate) fn is_open(&self) -> bool {
        self.state == "open" || (self.state == "approved" && self.outcome != "applied")
    }

    /// Whether somebody may put it into other words before approving. What was approved is gone on with as it was.
    pub(crate) fn is_editable(&self) -> bool {
        self.state == "open" && self.may_write && !self.proposed.editable.is_empty()
    }

    /// What would be written, or was: with these edits, or with those that it was approved with.
    pub(crate) fn draft(&self, editing: Option<&Editing>) -> Result<Draft, EditFault> {
        let edits = match editing.filter(|_| self.is_editable()) {
            Some(editing) => &editing.edits,
            None => &self.edits,
        };
        let edited = self.proposed.edited(edits)?;
        if edited.fields.is_empty() {
            let (payload, sha256) = (edited.payload, self.payload_sha256.clone());
            return Ok(Draft { payload, sha256, edits: Vec::new() });
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, edited.payload.as_bytes());
        let edits = edits.iter().filter(|edit| edited.fields.contains(&edit.field)).cloned().collect();
        Ok(Draft { payload: edited.payload, sha256: hex::encode(digest.as_ref()), edits })
    }
}

impl TryFrom<ProposalsResponse> for Proposals {
    type Error = Code;

    fn try_from(answer: ProposalsResponse) -> Result<Self, Code> {
        let all = answer.proposals.into_iter().map(Proposal::try_from).collect::<Result<_, _>>()?;
        Ok(Self { all, withheld: answer.withheld })
    }
}

impl TryFrom<ProposalShown> for Proposal {
    type Error = Code;

    fn try_from(shown: ProposalShown) -> Result<Self, Code> {
        let row = shown.proposal.ok_or(Code::Internal)?;
        let proposed: Proposed = serde_json::from_slice(&row.json).map_err(|_not_ours| Code::Internal)?;
        Ok(Self {
            id: hex::encode(&row.proposal_id),
            title: shown.title,
            job: row.job,
            run: convert::run_id(&row.run_id).map_err(|_length| Code::Internal)?,
            resource_type: row.resource_type,
            base_version: row.base_version,
            state: row.state,
            outcome: row.outcome,
            code: Code::parse(&row.code),
            created_at: row.created_at,
            expires_at: row.expires_at,
            decided_at: row.decided_at,
            reference: row.reference,
            version: row.version,
            reason: row.reason,
            payload_sha256: hex::encode(shown.payload_sha256),
            proposed,
            edits: row.edits.into_iter().map(|edit| Edit { field: edit.field, text: edit.text }).collect(),
            feature: shown.feature,
            feature_title: shown.feature_title,
            may_write: shown.may_write,
            obstacle: Code::parse(&shown.code),
        })
    }
}

/// The elements of a resource one by one, in the order in which they would be written: path and value.
pub(crate) fn fields(payload: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    if let Ok(value) = serde_json::from_str(payload) {
        walk("", &value, &mut fields);
    }
    fields
}

fn walk(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&below, member, fields);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let below = if items.len() == 1 { path.to_owned() } else { format!("{path}[{index}]") };
                walk(&below, item, fields);
            }
        }
        Value::String(text) => fields.push((path.to_owned(), text.clone())),
        other => fields.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn every_element_of_a_resource_stands_by_itself() {
        let payload =
            r#"{"resourceType":"Task","for":{"reference":"Patient/a"},"note":[{"text":"x"}],"n":[1,2.10]}"#;
        let expected = [
            ("resourceType", "Task"),
            ("for.reference", "Patient/a"),
            ("note.text", "x"),
            ("n[0]", "1"),
            ("n[1]", "2.1"),
        ];
        let mut all = fields(payload);
        all.sort();
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        expected.sort();
        assert_eq!(all, expected);
    }
}
