//! The lines of a file, one by one: each is checked like every other returned resource, and what does not pass stays here
//! alone. Only a line of a patient who is not in the cohort ends the file: what else is in it is not trusted.

use std::collections::HashSet;

use sallyport_egress::Bytes;
use sallyport_fhir::{
    Envelope, Limits, ResourceType,
    compartment::{Verdict, verdict_by},
    ndjson::Line,
};
use sallyport_model::{Code, Patients, PolicyDecision, Purpose};
use sallyport_registry::Policy;
use serde::Deserialize;

use super::{AnyOf, FileKind};
use crate::domain::{
    place::Place,
    release::labels,
    run::{Run, Whose},
};

/// Released lines leave in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// What leaves, in the file's order and without a gap.
pub(crate) enum Item {
    /// Whole lines.
    Lines { offset: u64, data: Bytes, count: u32 },
    /// A line that stays here.
    Withheld { offset: u64, length: u64, code: Code },
    /// What an OperationOutcome comes to.
    Remark { offset: u64, length: u64, issues: Vec<String>, is_error: bool },
    /// What was deleted.
    Deletions { offset: u64, length: u64, references: Vec<String> },
}

/// What the check needs to know.
pub(super) struct Check<'a> {
    pub(super) run: &'a Run,
    pub(super) purpose: Purpose,
    pub(super) policy: &'a Policy,
    pub(super) place: &'a Place,
    pub(super) kind: FileKind,
    pub(super) resource_type: Option<ResourceType>,
    pub(super) types: &'a [String],
    pub(super) constraints: &'a [AnyOf],
    pub(super) limits: Limits,
}

/// Checks lines and gathers what leaves.
pub(super) struct Lines<'a> {
    check: Check<'a>,
    /// The cohort where it is a list; `None` where the EHR decides who is in it.
    listed: Option<HashSet<&'a str>>,
    items: Vec<Item>,
    begun: Vec<u8>,
    begun_at: u64,
    begun_count: u32,
    pub(super) released: u64,
    pub(super) withheld: u64,
    pub(super) is_truncated: bool,
    /// Ids of the Patient resources met, for the record.
    pub(super) patients: Vec<String>,
    pub(super) is_foreign: bool,
}

/// Most patients that a file's record names.
const MAX_PATIENTS: usize = 1_001;

impl<'a> Lines<'a> {
    pub(super) fn new(check: Check<'a>) -> Self {
        let listed = match &check.run.whose {
            Whose::Patients(Patients::One(one)) => Some(HashSet::from([one.expose()])),
            Whose::Patients(Patients::Cohort(many)) => Some(many.iter().map(|id| id.expose()).collect()),
            // What is absent denies.
            Whose::Patients(Patients::None) => Some(HashSet::new()),
            Whose::Group(_) | Whose::Everyone => None,
        };
        Self {
            check,
            listed,
            items: Vec::new(),
            begun: Vec::new(),
            begun_at: 0,
            begun_count: 0,
            released: 0,
            withheld: 0,
            is_truncated: false,
            patients: Vec::new(),
            is_foreign: false,
        }
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        let (offset, bytes) = match line {
            Line::TooLong { offset, length } => {
                return self.withhold(*offset, *length, Code::BulkLineTooLong);
            }
            Line::Text { offset, bytes } => (*offset, *bytes),
        };
        if self.is_foreign {
            return;
        }
        if line.is_blank() {
            return self.release(offset, bytes, 0);
        }
        let content = line.content().unwrap_or_default();
        let length = bytes.len() as u64;
        match self.check.kind {
            FileKind::Output => match self.judge(content) {
                Ok(()) => self.release(offset, bytes, 1),
                Err(Code::UpstreamForeignPatient) => self.is_foreign = true,
                Err(code) => {
                    // Cut off, or only not ended: what is no resource tells.
                    self.is_truncated |= !line.is_ended() && code == Code::BulkLineInvalid;
                    self.withhold(offset, length, code);
                }
            },
            FileKind::Error => match remark(content, &self.check.limits) {
                Some((issues, is_error)) => {
                    self.flush();
                    self.items.push(Item::Remark { offset, length, issues, is_error });
                }
                None => self.withhold(offset, length, Code::BulkLineInvalid),
            },
            FileKind::Deleted => match deletions(content, self.check.types) {
                Some(references) => {
                    self.flush();
                    self.items.push(Item::Deletions { offset, length, references });
                }
                None => self.withhold(offset, length, Code::BulkLineInvalid),
            },
        }
    }

    /// What may leave by now. With `all` also a piece that is not full.
    pub(super) fn take(&mut self, all: bool) -> Vec<Item> {
        if all || self.begun.len() >= PIECE_BYTES {
            self.flush();
        }
        std::mem::take(&mut self.items)
    }

