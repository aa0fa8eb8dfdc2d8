//! CSV (RFC 4180) that no spreadsheet takes for formulas.

/// A cell that is only text, whatever stands in it: what a spreadsheet would run is put behind an apostrophe (OWASP,
/// CSV injection), and what would end the line is taken out.
pub fn cell(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let first = text.trim_start().chars().next();
    // Full-width forms are formulas to some as well.
    let is_formula = first.is_some_and(|c| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}|%".contains(c));
    let guarded = if is_formula { format!("'{text}") } else { text };
    if guarded.contains(['"', ',', '\'']) || is_formula {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("  =1", "\"'  =1\""),
            ("\t=1", "\"' =1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2", "\"'-2\""),
            ("+2", "\"'+2\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("line\r\nbreak", "line  break"),
            ("\u{1b}[31mred", " [31mred"),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
