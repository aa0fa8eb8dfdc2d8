//! Figures of others: the certificate transparency reference tree, the example of the signed note, and a checkpoint
//! that a public log and its witnesses signed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sallyport_audit_proof::{
    Checkpoint, CheckpointError, Hash, KeyKind, Keys, Note, NoteError, SigningKey, Tree, VerifierKey,
    verify_consistency, verify_inclusion,
};

/// The leaves of the reference tree of certificate transparency.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
/// Its root after each leaf.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(text: &str) -> Hash {
    Hash::from_slice(&hex::decode(text).unwrap()).unwrap()
}

#[test]
fn the_reference_tree_has_its_roots() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut tree = Tree::empty();
    assert_eq!(tree.root(), hash(empty));
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        tree.push(Hash::leaf(&hex::decode(leaf).unwrap()), &mut Vec::new());
        assert_eq!(tree.root(), hash(root));
    }
}

#[test]
fn the_reference_proofs_hold_and_prove_nothing_else() {
    // The first leaf of eight, and the sixth of eight.
    let first = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    .map(hash);
    let (leaf, root) = (Hash::leaf(b""), hash(ROOTS[7]));
    verify_inclusion(&leaf, 0, 8, &first, &root).unwrap();
    assert!(verify_inclusion(&leaf, 1, 8, &first, &root).is_err());
    assert!(verify_inclusion(&leaf, 0, 9, &first, &root).is_err());
    assert!(verify_inclusion(&leaf, 0, 8, &first[..2], &root).is_err());
    assert!(verify_inclusion(&Hash::leaf(b"x"), 0, 8, &first, &root).is_err());
    // From six to eight, and from two to five.
    let six = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash);
    verify_consistency((6, &hash(ROOTS[5])), (8, &hash(ROOTS[7])), &six).unwrap();
    assert!(verify_consistency((6, &hash(ROOTS[4])), (8, &hash(ROOTS[7])), &six).is_err());
    assert!(verify_consistency((5, &hash(ROOTS[4])), (8, &hash(ROOTS[7])), &six).is_err());
    let two = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]
    .map(hash);
    verify_consistency((2, &hash(ROOTS[1])), (5, &hash(ROOTS[4])), &two).unwrap();
}

const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn the_example_note_verifies_and_an_altered_one_does_not() {
    let key = VerifierKey::parse(KEY).unwrap();
    assert_eq!(key.to_string(), KEY);
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(note.signed_by(&key), Ok(0));
    let altered = Note::parse(NOTE.replace("answer", "Answer").as_bytes()).unwrap();
    assert_eq!(altered.signed_by(&key), Err(NoteError::Forged));
    let other =
        VerifierKey::parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop").unwrap();
    assert_eq!(note.signed_by(&other), Err(NoteError::NotSigned));
}

const CHECKPOINT: &str = "arche2025h1.staging.ct.transparency.dev\n\
    1432088532\n\
    U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\
    \n\
    — arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\
    — arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
    — remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";

fn public_keys() -> Keys {
    let log = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
    let witness = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    Keys { log: VerifierKey::parse(log).unwrap(), witnesses: vec![VerifierKey::parse(witness).unwrap()] }
}

#[test]
fn a_public_logs_checkpoint_verifies_with_its_witness() {
    let opened = public_keys().open(CHECKPOINT.as_bytes()).unwrap();
    assert_eq!(opened.checkpoint.size, 1_432_088_532);
    assert_eq!(opened.checkpoint.root, Hash::parse("U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=").unwrap());
    assert_eq!(opened.witnessed_at, 0x6a12_2120);
    assert_eq!(opened.note.to_string(), CHECKPOINT);
}

#[test]
fn a_checkpoint_without_its_witness_or_with_another_size_is_not_believed() {
    let (unwitnessed, _) = CHECKPOINT.split_once("— remora").unwrap();
    assert_eq!(public_keys().open(unwitnessed.as_bytes()), Err(CheckpointError::Witness));
    let altered = CHECKPOINT.replace("1432088532", "1432088531");
    assert_eq!(public_keys().open(altered.as_bytes()), Err(CheckpointError::Note(NoteError::Forged)));
    let late = CHECKPOINT.replace("AABqEiEg", "AABqEiEh");
    assert_eq!(public_keys().open(late.as_bytes()), Err(CheckpointError::Note(NoteError::Forged)));
}

#[test]
fn what_is_signed_here_is_signed_as_elsewhere() {
    // RFC 8032 §7.1, test 1.
    let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    let seed: [u8; 32] = seed.try_into().unwrap();
    let log = SigningKey::from_seed("example.com/log", KeyKind::Log, &seed).unwrap();
    let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let public: [u8; 32] = public.try_into().unwrap();
    assert_eq!(*log.verifier(), VerifierKey::new("example.com/log", KeyKind::Log, public).unwrap());
    let witness = SigningKey::from_seed("example.com/witness", KeyKind::Witness, &[7; 32]).unwrap();
    let checkpoint = Checkpoint { origin: "example.com/log".to_owned(), size: 3, root: hash(ROOTS[2]) };
    let mut note = checkpoint.sign(&log).unwrap();
    witness.sign(&mut note, 1_700_000_000);
    // Signing again replaces: a note has one signature of each key.
    witness.sign(&mut note, 1_700_000_001);
    assert_eq!(note.signatures().len(), 2);
    let keys = Keys { log: log.verifier().clone(), witnesses: vec![witness.verifier().clone()] };
    let opened = keys.open(note.to_string().as_bytes()).unwrap();
    assert_eq!((opened.checkpoint, opened.witnessed_at), (checkpoint.clone(), 1_700_000_001));
    // The key of one log does not sign for another.
    let other = Checkpoint { origin: "example.com/other".to_owned(), ..checkpoint };
    assert_eq!(other.sign(&log), Err(CheckpointError::Origin));
}
