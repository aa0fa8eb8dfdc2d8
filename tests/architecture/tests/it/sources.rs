//! Habits that a reader relies on, in every file.

use crate::workspace::{FILES, File, nobody, production};

/// A file longer than this has two subjects.
const MAX_LINES: usize = 400;

/// This test names what it looks for.
fn is_this(file: &File) -> bool {
    file.path.starts_with("tests/architecture/")
}

fn rust() -> impl Iterator<Item = &'static File> {
    FILES.iter().filter(|f| f.path.ends_with(".rs") && !is_this(f))
}

#[test]
fn no_source_file_is_longer_than_four_hundred_lines() {
    let long = production().map(|f| (f.text.lines().count(), f)).filter(|(lines, _)| *lines > MAX_LINES);
    nobody("split these", long.map(|(lines, f)| format!("{} has {lines} lines", f.path)));
}

#[test]
fn every_module_says_what_it_owns() {
    let is_tests = |f: &File| f.path.ends_with("/tests.rs") || f.path.contains("/tests/");
    let silent =
        production().filter(|f| !is_tests(f) && !f.text.starts_with("//!") && !f.text.starts_with("#![doc"));
    nobody("modules without a first line of //!", silent.map(|f| f.path.clone()));
}

#[test]
fn a_module_is_named_after_its_subject() {
    const NAMES: [&str; 7] =
        ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "misc.rs"];
    let wrong = rust().filter(|f| NAMES.iter().any(|name| f.path.rsplit('/').next() == Some(name)));
    nobody("names that say nothing", wrong.map(|f| f.path.clone()));
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    const WORDS: [&str; 8] =
        ["todo!(", "unimplemented!(", "#[ignore", "TODO", "FIXME", "XXX", "dbg!(", "[allow("];
    let mut wrong = Vec::new();
    for file in rust() {
        wrong.extend(WORDS.iter().filter(|w| file.text.contains(**w)).map(|w| format!("{}: {w}", file.path)));
    }
    nobody("finish it, or say in an issue what is missing", wrong);
}

#[test]
fn the_tree_holds_no_path_of_the_machine_it_was_written_on() {
    let mut wrong = Vec::new();
    for file in FILES.iter().filter(|f| !is_this(f)) {
        for (number, line) in file.text.lines().enumerate() {
            if ["/work", "/root"].iter().any(|folder| names_folder(line, folder)) {
                wrong.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    nobody("paths that exist on one machine only", wrong);
}

/// Whether `folder` stands in the line as the start of an absolute path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let starts = before.is_none_or(|c| !c.is_alphanumeric() && !"/.-_}>)*$".contains(c));
        let ends = after.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
        starts && ends
    })
}

#[test]
fn an_absolute_path_is_told_from_a_part_of_another() {
    for path in ["cd /work/main", "\"/root\"", "=/root/.cargo", "/work"] {
        assert!(names_folder(path, "/work") || names_folder(path, "/root"), "{path}");
    }
    for other in ["https://ehr.example/work/1", "crates/root", "/worker", "/roots/x", "$dir/root", "../work"]
    {
        assert!(!names_folder(other, "/work") && !names_folder(other, "/root"), "{other}");
    }
}

/// Links of a Markdown text to files of the tree, each with the heading it names, if it does.
fn local_links(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let local = links.filter(|l| !l.is_empty() && !l.contains("://") && !l.starts_with("mailto:"));
    local.map(|link| link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading))))
}

/// A heading as a link names it: lower case, punctuation gone, spaces as hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn what_a_page_links_to_is_there() {
    let root = crate::workspace::root();
    let mut lost = Vec::new();
    let mut found = 0;
    for page in FILES.iter().filter(|f| f.path.ends_with(".md")) {
        let path = root.join(&page.path);
        for (file, heading) in local_links(&page.text) {
            found += 1;
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let names = |text: &str, wanted: &str| {
                text.lines()
                    .filter(|l| l.starts_with('#'))
                    .any(|l| anchor(l.trim_start_matches('#')) == wanted)
            };
            let is_there = match heading {
                Some(heading) => std::fs::read_to_string(&target).is_ok_and(|text| names(&text, heading)),
                None => target.exists(),
            };
            if !is_there {
                lost.push(format!("{}: {file}#{}", page.path, heading.unwrap_or_default()));
            }
        }
    }
    assert!(found > 20, "links are found");
    nobody("links that lead nowhere", lost);
}

#[test]
fn every_workspace_member_inherits_the_lints() {
    /// Generated code, which says in its manifest what it cannot keep.
    const HAVE_THEIR_OWN: [&str; 1] = ["crates/proto/Cargo.toml"];
    let manifests = FILES.iter().filter(|f| f.path.ends_with("/Cargo.toml"));
    let without = manifests.filter(|f| {
        let manifest: toml::Table = f.text.parse().expect("a manifest is TOML");
        let lints = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
        manifest.contains_key("package") && lints != Some(true) && !HAVE_THEIR_OWN.contains(&f.path.as_str())
    });
    nobody("members without the workspace's lints", without.map(|f| f.path.clone()));
}
