//! Whole logs: what the verifier says of honest ones, of altered ones, of exports that were cut, and what a witness
//! signs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Instant;

use sallyport_audit_proof::{
    Anchor, Checkpoint, Fault, Finding, Gap, Hash, Header, KeyKind, Keys, Leaf, Policy, ProofError, Report,
    SigningKey, Spools, Tree, WitnessError, Writer, verify_export, witness,
};

const ORIGIN: &str = "example.com/audit/general";

fn log_key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, KeyKind::Log, &[1; 32]).unwrap()
}

fn witness_key() -> SigningKey {
    SigningKey::from_seed("example.com/witness", KeyKind::Witness, &[2; 32]).unwrap()
}

fn keys(with_witness: bool) -> Keys {
    let witnesses = if with_witness { vec![witness_key().verifier().clone()] } else { Vec::new() };
    Keys { log: log_key().verifier().clone(), witnesses }
}

/// Record `index`: intents and outcomes in turn, a millisecond apart.
fn leaf(index: u64, change: impl FnOnce(&mut Leaf<'static>)) -> Vec<u8> {
    let at = 1_700_000_000_000_000 + i64::try_from(index).unwrap() * 1_000;
    let mut leaf = Leaf {
        v: 1,
        tenant: "general".into(),
        log_index: index,
        adopted_at: None,
        record_id: format!("call-{}", index / 2).into(),
        phase: if index.is_multiple_of(2) { Leaf::INTENT } else { Leaf::OUTCOME },
        kind: 7,
        recorded_at: at - 10,
        stored_at: at,
        service: "fhir-gateway".into(),
        spool_id: "spool".into(),
        spool_sequence: i64::try_from(index).unwrap() + 1,
        transport_digest: "".into(),
        endpoint: "main".into(),
        registration: "chart".into(),
        purpose: "TREAT".into(),
        feature: "summary".into(),
        policy_decision: "permit:treatment".into(),
        interaction: "read".into(),
        resource_types: "Condition".into(),
        released: 1,
        withheld: 0,
        outcome: 2,
        code: "".into(),
        http_status: 200,
        upstream_status: 200,
        request_id: None,
        launch_id: None,
        grant_id: None,
        run_id: None,
        job: "".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        sealed: "c2VhbGVk".repeat(60).into(),
        subjects: Vec::new(),
    };
    change(&mut leaf);
    leaf.to_bytes()
}

fn honest(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|index| leaf(index, |_| {})).collect()
}

fn checkpoint(leaves: &[Vec<u8>], with_witness: bool) -> Vec<u8> {
    let mut tree = Tree::empty();
    for leaf in leaves {
        tree.push(Hash::leaf(leaf), &mut Vec::new());
    }
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
    let mut note = checkpoint.sign(&log_key()).unwrap();
    if with_witness {
        witness_key().sign(&mut note, 1_700_000_000);
    }
    note.to_string().into_bytes()
}

fn export(leaves: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &Header::new(ORIGIN, "general")).unwrap();
    for leaf in leaves {
        writer.record(leaf).unwrap();
    }
    writer.end().unwrap().0
}

fn verify(export: &[u8], keys: Keys, notes: &[Vec<u8>]) -> Report {
    let anchors: Vec<_> =
        notes.iter().map(|note| Anchor { name: "it".to_owned(), note: note.clone() }).collect();
    let policy = Policy { keys: Some(keys), ..Policy::default() };
    verify_export(export, policy, &anchors, &mut Spools::default()).unwrap()
}

#[test]
fn an_honest_log_is_verified_with_nothing_to_look_at() {
    let leaves = honest(100);
    let notes = [checkpoint(&leaves[..64], true), checkpoint(&leaves, true)];
    let report = verify(&export(&leaves), keys(true), &notes);
    assert_eq!((report.faults, report.findings), (vec![], vec![]));
    assert_eq!((report.records, report.checkpoints, report.covered), (100, 2, 100));
    assert_eq!(report.witnessed_at, 1_700_000_000);
}

#[test]
fn a_checkpoint_that_the_witness_has_not_seen_is_compared_and_covers_nothing() {
    let leaves = honest(10);
    let (half, whole) = (checkpoint(&leaves[..5], true), checkpoint(&leaves, false));
    let report = verify(&export(&leaves), keys(true), &[half.clone(), whole]);
    assert_eq!((report.faults, report.covered), (vec![], 5));
    assert_eq!(report.findings, [Finding::Uncovered { count: 5 }]);
    let report = verify(&export(&leaves), keys(true), &[checkpoint(&leaves, false)]);
    assert_eq!(report.faults, [Fault::NoCheckpoint]);
    let forged = checkpoint(&honest(9), false);
    let report = verify(&export(&leaves[..9]), keys(true), &[half, forged]);
    assert_eq!(report.faults, []);
    let altered =
        [leaf(0, |leaf| leaf.released = 2)].into_iter().chain(honest(9).split_off(1)).collect::<Vec<_>>();
    let report = verify(&export(&leaves[..9]), keys(true), &[checkpoint(&altered, false)]);
    assert!(report.faults.iter().any(|fault| matches!(fault, Fault::RootDiffers { size: 9, .. })));
}

