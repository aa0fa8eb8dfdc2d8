//! What a test run said, as `scripts/keep-results` kept it: a file per test binary, a line per test.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, ensure};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It ran and held.
    Passed,
    /// It ran and did not hold.
    Failed,
    /// It did not run.
    Ignored,
}

/// Tests by `package::binary::path`; the unit tests of a library or of the binary beside it are `package::lib::path`.
#[derive(Debug, Default)]
pub struct Results(BTreeMap<String, Ended>);

impl Results {
    /// Reads a folder.
    ///
    /// # Errors
    /// When it cannot be read, holds nothing, or holds what no test run writes.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut results = Self::default();
        for entry in
            std::fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            results.add(&name, &std::fs::read_to_string(&path)?)?;
        }
        ensure!(!results.0.is_empty(), "no test ran: {} is empty", folder.display());
        Ok(results)
    }

    /// Adds the lines of one binary; `file` is `package::binary`.
    ///
    /// # Errors
    /// A line that is none.
    pub fn add(&mut self, file: &str, lines: &str) -> anyhow::Result<()> {
        let (package, binary) = file.split_once("::").with_context(|| format!("{file} names no binary"))?;
        let binary = if binary == package.replace('-', "_") { "lib" } else { binary };
        for line in lines.lines() {
            let (word, test) = line.split_once(' ').with_context(|| format!("{file}: {line}"))?;
            let ended = match word {
                "ok" => Ended::Passed,
                "failed" => Ended::Failed,
                "ignored" => Ended::Ignored,
                _ => anyhow::bail!("{file}: what does `{line}` mean?"),
            };
            // Standard output of `ignored` tests carries the reason after a comma.
            let test = test.split(", ").next().unwrap_or(test);
            let known = self.0.entry(format!("{package}::{binary}::{test}")).or_insert(ended);
            if ended != Ended::Passed {
                *known = ended;
            }
        }
        Ok(())
    }

    /// How a test ended; `None` when it did not run.
    pub fn of(&self, test: &str) -> Option<Ended> {
        self.0.get(test).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_package_binary_and_path() {
        let mut results = Results::default();
        results
            .add("sallyport-smart::sallyport_smart", "ok pkce::tests::a\nfailed b\nignored c, slow\n")
            .unwrap();
        results.add("sallyport-smart::it", "ok pkce::tests::a\n").unwrap();
        assert_eq!(results.of("sallyport-smart::lib::pkce::tests::a"), Some(Ended::Passed));
        assert_eq!(results.of("sallyport-smart::it::pkce::tests::a"), Some(Ended::Passed));
        assert_eq!(results.of("sallyport-smart::lib::b"), Some(Ended::Failed));
        assert_eq!(results.of("sallyport-smart::lib::c"), Some(Ended::Ignored));
        assert_eq!(results.of("sallyport-smart::lib::d"), None);
    }

    #[test]
    fn a_failure_is_never_covered_by_a_success_of_the_same_name() {
        for lines in ["ok a\nfailed a\n", "failed a\nok a\n"] {
            let mut results = Results::default();
            results.add("p::it", lines).unwrap();
            assert_eq!(results.of("p::it::a"), Some(Ended::Failed), "{lines}");
        }
    }

    #[test]
    fn what_no_test_run_writes_is_an_error() {
        let mut results = Results::default();
        assert!(results.add("p::it", "passed a\n").is_err());
        assert!(results.add("p::it", "ok\n").is_err());
        assert!(results.add("p", "ok a\n").is_err());
        let empty = std::env::temp_dir().join("sallyport-no-such-results");
        assert!(Results::read(&empty).is_err());
    }
}
