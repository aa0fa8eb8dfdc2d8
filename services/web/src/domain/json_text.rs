//! JSON laid out for reading without being parsed into numbers: what the EHR sent, digit for digit.

/// Indents JSON. Text that is not JSON comes out as it went in, more or less; nothing is lost.
pub(crate) fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        if in_string {
            // A direction override would show the text in another order: it is shown as the escape that JSON has for it.
            if crate::pages::words::is_override(c) {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
                continue;
            }
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Deeper than this the indent no longer grows: hostile nesting must not square the text's size.
const MAX_INDENT: usize = 32;

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_strings_stay_as_sent() {
        let json = r#"{"value":8.10,"text":"a\",{b: c\\","list":[ ],"nested":[1e0,{}]}"#;
        let expected = "{\n  \"value\": 8.10,\n  \"text\": \"a\\\",{b: c\\\\\",\n  \"list\": [],\n  \"nested\": [\n    1e0,\n    {}\n  ]\n}";
        assert_eq!(laid_out(json), expected);
    }

    #[test]
    fn deep_nesting_grows_linearly() {
        let json = "[".repeat(20_000);
        assert!(laid_out(&json).len() < 20_000 * (2 * MAX_INDENT + 3));
    }
}
