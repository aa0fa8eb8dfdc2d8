//! The real servers of tests: those that the environment names, and private ones that a test may kill.

use std::{collections::HashMap, path::PathBuf, process::Stdio};

/// Starts and stops servers; the same that `scripts/test` uses.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers");

/// What the environment names as `variable` (such as `SALLYPORT_TEST_RABBITMQ`). `None` when `SALLYPORT_TEST_QUICK=1`
/// says that only cargo is here, and then it says so.
///
/// # Panics
/// When it is not set: a test on fewer servers than it is meant for is a failure, not a skip.
#[expect(clippy::print_stderr, reason = "a test run on fewer back ends must say so")]
pub fn named(variable: &str) -> Option<String> {
    if is_quick() {
        eprintln!("note: SALLYPORT_TEST_QUICK=1, this test ran on embedded back ends only");
        return None;
    }
    let how = format!("set {variable} (scripts/servers start DIR; . DIR/env) or SALLYPORT_TEST_QUICK=1");
    Some(std::env::var(variable).expect(&how))
}

/// Whether only cargo is here.
pub fn is_quick() -> bool {
    std::env::var("SALLYPORT_TEST_QUICK").is_ok_and(|value| value == "1")
}

/// Servers of one test's own, stopped and removed when dropped. For tests that kill them.
pub struct Private {
    folder: PathBuf,
    variables: HashMap<String, String>,
}

impl Private {
    /// Starts these (`postgres`, `redis`, `rabbitmq`, `openbao`). `None` when only cargo is here, and says so.
    ///
    /// # Panics
    /// When one does not start.
    #[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
    pub async fn start(names: &[&str]) -> Option<Self> {
        if is_quick() {
            eprintln!("note: SALLYPORT_TEST_QUICK=1, this test did not run: it needs {names:?}");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("sallyport-servers-").tempdir().expect("a folder").keep();
        let mut servers = Self { folder, variables: HashMap::new() };
        for name in names {
            servers.run("start", name).await;
        }
        let written = std::fs::read_to_string(servers.folder.join("env")).expect("the variables");
        servers.variables = variables(&written);
        Some(servers)
    }

    /// The address or whatever else is written under this name.
    ///
    /// # Panics
    /// When it is not one of a server that was started.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).expect("a variable of a server that was started")
    }

    /// As a power cut would.
    pub async fn kill(&self, name: &str) {
        self.run("kill", name).await;
    }

    /// In good order.
    pub async fn stop(&self, name: &str) {
        self.run("stop", name).await;
    }

    /// Again, on the same port with the same data. Returns when it answers.
    pub async fn start_again(&self, name: &str) {
        self.run("start", name).await;
    }

    async fn run(&self, command: &str, name: &str) {
        let ran = tokio::process::Command::new(SCRIPT)
            .args([command.as_ref(), self.folder.as_os_str(), name.as_ref()])
            .stdin(Stdio::null())
            .status();
        let status = ran.await.expect("scripts/servers runs");
        assert!(status.success(), "scripts/servers {command} {name}: {status}");
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let removed = std::process::Command::new(SCRIPT).arg("remove").arg(&self.folder).status();
        let _best_effort = removed;
    }
}

/// `export NAME='value' NAME='value'`.
fn variables(written: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for line in written.lines().filter_map(|line| line.strip_prefix("export ")) {
        for pair in line.split_inclusive("' ") {
            if let Some((name, value)) = pair.trim().split_once('=') {
                found.insert(name.to_owned(), value.trim_matches('\'').to_owned());
            }
        }
    }
    found
}
