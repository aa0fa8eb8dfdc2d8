//! Verifying a whole log: records go by one at a time, the tree grows beside them, and at the size of each checkpoint
//! the roots are compared. Memory does not grow with the log but for calls that are still open.

use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
};

use crate::{
    Checkpoint, CheckpointError, ExportError, Fault, Finding, Hash, Keys, Leaf, Line, Note, Reader, Spools,
    Tree,
};

/// More faults than this are counted and not kept.
const MAX_FAULTS: usize = 100;
/// How many places a finding names.
const MAX_PLACES: usize = 5;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who must have signed a checkpoint for it to count. Without, checkpoints are compared but nothing is shown.
    pub keys: Option<Keys>,
    /// Times may contradict each other by this much, in microseconds.
    pub skew_micros: i64,
    /// Stored later than this after it happened is late.
    pub late_micros: i64,
    /// An intent older than this, at the last record's time, has no outcome any more.
    pub open_micros: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { keys: None, skew_micros: 5_000_000, late_micros: 3_600_000_000, open_micros: 900_000_000 }
    }
}

/// A checkpoint from somewhere, not yet believed.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// Where it comes from, for the report: `the checkpoint of FILE`.
    pub name: String,
    /// The note.
    pub note: Vec<u8>,
}

/// What a verification came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many records went by.
    pub records: u64,
    /// The root over all of them.
    pub root: Option<Hash>,
    /// How many checkpoints agreed.
    pub checkpoints: u64,
    /// Up to which size the newest of them reaches.
    pub covered: u64,
    /// When that was witnessed, in seconds since the epoch; 0 without witnesses.
    pub witnessed_at: u64,
    /// Why the log is not what was signed.
    pub faults: Vec<Fault>,
    /// How many more faults there were.
    pub more_faults: u64,
    /// What a reviewer has to look at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the log is what was signed.
    pub fn is_verified(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A place in a findings list.
#[derive(Default)]
struct Places {
    count: u64,
    first: Vec<u64>,
}

impl Places {
    fn add(&mut self, index: u64) {
        self.count += 1;
        if self.first.len() < MAX_PLACES {
            self.first.push(index);
        }
    }

    /// Places in any order.
    fn of(places: impl Iterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = places.collect();
        sorted.sort_unstable();
        let mut all = Self::default();
        sorted.into_iter().for_each(|place| all.add(place));
        all
    }

    fn finding(self, make: impl FnOnce(u64, Vec<u64>) -> Finding) -> Option<Finding> {
        (self.count > 0).then(|| make(self.count, self.first))
    }
}

/// A checkpoint that counts.
struct Believed {
    root: Hash,
    name: String,
    /// Whether everybody has signed it who must have; otherwise it is only compared.
    counts: bool,
    witnessed_at: u64,
}

/// Verifies one log.
pub struct Verifier<'s> {
    tenant: String,
    policy: Policy,
    tree: Tree,
    /// The place that the next record has to name: one that is missing is told once, not at every later record.
    expected: u64,
    anchors: BTreeMap<u64, Vec<Believed>>,
    spools: &'s mut Spools,
    report: Report,
    open: HashMap<String, (u64, i64)>,
    newest: i64,
    /// Outcomes whose intent has not come: two consumers may store them the other way round.
    lone: HashMap<String, u64>,
    skewed: Places,
    late: Places,
    adopted: Places,
    repeated: Places,
}

impl<'s> Verifier<'s> {
    /// Begins. `spools` is shared by the logs of all tenants of one installation, because a spool numbers the records
    /// of all of them.
    pub fn new(tenant: &str, policy: Policy, spools: &'s mut Spools) -> Self {
        Self {
            tenant: tenant.to_owned(),
            policy,
            tree: Tree::empty(),
            expected: 0,
            anchors: BTreeMap::new(),
            spools,
            report: Report::default(),
            open: HashMap::new(),
            newest: i64::MIN,
            lone: HashMap::new(),
            skewed: Places::default(),
            late: Places::default(),
            adopted: Places::default(),
            repeated: Places::default(),
        }
    }

