//! The page for newcomers names files and commands that exist.

use std::collections::BTreeSet;

use sallyport_test_pages::root;

const PAGE: &str = include_str!("../../../docs/ADDING-A-VENDOR.md");

/// What the newcomer makes.
const MADE: [&str; 2] =
    ["crates/vendors/src/products/example.rs", "services/sandbox-ehr/src/profile/products/example.rs"];

/// Texts between backticks, outside of blocks.
fn spans() -> Vec<&'static str> {
    let mut in_block = false;
    let lines = PAGE.lines().filter(|line| {
        if line.starts_with("```") {
            in_block = !in_block;
            return false;
        }
        !in_block
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Lines of the blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}");
    let mut inside = false;
    PAGE.lines()
        .filter(|line| {
            if line.starts_with("```") {
                inside = *line == fence;
                return false;
            }
            inside
        })
        .collect()
}

#[test]
fn every_file_that_is_named_is_there() {
    let is_path =
        |span: &&&str| span.contains('/') && !span.contains([' ', ':', '<']) && !span.starts_with("http");
    let named: BTreeSet<&str> = spans().iter().filter(is_path).copied().collect();
    assert!(named.len() > 8, "{named:?}");
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|path| {
            !MADE.contains(path)
                && !root().join(path).exists()
                && !root().join("crates/vendors").join(path).exists()
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for made in MADE {
        assert!(PAGE.contains(made) && !root().join(made).exists(), "{made} is an example");
    }
}

#[test]
fn every_command_that_is_given_is_there() {
    let cli = std::fs::read_to_string(root().join("services/sallyport/src/cli.rs")).unwrap();
    let spans: Vec<&str> = spans().into_iter().filter(|span| span.starts_with("cargo ")).collect();
    let commands: Vec<&str> = blocks("sh").into_iter().chain(spans).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["cargo", "test", "-p", package, rest @ ..] => {
                let folder = ["crates", "services", "tests"].iter().find_map(|kind| {
                    let name = package.strip_prefix("sallyport-")?;
                    let folder = root().join(kind).join(name.strip_prefix("test-").unwrap_or(name));
                    folder.join("Cargo.toml").exists().then_some(folder)
                });
                let folder = folder.unwrap_or_else(|| panic!("no package {package}"));
                if let ["--test", test, ..] = rest {
                    assert!(folder.join("tests").join(format!("{test}.rs")).exists(), "{command}");
                }
            }
            ["cargo", "run", "--release", "--", subcommand, ..] | ["sallyport", subcommand, ..] => {
                let variant: String =
                    subcommand.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
                assert!(cli.contains(&format!("    {variant}(")), "sallyport has no {subcommand}");
            }
            [script] => assert!(root().join(script).exists(), "{command}"),
            _ => panic!("nobody knows what {command} is"),
        }
    }
}

#[test]
fn the_examples_are_written_as_the_products_are() {
    let rust = blocks("rust").join("\n");
    let real = std::fs::read_to_string(root().join("crates/vendors/src/products/nextgen.rs")).unwrap();
    let strict =
        std::fs::read_to_string(root().join("services/sandbox-ehr/src/profile/products/nextgen.rs")).unwrap();
    let suite = std::fs::read_to_string(root().join("tests/contract/tests/products.rs")).unwrap();
    for (shared, source) in [
        ("use super::prelude::*;", &real),
        ("pub(crate) fn profile() -> Profile {", &real),
        ("Rule::of(T::Observation)", &real),
        ("use super::strict::PROFILE as STRICT;", &strict),
        ("pub(super) const PROFILE: Profile = Profile {", &strict),
        ("any_of: &[&[\"code\"], &[\"category\"], &[\"_id\"]],", &strict),
        (".await.map(|_| ())", &suite),
    ] {
        assert!(rust.contains(shared) && source.contains(shared), "{shared}");
    }
}
