//! What was seen, with the fix beside what is wrong.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, and will not for ever or not for everybody.
    Warning,
    Bad,
}

#[derive(Debug)]
struct Finding {
    what: String,
    verdict: Verdict,
    seen: String,
    fix: String,
}

/// All findings, in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn good(&mut self, what: impl Into<String>, seen: impl Into<String>) {
        self.add(what, Verdict::Good, seen, "");
    }

    pub(super) fn warning(
        &mut self,
        what: impl Into<String>,
        seen: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(what, Verdict::Warning, seen, fix);
    }

    pub(super) fn bad(&mut self, what: impl Into<String>, seen: impl Into<String>, fix: impl Into<String>) {
        self.add(what, Verdict::Bad, seen, fix);
    }

    fn add(
        &mut self,
        what: impl Into<String>,
        verdict: Verdict,
        seen: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(Finding { what: what.into(), verdict, seen: seen.into(), fix: fix.into() });
    }

    /// Whether nothing is wrong; warnings are not.
    pub(super) fn is_healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.verdict != Verdict::Bad)
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for finding in &self.0 {
            let mark = match finding.verdict {
                Verdict::Good => "ok   ",
                Verdict::Warning => "warn ",
                Verdict::Bad => "WRONG",
            };
            out.push_str(&format!("{mark}  {:<28} {}\n", finding.what, finding.seen));
            if !finding.fix.is_empty() {
                out.push_str(&format!("       {:<28} → {}\n", "", finding.fix));
            }
        }
        let count = |verdict| self.0.iter().filter(|finding| finding.verdict == verdict).count();
        let (warnings, wrong) = (count(Verdict::Warning), count(Verdict::Bad));
        out.push_str(&format!("\n{} looked at, {warnings} to watch, {wrong} wrong\n", self.0.len()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_healthy_and_what_is_wrong_comes_with_its_fix() {
        let mut report = Report::default();
        report.good("clock", "0.2 s off the database's");
        report.warning("certificate", "ends in 10 days", "run sallyport pki dev");
        assert!(report.is_healthy());
        report.bad("cache", "does not answer", "start Redis, or correct kv.url");
        assert!(!report.is_healthy());
        let text = report.text();
        assert!(text.contains("→ start Redis, or correct kv.url"), "{text}");
        assert!(text.ends_with("3 looked at, 1 to watch, 1 wrong\n"), "{text}");
    }
}
