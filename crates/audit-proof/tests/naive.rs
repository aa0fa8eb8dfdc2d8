//! The tree and its proofs against the definitions of RFC 9162 §2.1, written down naively, and against hostile input.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashMap;

use proptest::prelude::*;
use sallyport_audit_proof::{
    Hash, Keys, Leaf, NodeId, Note, ProofFile, Spools, Tile, TileId, Tree, VerifierKey, consistency_nodes,
    fold, inclusion_nodes, verify_consistency, verify_export, verify_inclusion,
};

/// MTH of RFC 9162 §2.1.1.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [one] => *one,
        many => {
            let k = split(many.len());
            Hash::node(&mth(&many[..k]), &mth(&many[k..]))
        }
    }
}

/// PATH of §2.1.3.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (mut hashes, other) = if m < k {
        (path(m, &leaves[..k]), mth(&leaves[k..]))
    } else {
        (path(m - k, &leaves[k..]), mth(&leaves[..k]))
    };
    hashes.push(other);
    hashes
}

/// SUBPROOF of §2.1.4.1.
fn subproof(m: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if is_known { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = split(leaves.len());
    let (mut hashes, other) = if m <= k {
        (subproof(m, &leaves[..k], is_known), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    hashes.push(other);
    hashes
}

fn split(count: usize) -> usize {
    let mut k = 1;
    while k * 2 < count {
        k *= 2;
    }
    k
}

/// A log: its leaves, its tree, and the tiles that came out.
struct Log {
    leaves: Vec<Hash>,
    tree: Tree,
    tiles: HashMap<TileId, Tile>,
}

impl Log {
    fn of(size: usize) -> Self {
        let (mut tree, mut completed) = (Tree::empty(), Vec::new());
        let leaves: Vec<Hash> = (0..size).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
        for leaf in &leaves {
            tree.push(*leaf, &mut completed);
        }
        Self { leaves, tree, tiles: completed.into_iter().map(|tile| (tile.id, tile)).collect() }
    }

    fn hash(&self, node: NodeId) -> Hash {
        let kept = || node.within(&self.tiles.get(&node.tile())?.hashes);
        self.tree.node(node).or_else(kept).unwrap()
    }

    fn proof(&self, nodes: &[Vec<NodeId>]) -> Vec<Hash> {
        let fold = |nodes: &Vec<NodeId>| fold(&nodes.iter().map(|n| self.hash(*n)).collect::<Vec<_>>());
        nodes.iter().map(|nodes| fold(nodes).unwrap()).collect()
    }
}

#[test]
fn every_tree_up_to_a_hundred_and_thirty_leaves_and_every_proof_in_it_is_that_of_the_definition() {
    for size in 0..=130_usize {
        let log = Log::of(size);
        let root = log.tree.root();
        assert_eq!(root, mth(&log.leaves), "{size}");
        for index in 0..size {
            let proof = log.proof(&inclusion_nodes(index as u64, size as u64).unwrap());
            assert_eq!(proof, path(index, &log.leaves), "{index} in {size}");
            verify_inclusion(&log.leaves[index], index as u64, size as u64, &proof, &root).unwrap();
        }
        for old in 1..=size {
            let proof = log.proof(&consistency_nodes(old as u64, size as u64).unwrap());
            assert_eq!(proof, subproof(old, &log.leaves, true), "{old} to {size}");
            let before = mth(&log.leaves[..old]);
            verify_consistency((old as u64, &before), (size as u64, &root), &proof).unwrap();
        }
    }
}

#[test]
fn proofs_within_an_older_size_are_made_from_the_tree_of_today() {
    let log = Log::of(3_000);
    for size in [1_usize, 31, 32, 33, 1_023, 1_024, 1_025, 2_999] {
        let root = mth(&log.leaves[..size]);
        for index in [0, size / 2, size - 1] {
            let proof = log.proof(&inclusion_nodes(index as u64, size as u64).unwrap());
            verify_inclusion(&log.leaves[index], index as u64, size as u64, &proof, &root).unwrap();
        }
    }
}

#[test]
fn a_proof_in_a_log_of_sixteen_million_records_has_twenty_four_hashes_at_most() {
    for index in [0, 1, 8_388_608, 16_777_215] {
        assert!(inclusion_nodes(index, 1 << 24).unwrap().len() <= 24);
    }
    assert_eq!(inclusion_nodes(5, 5), None);
    assert_eq!(consistency_nodes(6, 5), None);
    assert!(inclusion_nodes(u64::MAX - 1, u64::MAX).unwrap().len() <= 64);
}

proptest! {
    #[test]
    fn a_tree_goes_on_from_its_kept_edge(size in 0..5_000_usize, more in 0..200_usize) {
        let mut whole = Log::of(size).tree;
        let mut resumed = Tree::restore(size as u64, &whole.to_bytes()).unwrap();
        prop_assert_eq!(&resumed, &whole);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for n in size..size + more {
            whole.push(Hash::leaf(&n.to_be_bytes()), &mut a);
            resumed.push(Hash::leaf(&n.to_be_bytes()), &mut b);
        }
        prop_assert_eq!(a, b);
        prop_assert_eq!(resumed.root(), whole.root());
    }

    #[test]
    fn another_leaf_another_place_or_another_hash_proves_nothing(
        size in 2..300_usize, place in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), bit in 0..256_usize,
    ) {
        let log = Log::of(size);
        let (index, wrong) = (place.index(size), other.index(size));
        let root = log.tree.root();
        let proof = log.proof(&inclusion_nodes(index as u64, size as u64).unwrap());
        let check = |leaf: &Hash, index: usize, proof: &[Hash]| {
            verify_inclusion(leaf, index as u64, size as u64, proof, &root).is_ok()
        };
        if wrong != index {
            prop_assert!(!check(&log.leaves[index], wrong, &proof));
            prop_assert!(!check(&log.leaves[wrong], index, &proof));
        }
        let mut altered = proof.clone();
        let at = other.index(proof.len());
        let mut bytes = *altered[at].as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        altered[at] = Hash::from_bytes(bytes);
        prop_assert!(!check(&log.leaves[index], index, &altered));
        prop_assert!(!check(&log.leaves[index], index, &proof[1..]));
        prop_assert!(!check(&log.leaves[index], index, &[proof, vec![root]].concat()));
    }

    #[test]
    fn a_log_that_was_changed_below_an_old_size_has_no_consistency_proof(
        size in 2..300_usize, old in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>(),
    ) {
        let old = 1 + old.index(size - 1);
        let honest = Log::of(size);
        let before = mth(&honest.leaves[..old]);
        let mut leaves = honest.leaves;
        leaves[changed.index(old)] = Hash::leaf(b"another");
        let forged = mth(&leaves);
        let proof = subproof(old, &leaves, true);
        prop_assert!(verify_consistency((old as u64, &before), (size as u64, &forged), &proof).is_err());
    }

    #[test]
    fn no_bytes_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), size in any::<u64>()) {
        let _tree = Tree::restore(size, &bytes);
        let _tile = Tile::from_bytes(TileId { level: 0, index: size }, &bytes);
        let _leaf = Leaf::parse(&bytes);
        let _proof = ProofFile::parse(&bytes);
        let _report = verify_export(bytes.as_slice(), Default::default(), &[], &mut Spools::default());
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn no_text_makes_a_note_or_a_key_panic(
        text in "[a-z\\n]{0,20}\n\n(— [a-z]{0,4} [A-Za-z0-9+/]{0,12}={0,2}\n){0,3}", key in ".{0,40}\\+[0-9a-f]{8}\\+.{0,60}",
    ) {
        let _note = Note::parse(text.as_bytes());
        let _key = VerifierKey::parse(&key);
    }

    #[test]
    fn a_signed_note_with_any_byte_changed_is_not_believed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        use sallyport_audit_proof::{Checkpoint, KeyKind, SigningKey};
        let log = SigningKey::from_seed("log", KeyKind::Log, &[1; 32]).unwrap();
        let witness = SigningKey::from_seed("witness", KeyKind::Witness, &[2; 32]).unwrap();
        let mut note = Checkpoint { origin: "log".to_owned(), size: 7, root: Hash::leaf(b"") }.sign(&log).unwrap();
        witness.sign(&mut note, 1);
        let keys = Keys { log: log.verifier().clone(), witnesses: vec![witness.verifier().clone()] };
        let mut bytes = note.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(keys.open(&bytes).is_err(), "byte {at}");
    }
}
