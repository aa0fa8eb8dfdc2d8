//! The matrix as a page for people: docs/AUTHORISATION.md.

use super::rows::{CONSOLE, EXPIRED, ROWS};

/// The text of the page.
pub fn page() -> String {
    let mut text = String::from(
        "# Authorisation\n\n<!-- Generated from tests/e2e/src/matrix/rows.rs and its folder; scripts/generate rewrites it, CI fails when it is stale. -->\n\n\
         Every method of every contract, who may call it, and what a caller who may is told in which state. Each cell is called\n\
         in this process and over mutual TLS, as every service there is; whoever is not listed is told `rpc.caller_denied`, and\n\
         nothing happens. A method without a row here fails the tests (`tests/e2e/tests/matrix.rs`).\n\n\
         | method | callers | state | answer |\n| --- | --- | --- | --- |\n",
    );
    for row in ROWS {
        let callers: Vec<&str> = row.callers.iter().map(|caller| caller.as_str()).collect();
        let name = row.method.rsplit('.').next().unwrap_or(row.method).replace('/', ".");
        let (mut method, mut callers) = (format!("`{name}`"), callers.join(", "));
        for case in row.cases {
            let nothing = if case.is_foreign && case.expect == "ok" {
                ", showing and touching nothing of it"
            } else {
                ""
            };
            text.push_str(&format!(
                "| {method} | {callers} | {} | `{}`{nothing} |\n",
                case.state, case.expect
            ));
            method.clear();
            callers.clear();
        }
        if EXPIRED.iter().any(|opening| opening.method == row.method) {
            text.push_str("|  |  | ran out | `session.expired` |\n");
        }
    }
    text.push_str(
        "\n## At the console\n\n\
         What `web` may ask in the name of somebody who is signed in there, and which right it takes (one of several is enough;\n\
         [CONSOLE.md](CONSOLE.md) says which roles have which). Without anybody: `rpc.caller_denied`; signed out:\n\
         `console.signed_out` or `console.ended`; without the right: `console.not_permitted`. Whoever has it is told what stands\n\
         above.\n\n| method | right | there for another tenant |\n| --- | --- | --- |\n",
    );
    for row in CONSOLE {
        let name = row.method.rsplit('.').next().unwrap_or(row.method).replace('/', ".");
        let rights: Vec<&str> = row.rights.iter().map(|right| right.as_str()).collect();
        text.push_str(&format!("| `{name}` | {} | `{}` |\n", rights.join(" or "), row.elsewhere));
    }
    text
}
