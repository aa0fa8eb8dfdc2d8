//! The page about the measures is generated: a stale one fails. `scripts/generate` writes it anew.

use std::path::Path;

use sallyport_care_gaps::{RuleFile, RuleSet, describe};

#[test]
fn the_page_about_the_measures_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CARE-GAPS.md");
    let page = describe::page(&RuleSet::builtin().expect("the measures that ship are right"));
    if std::env::var("SALLYPORT_GENERATE").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &page).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/CARE-GAPS.md is stale: run scripts/generate");
}

#[test]
fn the_rule_files_that_the_page_shows_are_taken() {
    let page = include_str!("../src/describe/files.txt");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for text in examples {
        let text = text.replace('\u{2026}', "77067");
        let rules = RuleSet::with(&[RuleFile { name: "example.toml", text: &text }]);
        assert!(rules.is_ok(), "{:?}", rules.err());
    }
}
