//! What keeps secrets and patient data out of logs and spans before the allow-list of fields has to (invariant 1), and
//! planted bugs out of a release.

use crate::workspace::{File, nobody, production};

/// Calls of the logging and span macros in a file: line number and text from the macro's name to its closing bracket.
fn calls(file: &'static File, names: &[&str]) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for name in names {
        for (at, _) in file.text.match_indices(name) {
            let is_comment =
                file.text[..at].rsplit('\n').next().is_some_and(|l| l.trim_start().starts_with("//"));
            let own_name =
                file.text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
            if own_name && !is_comment {
                let line = file.text[..at].lines().count().max(1);
                found.push((line, balanced(&file.text[at..])));
            }
        }
    }
    found
}

/// Up to the bracket that closes the first one, brackets in texts not counted.
fn balanced(text: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return &text[..=at];
                }
            }
            _ => {}
        }
    }
    text
}

/// The texts in quotes.
fn texts(call: &str) -> Vec<&str> {
    call.split('"').skip(1).step_by(2).collect()
}

#[test]
fn log_messages_are_constants() {
    const MACROS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
    let mut wrong = Vec::new();
    for file in production().filter(|f| f.text.contains("tracing")) {
        for (line, call) in calls(file, &MACROS) {
            // The message is the last argument; only it may be a format string.
            if texts(call).last().is_some_and(|message| message.contains('{')) {
                wrong.push(format!("{}:{line}: {call}", file.path));
            }
        }
    }
    nobody("a message is not checked against the allow-list, so values belong into fields", wrong);
}

#[test]
fn instrumented_functions_record_no_argument_unasked() {
    let mut wrong = Vec::new();
    for file in production() {
        for (line, call) in calls(file, &["#[instrument(", "#[tracing::instrument("]) {
            if !call.contains("skip_all") {
                wrong.push(format!("{}:{line}: {call}", file.path));
            }
        }
        if file.text.contains("#[instrument]") || file.text.contains("#[tracing::instrument]") {
            wrong.push(file.path.clone());
        }
    }
    nobody("#[instrument] without skip_all writes every argument down", wrong);
}

#[test]
fn span_names_are_constants() {
    let named = production().filter(|f| f.text.contains("otel.name"));
    nobody("a name given at run time is not checked against anything", named.map(|f| f.path.clone()));
}

#[test]
fn every_planted_bug_in_the_code_has_its_line_in_the_list() {
    let list =
        production().find(|f| f.path == "crates/model/src/planted.rs").expect("the list of planted bugs");
    let mut unknown = Vec::new();
    for file in production() {
        for (line, call) in calls(file, &["planted!("]) {
            if texts(call).first().is_some_and(|name| !list.text.contains(&format!("(\"{name}\","))) {
                unknown.push(format!("{}:{line}: {call}", file.path));
            }
        }
    }
    nobody("planted bugs that cannot be switched on", unknown);
}

#[test]
fn the_reader_of_calls_reads_calls() {
    let file: &'static File = Box::leak(Box::new(File {
        path: "x.rs".to_owned(),
        text: "fn f() {\n  tracing::info!(a = g(\")\"), \"said {b}\");\n  // info!(\"{no}\")\n  my_info!(\"{no}\");\n}".to_owned(),
    }));
    let found = calls(file, &["info!("]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, texts(found[0].1)), (2, vec![")", "said {b}"]));
}
