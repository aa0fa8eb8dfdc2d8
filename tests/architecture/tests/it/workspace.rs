//! What the rules look at: the members and their direct dependencies by `cargo metadata`, and the files of the tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// A member of the workspace.
pub(crate) struct Member {
    /// Its folder, e.g. `services/web`.
    pub(crate) folder: String,
    /// Direct dependencies that are built into it (normal and build), by package name.
    pub(crate) built_in: BTreeSet<String>,
    /// Direct dependencies of its tests.
    pub(crate) for_tests: BTreeSet<String>,
}

impl Member {
    pub(crate) fn is_service(&self) -> bool {
        self.folder.starts_with("services/")
    }

    /// Tests that are members of their own: never part of what runs.
    pub(crate) fn is_tests(&self) -> bool {
        self.folder.starts_with("tests/")
    }
}

/// A text file of the tree.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Members by package name without `sallyport-`.
pub(crate) static MEMBERS: LazyLock<BTreeMap<String, Member>> = LazyLock::new(|| {
    let text = cargo(&["metadata", "--no-deps", "--format-version=1", "--offline"]);
    let metadata: Value = serde_json::from_str(&text).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let members: BTreeMap<String, Member> = packages.iter().map(member).collect();
    assert!(members.len() > 20, "the workspace was not read");
    members
});

/// Every text file that is part of the project: known to git, or new and not ignored.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let listed = String::from_utf8(output.stdout).expect("paths are text");
    let read = |path: &str| {
        let text = std::fs::read_to_string(root().join(path)).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    let files: Vec<File> = listed.lines().filter_map(read).collect();
    assert!(files.len() > 100, "the tree was not read");
    files
});

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

pub(crate) fn cargo(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes text")
}

/// Rust files below `src` of a crate or service.
pub(crate) fn production() -> impl Iterator<Item = &'static File> {
    let is_ours = |f: &&File| f.path.starts_with("crates/") || f.path.starts_with("services/");
    FILES.iter().filter(|f| f.path.ends_with(".rs") && f.path.contains("/src/")).filter(is_ours)
}

/// A dependency of ours by its short name, if it is ours.
pub(crate) fn ours(dependencies: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    dependencies.iter().filter_map(|name| match name.as_str() {
        "sallyport" => Some("sallyport"),
        other => other.strip_prefix("sallyport-"),
    })
}

/// Fails with every place that broke the rule.
#[track_caller]
pub(crate) fn nobody(breaks: &str, places: impl IntoIterator<Item = String>) {
    let places: Vec<String> = places.into_iter().collect();
    assert!(places.is_empty(), "{breaks}:\n  {}", places.join("\n  "));
}

fn member(package: &Value) -> (String, Member) {
    let name = package["name"].as_str().expect("a name");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    let folder = manifest.parent().and_then(|p| p.strip_prefix(root()).ok()).expect("inside the workspace");
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    let names = |is_for_tests: bool| {
        let of_kind = dependencies.iter().filter(|d| (d["kind"].as_str() == Some("dev")) == is_for_tests);
        of_kind.map(|d| d["name"].as_str().expect("a name").to_owned()).collect()
    };
    let member = Member {
        folder: folder.to_string_lossy().replace('\\', "/"),
        built_in: names(false),
        for_tests: names(true),
    };
    (name.strip_prefix("sallyport-").unwrap_or(name).to_owned(), member)
}
