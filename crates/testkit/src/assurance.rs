//! What a long-running suite tried and what failed, written down so that `docs/ASSURANCE.md` can tell it.
//!
//! A suite makes a [`Report`] before it starts and writes it when it is through. One that ends early, by a failed
//! assertion or by `?`, counts as failed: what was never written is written when the report goes out of scope.
//!
//! ```no_run
//! # use sallyport_testkit::assurance::Report;
//! let mut report =
//!     Report::new("kill -9 over five processes").scenario("token-vault first").unit("kills").seed(7);
//! for _kill in 0..30 {
//!     report.add_tried(1);
//! }
//! report.write();
//! ```

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use sallyport_model::{Clock, SystemClock};

/// The folder reports go to; without it nothing is written.
pub(crate) const FOLDER: &str = "SALLYPORT_ASSURANCE_DIR";
/// The commit under test, told by the script that runs the suites.
const COMMIT: &str = "SALLYPORT_ASSURANCE_COMMIT";

/// One suite's account of itself.
#[derive(Debug)]
#[must_use = "a report that is dropped unwritten counts as failed"]
pub struct Report {
    suite: String,
    scenario: String,
    unit: String,
    tried: u64,
    failed: u64,
    seed: Option<u64>,
    /// Where it is written, until it is.
    folder: Option<PathBuf>,
}

impl Report {
    /// An account of `suite`, a name that `scripts/assurance` lists.
    pub fn new(suite: &str) -> Self {
        Self {
            suite: suite.to_owned(),
            scenario: String::new(),
            unit: "cases".to_owned(),
            tried: 0,
            failed: 0,
            seed: None,
            folder: std::env::var_os(FOLDER).map(PathBuf::from),
        }
    }

    /// Which part or setting of the suite, in a few words ("on Postgres").
    pub fn scenario(mut self, scenario: &str) -> Self {
        scenario.clone_into(&mut self.scenario);
        self
    }

    /// What is counted, in the plural ("calls", "kills").
    pub fn unit(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// How many were tried.
    pub fn tried(mut self, tried: u64) -> Self {
        self.tried = tried;
        self
    }

    /// How many failed.
    pub fn failed(mut self, failed: u64) -> Self {
        self.failed = failed;
        self
    }

    /// What chance was started from, so that the run can be repeated.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Counts more attempts, while the suite runs.
    pub fn add_tried(&mut self, more: u64) {
        self.tried += more;
    }

    /// Counts more failures, while the suite runs.
    pub fn add_failed(&mut self, more: u64) {
        self.failed += more;
    }

    /// Writes the account: one line of JSON in `SALLYPORT_ASSURANCE_DIR`, nothing when that is not set.
    ///
    /// # Panics
    /// When the folder cannot be written: an account that is lost is no account.
    pub fn write(mut self) {
        if let Some(folder) = self.folder.take() {
            let kept = self.append(&folder);
            assert!(kept.is_ok(), "{FOLDER} cannot be written: {kept:?}");
        }
    }

    fn append(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        // A file per process: lines of two processes never meet in one write.
        let file = folder.join(format!("{}.jsonl", std::process::id()));
        let line = serde_json::json!({
            "suite": self.suite,
            "scenario": self.scenario,
            "unit": self.unit,
            "tried": self.tried,
            "failed": self.failed,
            "seed": self.seed,
            "at": SystemClock.now_seconds(),
            "commit": std::env::var(COMMIT).unwrap_or_default(),
        });
        OpenOptions::new().create(true).append(true).open(file)?.write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            self.failed = self.failed.max(1);
            // Already on the way out with an error of its own, which must stay the one that is seen.
            let _lost = self.append(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A report that goes to a folder of its own, whatever the environment says.
    fn report(folder: &Path) -> Report {
        let mut report = Report::new("tabs");
        report.folder = Some(folder.to_owned());
        report
    }

    fn lines(folder: &Path) -> Vec<Value> {
        let files = std::fs::read_dir(folder).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        texts.flat_map(|t| t.lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn a_report_tells_what_was_tried_and_with_which_seed() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = report(folder.path()).scenario("embedded").unit("calls").tried(9).seed(42);
        report.add_tried(1);
        report.write();
        let [line] = lines(folder.path()).try_into().unwrap();
        assert_eq!(
            (&line["suite"], &line["scenario"], &line["unit"]),
            (&"tabs".into(), &"embedded".into(), &"calls".into())
        );
        assert_eq!((&line["tried"], &line["failed"], &line["seed"]), (&10.into(), &0.into(), &42.into()));
        assert!(line["at"].as_i64().unwrap() > 1_700_000_000);
    }

    #[test]
    fn two_reports_of_one_process_both_stand() {
        let folder = tempfile::tempdir().unwrap();
        report(folder.path()).write();
        report(folder.path()).write();
        assert_eq!(lines(folder.path()).len(), 2);
    }

    #[test]
    fn a_suite_that_ends_early_counts_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let ended = std::panic::catch_unwind(|| {
            let report = report(folder.path()).tried(3);
            assert!(report.tried == 4, "a planted failure");
        });
        assert!(ended.is_err());
        let [line] = lines(folder.path()).try_into().unwrap();
        assert_eq!((&line["tried"], &line["failed"]), (&3.into(), &1.into()));
    }
}
