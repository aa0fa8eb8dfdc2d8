//! docs/QUIRKS.md names tests and knobs that exist.

use crate::workspace::{FILES, nobody};

const PAGE: &str = "docs/QUIRKS.md";

/// The words in backticks of a line.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether `package/path::name` is a test: in the package's unit tests, or in its suites.
fn is_test(name: &str) -> bool {
    let Some((place, function)) = name.split_once("::") else { return false };
    let Some((package, path)) = place.split_once('/') else { return false };
    let tops = ["crates", "services", "tests"];
    let folders = ["src", "tests/it", "tests"];
    let files =
        tops.iter().flat_map(|top| folders.map(|folder| format!("{top}/{package}/{folder}/{path}.rs")));
    files.into_iter().any(|file| {
        let text = FILES.iter().find(|known| known.path == file).map_or("", |known| known.text.as_str());
        let head = text.split_once(&format!("fn {function}(")).map_or("", |(before, _)| before);
        let marks = head.rsplit("\n\n").next().unwrap_or_default();
        marks.contains("#[test]") || marks.contains("#[tokio::test")
    })
}

/// Whether a knob is a member of the sandbox's profiles.
fn is_knob(name: &str) -> bool {
    let member = format!("pub {}:", name.rsplit('.').next().unwrap_or_default());
    let profiles = FILES.iter().filter(|file| file.path.starts_with("services/sandbox-ehr/src/profile"));
    profiles.into_iter().any(|file| file.text.contains(&member))
}

/// What of the page leads nowhere.
fn wrong(page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let shown = cells.last().copied().unwrap_or_default();
        if shown.trim() != "Shown by" && names(shown).count() == 0 {
            wrong.push(format!("no test shows: {line}"));
        }
        wrong.extend(names(shown).filter(|name| !is_test(name)).map(|name| format!("no test: {name}")));
        // Faults stand in a cell of their own words; what names a member of a profile is one.
        let knobs = cells.get(1).filter(|_| cells.len() == 4).copied().unwrap_or_default();
        let own =
            if knobs.starts_with("fault") { "" } else { knobs.split(" fault").next().unwrap_or_default() };
        let own = names(own).filter(|name| !name.starts_with("POST "));
        wrong.extend(own.filter(|name| !is_knob(name)).map(|name| format!("no knob: {name}")));
    }
    wrong
}

#[test]
fn every_test_and_knob_on_the_page_of_quirks_exists() {
    let page = FILES.iter().find(|file| file.path == PAGE).expect("the page");
    assert!(page.text.matches("\n| ").count() > 35, "a row for each quirk");
    nobody("name a test or a knob that is there", wrong(&page.text));
}

#[test]
fn a_row_that_leads_nowhere_is_found() {
    let row = |knob: &str, test: &str| format!("| A quirk | `{knob}` | something | `{test}` |\n");
    let good = "contract/knobs::every_fault_of_an_answer_comes_to_its_defined_outcome";
    assert_eq!(wrong(&row("search.total", good)), Vec::<String>::new());
    assert_eq!(wrong(&row("search.nothing", good)).len(), 1);
    assert_eq!(
        wrong(&row("search.total", "contract/knobs::searched")),
        ["no test: contract/knobs::searched"]
    );
    assert_eq!(wrong("| A quirk | a browser | something | nothing |\n").len(), 1);
}
