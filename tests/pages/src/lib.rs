//! The pages that tell what test runs showed: `docs/CONFORMANCE.md`, `docs/COMPATIBILITY.md` and
//! `docs/ASSURANCE.md`.

pub mod assurance;
pub mod compatibility;
pub mod conformance;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Writes a page below `docs`, or holds the committed one against it.
///
/// # Errors
/// When it cannot be written, or is stale.
pub fn keep(name: &str, content: &str, is_check: bool) -> anyhow::Result<()> {
    let path = root().join("docs").join(name);
    if !is_check {
        return std::fs::write(&path, content).with_context(|| format!("cannot write docs/{name}"));
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(committed == content, "docs/{name} is stale: write it anew (CONTRIBUTING.md) and commit it");
    Ok(())
}
