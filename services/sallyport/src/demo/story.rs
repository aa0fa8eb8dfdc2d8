//! What was seen, line by line.

use serde::Serialize;

/// One thing that must hold.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What was looked at.
    pub step: &'static str,
    /// Whether it held.
    pub ok: bool,
    /// What was seen, without secrets and without patient data.
    pub seen: String,
    /// Where it was read.
    pub source: &'static str,
}

/// All lines.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Story {
    /// In the order they were seen.
    pub lines: Vec<Line>,
}

impl Story {
    /// Adds a line.
    pub fn tell(&mut self, step: &'static str, source: &'static str, ok: bool, seen: impl Into<String>) {
        self.lines.push(Line { step, ok, seen: seen.into(), source });
    }

    /// Whether every line held. A story without lines is none.
    pub fn is_whole(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.ok)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            let mark = if line.ok { "ok  " } else { "FAIL" };
            out.push_str(&format!(
                "{mark}  {:<34} {}\n      {:<34} read from {}\n",
                line.step, line.seen, "", line.source
            ));
        }
        let failed = self.lines.iter().filter(|line| !line.ok).count();
        out.push_str(&format!("\n{} lines, {failed} failed\n", self.lines.len()));
        out
    }
}