    /// Takes a checkpoint to compare with. All must be here before the first record.
    pub fn anchor(&mut self, anchor: &Anchor) {
        let (checkpoint, counts, witnessed_at) = match self.opened(&anchor.note) {
            Ok(opened) => opened,
            Err(error) => {
                let (anchor, reason) = (anchor.name.clone(), error.to_string());
                return self.fault(Fault::Checkpoint { anchor, reason });
            }
        };
        let others = self.anchors.entry(checkpoint.size).or_default();
        let fork = others.iter().find(|other| other.root != checkpoint.root).map(|other| other.root);
        others.push(Believed { root: checkpoint.root, name: anchor.name.clone(), counts, witnessed_at });
        if let Some(other) = fork {
            self.fault(Fault::Fork { size: checkpoint.size, roots: (other, checkpoint.root) });
        }
    }

    /// What a checkpoint says, whether it counts, and when it was witnessed.
    fn opened(&self, note: &[u8]) -> Result<(Checkpoint, bool, u64), CheckpointError> {
        let Some(keys) = &self.policy.keys else {
            return Ok((Checkpoint::parse(Note::parse(note)?.text())?, false, 0));
        };
        match keys.open(note) {
            Ok(opened) => Ok((opened.checkpoint, true, opened.witnessed_at)),
            // Signed by the log, and a witness has not seen it yet: it must fit all the same.
            Err(CheckpointError::Witness) => {
                let log = Keys { witnesses: Vec::new(), ..keys.clone() };
                Ok((log.open(note)?.checkpoint, false, 0))
            }
            Err(other) => Err(other),
        }
    }

    /// Takes the next record: the bytes of its leaf.
    pub fn record(&mut self, bytes: &[u8]) {
        self.compare();
        let index = self.tree.size();
        self.tree.push(Hash::leaf(bytes), &mut Vec::new());
        let Ok(leaf) = Leaf::parse(bytes) else { return self.fault(Fault::NotARecord { index }) };
        if leaf.tenant != self.tenant {
            self.fault(Fault::OtherTenant { index });
        }
        if leaf.log_index != self.expected {
            self.fault(Fault::OutOfPlace { index: self.expected, found: leaf.log_index });
        }
        self.expected = leaf.log_index.saturating_add(1);
        self.look(index, &leaf);
    }

    /// Records of the database that the log does not hold were counted.
    pub fn outside(&mut self, count: u64) {
        if count > 0 {
            self.fault(Fault::OutsideTheLog { count });
        }
    }

    /// Ends: compares what is left and says what came of it.
    pub fn finish(mut self) -> Report {
        self.compare();
        let size = self.tree.size();
        for (signed, believed) in std::mem::take(&mut self.anchors) {
            for one in believed {
                self.fault(Fault::CutOff { size: signed, found: size, anchor: one.name });
            }
        }
        if self.report.checkpoints == 0 {
            self.fault(Fault::NoCheckpoint);
        }
        let horizon = self.newest.saturating_sub(self.policy.open_micros);
        let unanswered = self.open.values().filter(|(_, at)| *at < horizon).map(|(index, _)| *index);
        let (open, lone) = (Places::of(unanswered), Places::of(self.lone.into_values()));
        let findings = [
            open.finding(|count, indexes| Finding::OpenIntents { count, indexes }),
            lone.finding(|count, indexes| Finding::LoneOutcomes { count, indexes }),
            self.skewed.finding(|count, indexes| Finding::ClockSkew { count, indexes }),
            self.late.finding(|count, indexes| Finding::Late { count, indexes }),
            self.adopted.finding(|count, indexes| Finding::Adopted { count, indexes }),
            self.repeated.finding(|count, indexes| Finding::SpoolRepeated { count, indexes }),
        ];
        self.report.findings.extend(findings.into_iter().flatten());
        if size > self.report.covered {
            self.report.findings.push(Finding::Uncovered { count: size - self.report.covered });
        }
        Report { records: size, root: Some(self.tree.root()), ..self.report }
    }

