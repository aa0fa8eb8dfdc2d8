//! What is built in from outside: the lists of `deny.toml`, checked with cargo alone, so that the quick run has them.

use std::collections::BTreeSet;

use crate::workspace::{FILES, cargo, nobody, root};

struct Package {
    name: String,
    licence: String,
}

/// Everything that any target of the workspace builds, as the resolver sees it.
fn packages() -> Vec<Package> {
    let tree = ["tree", "--offline", "--workspace", "--target", "all", "--edges", "normal,build,dev"];
    let text = cargo(&[&tree[..], &["--all-features", "--prefix", "none", "--format", "{p}|{l}"]].concat());
    let packages: Vec<Package> = text
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            let name = package.split(' ').next()?.to_owned();
            Some(Package { name, licence: licence.trim_end_matches(" (*)").to_owned() })
        })
        .collect();
    assert!(packages.len() > 200, "the tree was not read");
    packages
}

fn deny() -> toml::Table {
    let file = FILES.iter().find(|f| f.path == "deny.toml").expect("deny.toml");
    file.text.parse().expect("deny.toml is TOML")
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is the old way to write OR.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.trim();
    if let Some(inner) = expression.strip_prefix('(').and_then(|e| e.strip_suffix(')'))
        && is_closed(inner)
    {
        return is_met(inner, allowed);
    }
    let any = splits(expression, &[" OR ", "/"]);
    if any.len() > 1 {
        return any.iter().any(|part| is_met(part, allowed));
    }
    let all = splits(expression, &[" AND "]);
    if all.len() > 1 {
        return all.iter().all(|part| is_met(part, allowed));
    }
    allowed.contains(expression)
}

/// Whether every bracket closes one that was opened before it: `a) AND (b` is not the inside of a bracket.
fn is_closed(expression: &str) -> bool {
    let mut depth = 0_i32;
    expression.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    })
}

/// Splits outside of brackets.
fn splits<'e>(expression: &'e str, separators: &[&str]) -> Vec<&'e str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in expression.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        let separator = separators.iter().find(|s| depth == 0 && expression[at..].starts_with(**s));
        if let Some(separator) = separator {
            parts.push(&expression[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&expression[start..]);
    parts
}

fn texts(value: Option<&toml::Value>, key: Option<&str>) -> BTreeSet<String> {
    let list = value.and_then(toml::Value::as_array).expect("a list in deny.toml");
    let text = |v: &toml::Value| match key {
        Some(key) => v.get(key).and_then(toml::Value::as_str).map(ToOwned::to_owned),
        None => v.as_str().map(ToOwned::to_owned),
    };
    list.iter().filter_map(text).collect()
}

#[test]
fn every_licence_is_one_that_may_be_shipped() {
    let allowed = texts(deny()["licenses"].get("allow"), None);
    let wrong: BTreeSet<String> = packages()
        .into_iter()
        .filter(|p| !is_met(&p.licence, &allowed))
        .map(|p| format!("{}: {:?}", p.name, p.licence))
        .collect();
    nobody("licences outside deny.toml's list", wrong);
}

#[test]
fn nothing_that_is_banned_is_built() {
    let banned = texts(deny()["bans"].get("deny"), Some("crate"));
    assert!(banned.contains("openssl") && banned.contains("ring"), "one TLS library, one crypto library");
    let found: BTreeSet<String> =
        packages().into_iter().filter(|p| banned.contains(&p.name)).map(|p| p.name).collect();
    nobody("banned in deny.toml", found);
}

#[test]
fn everything_comes_from_the_one_registry_or_from_here() {
    let lock: toml::Table =
        std::fs::read_to_string(root().join("Cargo.lock")).expect("a lock file").parse().expect("it is TOML");
    let locked = lock["package"].as_array().expect("packages");
    let elsewhere = locked.iter().filter(|p| {
        let source = p.get("source").and_then(toml::Value::as_str);
        source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index")
    });
    nobody("sources other than crates.io", elsewhere.map(|p| p["name"].to_string()));
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Unicode-3.0"].map(ToOwned::to_owned).into();
    for fine in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "ISC AND (Apache-2.0 OR ISC)",
    ] {
        assert!(is_met(fine, &allowed), "{fine}");
    }
    for not in [
        "GPL-3.0",
        "",
        "MIT AND GPL-3.0",
        "(GPL-3.0 OR AGPL-3.0) AND MIT",
        "MIT AND (GPL-3.0 OR Apache-2.0)",
        "(MIT) AND (GPL-3.0)",
    ] {
        assert!(!is_met(not, &allowed), "{not}");
    }
}