    fn release(&mut self, offset: u64, bytes: &[u8], count: u32) {
        if self.begun.is_empty() {
            self.begun_at = offset;
            self.begun.reserve(PIECE_BYTES);
        }
        self.begun.extend_from_slice(bytes);
        self.begun_count += count;
        self.released += u64::from(count);
        if self.begun.len() >= PIECE_BYTES {
            self.flush();
        }
    }

    fn withhold(&mut self, offset: u64, length: u64, code: Code) {
        self.flush();
        self.withheld += 1;
        self.items.push(Item::Withheld { offset, length, code });
    }

    fn flush(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        let data = Bytes::from(std::mem::take(&mut self.begun));
        self.items.push(Item::Lines { offset: self.begun_at, data, count: self.begun_count });
        self.begun_count = 0;
    }

    fn judge(&mut self, content: &[u8]) -> Result<(), Code> {
        let check = &self.check;
        let resource = Envelope::parse(content, &check.limits).map_err(|_fault| Code::BulkLineInvalid)?;
        if sallyport_model::planted!("bulk-lines-unchecked") {
            return Ok(());
        }
        if resource.resource_type.is_none() || resource.resource_type != check.resource_type {
            return Err(Code::BulkLineInvalid);
        }
        let verdict = match &self.listed {
            Some(listed) => verdict_by(&resource, &|id| listed.contains(id), &check.place.base),
            // The EHR decides who is in the group; that it is somebody of its own must still be said.
            None => verdict_by(&resource, &|_| true, &check.place.base),
        };
        match verdict {
            // What an export of a type holds of nobody's is what the exported refer to (Bulk Data Access, "patient-level").
            Verdict::Ours | Verdict::Shared | Verdict::Attached => {}
            Verdict::Foreign => return Err(Code::UpstreamForeignPatient),
            Verdict::Unverifiable => return Err(Code::PatientDenied),
        }
        let satisfies = |any_of: &AnyOf| any_of.iter().any(|constraint| resource.satisfies(constraint));
        if !check.constraints.iter().all(satisfies) {
            return Err(Code::ScopeDenied);
        }
        let name = resource.resource_type.map_or("", ResourceType::as_str);
        let labels = labels(&resource);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        if let PolicyDecision::Deny(_) = check.policy.decide(check.purpose, name, &labels) {
            return Err(Code::PolicyDenied);
        }
        if resource.resource_type == Some(ResourceType::Patient) && self.patients.len() < MAX_PATIENTS {
            self.patients.extend(resource.id.as_deref().map(str::to_owned));
        }
        Ok(())
    }
}

/// The codes of an OperationOutcome and whether any of its issues is an error; `None` for anything else.
fn remark(content: &[u8], limits: &Limits) -> Option<(Vec<String>, bool)> {
    #[derive(Deserialize)]
    struct Outcome {
        #[serde(default)]
        issue: Vec<Issue>,
    }
    #[derive(Deserialize)]
    struct Issue {
        #[serde(default)]
        severity: String,
        #[serde(default)]
        code: String,
    }
    let resource = Envelope::parse(content, limits).ok()?;
    if resource.resource_type != Some(ResourceType::OperationOutcome) {
        return None;
    }
    let said: Outcome = serde_json::from_str(resource.text).ok()?;
    // A required binding of short words; anything else is somebody's text.
    let is_code = |code: &str| {
        (1..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    let is_error = said.issue.iter().any(|issue| matches!(issue.severity.as_str(), "error" | "fatal"));
    let codes = said.issue.into_iter().map(|issue| issue.code).filter(|code| is_code(code));
    Some((codes.take(MAX_ISSUES).collect(), is_error))
}

/// Most issues of one outcome that are told.
const MAX_ISSUES: usize = 32;

/// What a Bundle says was deleted (BULK-12); `None` when it is no such Bundle. Types that were not asked for are left out.
fn deletions(content: &[u8], types: &[String]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bundle {
        resource_type: String,
        #[serde(default)]
        entry: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        request: Request,
    }
    #[derive(Deserialize)]
    struct Request {
        method: String,
        url: String,
    }
    let bundle: Bundle =
        serde_json::from_slice(content).ok().filter(|b: &Bundle| b.resource_type == "Bundle")?;
    let mut references = Vec::with_capacity(bundle.entry.len());
    for Entry { request } in bundle.entry {
        let (name, id) = request.url.split_once('/').filter(|_| request.method == "DELETE")?;
        sallyport_model::ids::is_logical_id(id, MAX_ID).then_some(())?;
        if types.iter().any(|wanted| wanted == name) {
            references.push(request.url);
        }
    }
    Some(references)
}

/// The longest id of any product.
const MAX_ID: usize = 256;