    /// Compares the tree with the checkpoints of its size.
    fn compare(&mut self) {
        let size = self.tree.size();
        let Some(believed) = self.anchors.remove(&size) else { return };
        let root = self.tree.root();
        for one in believed {
            if one.root == root && !one.counts {
                continue;
            }
            if one.root == root {
                self.report.checkpoints += 1;
                self.report.covered = size;
                self.report.witnessed_at = self.report.witnessed_at.max(one.witnessed_at);
            } else {
                self.fault(Fault::RootDiffers { size, anchor: one.name });
            }
        }
    }

    /// What a reviewer may have to look at.
    fn look(&mut self, index: u64, leaf: &Leaf<'_>) {
        let Policy { skew_micros, late_micros, .. } = self.policy;
        match leaf.phase {
            Leaf::INTENT if self.lone.remove(leaf.record_id.as_ref()).is_none() => {
                self.open.insert(leaf.record_id.clone().into_owned(), (index, leaf.recorded_at));
            }
            Leaf::OUTCOME if self.open.remove(leaf.record_id.as_ref()).is_none() => {
                self.lone.insert(leaf.record_id.clone().into_owned(), index);
            }
            _ => {}
        }
        if leaf.adopted_at.is_some() {
            self.adopted.add(index);
        } else {
            // What is adopted comes in no order of time.
            let ahead = leaf.recorded_at.saturating_sub(leaf.stored_at);
            let back = self.newest.saturating_sub(leaf.stored_at);
            if ahead > skew_micros || back > skew_micros {
                self.skewed.add(index);
            }
            self.newest = self.newest.max(leaf.stored_at);
        }
        if leaf.stored_at.saturating_sub(leaf.recorded_at) > late_micros {
            self.late.add(index);
        }
        if !self.spools.saw(&leaf.spool_id, leaf.spool_sequence) {
            self.repeated.add(index);
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.report.faults.len() < MAX_FAULTS {
            self.report.faults.push(fault);
        } else {
            self.report.more_faults += 1;
        }
    }
}

/// Verifies an export with the checkpoints that it holds and those from outside.
///
/// # Errors
/// When it cannot be read at all; what is wrong with what was read is in the report.
pub fn verify_export(
    input: impl BufRead,
    policy: Policy,
    outside: &[Anchor],
    spools: &mut Spools,
) -> Result<Report, ExportError> {
    let (header, mut reader) = Reader::open(input)?;
    let mut verifier = Verifier::new(&header.tenant, policy, spools);
    for anchor in outside {
        verifier.anchor(anchor);
    }
    let mut records = 0;
    loop {
        match reader.next_line() {
            Ok(Line::Record(bytes)) => {
                records += 1;
                verifier.record(bytes);
            }
            Ok(Line::Checkpoint(note)) if records == 0 => {
                verifier.anchor(&Anchor {
                    name: "a checkpoint in the export".to_owned(),
                    note: note.into_bytes(),
                });
            }
            Ok(Line::Checkpoint(_)) => {
                let reason = "a checkpoint stands behind records".to_owned();
                verifier.fault(Fault::Export { reason });
            }
            Ok(Line::Outside(count)) => verifier.outside(count),
            Ok(Line::End(count)) => {
                if count != records {
                    let reason = format!("it says that it has {count} records and has {records}");
                    verifier.fault(Fault::Export { reason });
                }
                break;
            }
            Err(ExportError::Io(error)) => return Err(ExportError::Io(error)),
            Err(error) => {
                verifier.fault(Fault::Export { reason: error.to_string() });
                break;
            }
        }
    }
    Ok(verifier.finish())
}