#[test]
fn without_a_key_or_with_the_wrong_one_nothing_is_shown() {
    let leaves = honest(4);
    let note = checkpoint(&leaves, false);
    let anchors = [Anchor { name: "it".to_owned(), note: note.clone() }];
    let report =
        verify_export(export(&leaves).as_slice(), Policy::default(), &anchors, &mut Spools::default());
    assert_eq!(report.unwrap().faults, [Fault::NoCheckpoint]);
    let other = SigningKey::from_seed(ORIGIN, KeyKind::Log, &[9; 32]).unwrap();
    let wrong = Keys { log: other.verifier().clone(), witnesses: Vec::new() };
    let report = verify(&export(&leaves), wrong, &[note]);
    assert!(
        matches!(report.faults.as_slice(), [Fault::Checkpoint { .. }, Fault::NoCheckpoint]),
        "{report:?}"
    );
}

#[test]
fn what_a_reviewer_has_to_look_at_is_told_with_its_places() {
    let mut leaves = honest(20);
    // Two calls without outcomes, one of them too young to miss it.
    leaves[3] = leaf(3, |leaf| (leaf.phase, leaf.record_id) = (3, "event".into()));
    leaves[5] = leaf(5, |leaf| leaf.recorded_at -= 7_200_000_000);
    leaves[7] = leaf(7, |leaf| leaf.recorded_at += 60_000_000);
    leaves[9] = leaf(9, |leaf| leaf.adopted_at = Some(1_700_000_001_000_000));
    leaves[11] = leaf(11, |leaf| leaf.spool_sequence = 40);
    leaves[13] = leaf(13, |leaf| leaf.spool_sequence = 1);
    leaves[14] = leaf(14, |leaf| leaf.record_id = "lone".into());
    leaves[19] = leaf(19, |leaf| {
        (leaf.recorded_at, leaf.stored_at) =
            (leaf.recorded_at + 3_600_000_000, leaf.stored_at + 3_600_000_000);
    });
    let mut spools = Spools::default();
    let policy = Policy { keys: Some(keys(false)), ..Policy::default() };
    let anchors = [Anchor { name: "it".to_owned(), note: checkpoint(&leaves, false) }];
    let report = verify_export(export(&leaves).as_slice(), policy, &anchors, &mut spools).unwrap();
    assert_eq!(report.faults, []);
    let at = |indexes: &[u64]| (indexes.len() as u64, indexes.to_vec());
    let expected = {
        let (count, indexes) = at(&[2, 14]);
        let open = Finding::OpenIntents { count, indexes };
        let (count, indexes) = at(&[15]);
        let lone = Finding::LoneOutcomes { count, indexes };
        let (count, indexes) = at(&[7]);
        let skew = Finding::ClockSkew { count, indexes };
        let (count, indexes) = at(&[5]);
        let late = Finding::Late { count, indexes };
        let (count, indexes) = at(&[9]);
        let adopted = Finding::Adopted { count, indexes };
        let (count, indexes) = at(&[13]);
        [open, lone, skew, late, adopted, Finding::SpoolRepeated { count, indexes }]
    };
    assert_eq!(report.findings, expected);
    let gap = |first, last| Gap { spool: "spool".to_owned(), first, last };
    assert_eq!(spools.gaps(), [gap(12, 12), gap(14, 14), gap(21, 39)]);
    assert!(report.findings.iter().all(|finding| finding.to_string().contains("at ")));
}

#[test]
fn an_outcome_that_was_stored_before_its_intent_is_nothing_to_look_at() {
    let mut leaves = honest(4);
    leaves[0] = leaf(0, |leaf| leaf.phase = Leaf::OUTCOME);
    leaves[1] = leaf(1, |leaf| leaf.phase = Leaf::INTENT);
    let report = verify(&export(&leaves), keys(false), &[checkpoint(&leaves, false)]);
    assert_eq!((report.faults, report.findings), (vec![], vec![]));
}

#[test]
fn an_export_that_was_cut_or_mixed_up_is_told_from_a_whole_one() {
    let leaves = honest(6);
    let note = checkpoint(&leaves, false);
    let whole = export(&leaves);
    for cut in [whole.len() - 1, whole.len() - 9, whole.len() / 2] {
        let report = verify(&whole[..cut], keys(false), std::slice::from_ref(&note));
        assert!(report.faults.iter().any(|fault| matches!(fault, Fault::Export { .. })), "{cut}: {report:?}");
    }
    let text = String::from_utf8(whole).unwrap();
    for (from, to) in [
        ("{\"end\":6}", "{\"end\":5}"),
        ("{\"end\":6}", "{\"other\":6}"),
        ("{\"end\":6}\n", "{\"v\":1}\n{\"end\":7}\n"),
    ] {
        let report = verify(text.replace(from, to).as_bytes(), keys(false), std::slice::from_ref(&note));
        assert!(!report.is_verified(), "{to}");
    }
    let other =
        text.replace("\"tenant\":\"general\",\"log_index\":3", "\"tenant\":\"other\",\"log_index\":3");
    let report = verify(other.as_bytes(), keys(false), std::slice::from_ref(&note));
    assert!(report.faults.contains(&Fault::OtherTenant { index: 3 }));
    assert!(verify_export(&b"{}\n"[..], Policy::default(), &[], &mut Spools::default()).is_err());
    let long = vec![b'x'; 9 * 1024 * 1024];
    assert!(verify_export(long.as_slice(), Policy::default(), &[], &mut Spools::default()).is_err());
}

