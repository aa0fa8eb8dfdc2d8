//! The pages that are generated from code: stale ones fail. `scripts/generate` writes them anew.

use std::path::Path;

use sallyport_model::Code;

fn page(name: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var("SALLYPORT_GENERATE").is_ok_and(|v| v == "write") {
        std::fs::write(&path, content).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == content, "docs/{name} is stale: run scripts/generate");
}

#[test]
fn the_configuration_reference_is_current() {
    page("CONFIG.md", &sallyport::config::reference());
}

#[test]
fn the_code_reference_is_current() {
    let mut text = String::from(
        "# Codes\n\n<!-- Generated from crates/model/src/code.rs; scripts/generate rewrites it, CI fails when it is stale. -->\n\n\
         Every refusal and error carries one of these. `sallyport explain CODE` prints the same.\n\n\
         | code | HTTP | what happened | what to do |\n| --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let (status, what, next) = (code.kind().http(), code.sentence(), code.next_step());
        text.push_str(&format!("| `{code}` | {status} | {what} | {next} |\n"));
    }
    page("CODES.md", &text);
}
