//! The page about the products: every fact of every profile, with how surely it is known.

use std::fmt::Write;

use crate::{
    Confidence, Profile,
    overrides::{FACTS, Named},
    search::Rule,
};

const HEAD: &str = "# Products\n\n\
    <!-- Generated from crates/vendors; scripts/generate rewrites it, CI fails when it is stale. -->\n\n\
    How EHR products behave, as the profiles say it. An endpoint names its product by `vendor`, and may override what\n\
    differs there ([OPERATIONS.md](OPERATIONS.md#tenant-files)).\n\n\
    Marks: ✔ said by the vendor · ◉ seen on the wire of a sandbox or fleet · ? told by a third party, or open ·\n\
    no mark: nobody has looked, what the specification says is assumed. Sandboxes and fleets change; none of this is a\n\
    promise of a vendor. What tests of ours have shown is another page's subject.\n";

/// The whole page, in Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| vendor | product | sandbox | how to get there |\n| --- | --- | --- | --- |\n");
    for profile in crate::all() {
        let registration = &profile.registration;
        let (sandbox, access) = (registration.sandbox.shown(), registration.access.shown());
        line(
            &mut page,
            &[
                &code(profile.id),
                profile.name,
                &marked(&sandbox.text, sandbox.confidence),
                &marked(&access.text, access.confidence),
            ],
        );
    }
    for profile in crate::all() {
        about(&mut page, profile);
    }
    page.push_str("\n## What the specifications say\n\nEvery profile starts from this. The last column is what an override may say.\n\n");
    page.push_str("| fact | value | an override may be |\n| --- | --- | --- |\n");
    let standard = Profile::standard("standard", "");
    for fact in FACTS {
        let forms = if fact.is_for_people() { "–".to_owned() } else { (fact.forms)() };
        line(&mut page, &[&code(fact.name), &(fact.get)(&standard).text, &forms]);
    }
    page
}

/// What nobody could verify of a product: fact and the value that is gone by until somebody does.
pub fn open_questions(profile: &Profile) -> Vec<(&'static str, String)> {
    let open = FACTS.iter().map(|fact| (fact.name, (fact.get)(profile)));
    let open = open.filter(|(_, shown)| shown.confidence == Confidence::Unverified);
    open.map(|(name, shown)| (name, shown.text)).collect()
}

fn about(page: &mut String, profile: &Profile) {
    let known: Vec<&Named> =
        FACTS.iter().filter(|fact| (fact.get)(profile).confidence != Confidence::Assumed).collect();
    // Writing to a String cannot fail.
    let _written = write!(page, "\n## {}\n\n`vendor = \"{}\"`\n", profile.name, profile.id);
    if known.is_empty() && profile.search.rules.is_empty() {
        page.push_str("\nAs the specifications say.\n");
        return;
    }
    page.push_str("\n| fact | value |\n| --- | --- |\n");
    for fact in known {
        let shown = (fact.get)(profile);
        line(page, &[&code(fact.name), &marked(&shown.text, shown.confidence)]);
    }
    for rule in &profile.search.rules {
        let name = format!("search of {}", rule.resource_type);
        line(page, &[&name, &marked(&searched(rule), rule.confidence())]);
    }
    if !profile.errors.signs.is_empty() {
        let surest =
            profile.errors.signs.iter().map(crate::Fact::confidence).min().unwrap_or(Confidence::Assumed);
        let count = format!("{} of its own", profile.errors.signs.len());
        line(page, &["error signs", &marked(&count, surest)]);
    }
}

fn searched(rule: &Rule) -> String {
    let mut said = Vec::new();
    if !rule.needs.is_empty() {
        let sets: Vec<String> = rule.needs.iter().map(|set| set.join("+")).collect();
        said.push(format!("needs {}", sets.join(" or ")));
    }
    for addition in &rule.adds {
        let loss = if addition.narrows { " (rows may be lost)" } else { "" };
        said.push(format!("`{}={}` is added{loss}", addition.name, addition.value));
    }
    if let Some(declared) = &rule.declared {
        said.push(format!("understands {}", declared.join(", ")));
    }
    for name in &rule.alone {
        said.push(format!("`{name}` alone"));
    }
    for (one, other) in &rule.never_together {
        said.push(format!("`{one}` or `{other}`"));
    }
    if let Some(default) = rule.page_default {
        said.push(format!("{default} a page"));
    }
    if let Some(max) = rule.page_max {
        said.push(format!("at most {max} a page"));
    }
    said.join("; ")
}

fn marked(text: &str, confidence: Confidence) -> String {
    let mark = match confidence {
        Confidence::Assumed => "",
        Confidence::Unverified => " ?",
        Confidence::Observed => " ◉",
        Confidence::Documented => " ✔",
        Confidence::Overridden => " ✎",
    };
    format!("{text}{mark}")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn line(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('<', "&lt;")).collect();
    let _written = writeln!(page, "| {} |", cells.join(" | "));
}
