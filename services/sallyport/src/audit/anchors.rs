//! Checkpoints that were kept elsewhere: files, and folders of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use sallyport_audit_proof::{Anchor, Checkpoint, Note};

/// What a checkpoint's file name ends with.
const SUFFIX: &str = "checkpoint";

/// The checkpoints in these places that are of the log with that origin. A file that was named must be one; in folders,
/// and their folders, only files called `*.checkpoint` are read.
pub(super) fn load(places: &[PathBuf], origin: &str) -> anyhow::Result<Vec<Anchor>> {
    let mut anchors = Vec::new();
    for place in places {
        if place.is_dir() {
            walk(place, origin, &mut anchors)?;
        } else {
            let anchor = read(place)?;
            if is_of(&anchor, origin) {
                anchors.push(anchor);
            }
        }
    }
    Ok(anchors)
}

fn walk(folder: &Path, origin: &str, anchors: &mut Vec<Anchor>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, origin, anchors)?;
        } else if path.extension().is_some_and(|extension| extension == SUFFIX) {
            let anchor = read(&path)?;
            if is_of(&anchor, origin) {
                anchors.push(anchor);
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Anchor> {
    let note = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Anchor { name: path.display().to_string(), note })
}

/// One that does not read is of this log too: the verification says what is wrong with it.
fn is_of(anchor: &Anchor, origin: &str) -> bool {
    let Ok(note) = Note::parse(&anchor.note) else { return true };
    Checkpoint::parse(note.text()).map_or(true, |checkpoint| checkpoint.origin == origin)
}