#[test]
fn more_faults_than_anybody_reads_are_counted_and_not_kept() {
    let leaves: Vec<_> = (0..500).map(|index| leaf(index, |leaf| leaf.tenant = "other".into())).collect();
    let report = verify(&export(&leaves), keys(false), &[]);
    assert_eq!((report.faults.len(), report.more_faults), (100, 401));
}

#[test]
fn a_witness_signs_what_goes_on_and_nothing_else() {
    let leaves = honest(8);
    let (log, own) = (log_key(), witness_key());
    let sign = |before: Option<&[u8]>, note: &[u8], path: &[Hash]| {
        witness(log.verifier(), &own, before, note, path, 1_700_000_000)
    };
    let (four, eight) = (checkpoint(&leaves[..4], false), checkpoint(&leaves, false));
    let (size, first) = sign(None, &four, &[]).unwrap();
    assert_eq!((size, first.signed_by(own.verifier())), (4, Ok(1_700_000_000)));
    let before = first.to_string().into_bytes();
    // From four of eight leaves the proof is one hash: the right half.
    let mut right = Tree::empty();
    leaves[4..].iter().for_each(|leaf| right.push(Hash::leaf(leaf), &mut Vec::new()));
    let (size, second) = sign(Some(&before), &eight, &[right.root()]).unwrap();
    assert_eq!((size, keys(true).open(second.to_string().as_bytes()).is_ok()), (8, true));
    assert_eq!(sign(Some(&before), &eight, &[]), Err(WitnessError::Changed(ProofError::Length)));
    let forged = checkpoint(
        &[leaf(0, |leaf| leaf.released = 9), leaf(1, |_| {}), leaf(2, |_| {}), leaf(3, |_| {})],
        false,
    );
    assert_eq!(sign(Some(&before), &forged, &[]), Err(WitnessError::Changed(ProofError::Root)));
    let after = second.to_string().into_bytes();
    assert_eq!(sign(Some(&after), &four, &[]), Err(WitnessError::Shorter { known: 8, found: 4 }));
    // What it kept must be its own: a state without its signature is nobody's word.
    assert!(matches!(sign(Some(&four), &eight, &[right.root()]), Err(WitnessError::Own(_))));
    let stranger = SigningKey::from_seed(ORIGIN, KeyKind::Log, &[9; 32]).unwrap();
    let refused = witness(stranger.verifier(), &own, None, &four, &[], 1);
    assert!(matches!(refused, Err(WitnessError::Checkpoint(_))));
}

/// An export that is made while it is read, so that a long one never stands in memory.
struct Made {
    waiting: std::collections::VecDeque<u8>,
    next: u64,
    count: u64,
}

impl std::io::Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.waiting.is_empty() && self.next <= self.count {
            if self.next < self.count {
                self.waiting.extend(leaf(self.next, |_| {}));
            } else {
                self.waiting.extend(format!("{{\"end\":{}}}", self.count).as_bytes());
            }
            self.waiting.push_back(b'\n');
            self.next += 1;
        }
        self.waiting.read(buffer)
    }
}

#[test]
fn a_long_log_is_verified_as_a_stream() {
    let is_long = std::env::var("SALLYPORT_TEST_LONG").is_ok_and(|long| long == "1");
    let count = if is_long { 1_000_000 } else { 5_000 };
    let mut tree = Tree::empty();
    for index in 0..count {
        tree.push(Hash::leaf(&leaf(index, |_| {})), &mut Vec::new());
    }
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: count, root: tree.root() };
    let note = checkpoint.sign(&log_key()).unwrap().to_string().into_bytes();
    let header = serde_json::to_string(&Header::new(ORIGIN, "general")).unwrap() + "\n";
    let made = Made { waiting: header.into_bytes().into(), next: 0, count };
    let policy = Policy { keys: Some(keys(false)), ..Policy::default() };
    let anchors = [Anchor { name: "it".to_owned(), note }];
    let started = Instant::now();
    let input = std::io::BufReader::new(made);
    let report = verify_export(input, policy, &anchors, &mut Spools::default()).unwrap();
    println!("{count} records made and verified in {:?}", started.elapsed());
    assert_eq!((report.faults, report.records, report.covered), (vec![], count, count));
}
